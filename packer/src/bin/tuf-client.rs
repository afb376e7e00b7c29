//! A TUF client with the command line that conformance suites speak to, on top of [`Repository`].
//!
//! ```text
//! tuf-client --metadata-dir DIR init ROOT
//! tuf-client --metadata-dir DIR --metadata-url URL refresh
//! tuf-client --metadata-dir DIR --metadata-url URL --target-name PATH --target-base-url URL --target-dir DIR download
//! ```
//!
//! The exit code is 0, or 1 with the reason on standard error. What is trusted is in DIR by unversioned names.
//! An update that fails leaves it as it was; with `--keep-verified` it keeps what was verified before the
//! failure, role after role, as the specification has it.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use packer::repository::{Error, Keep, Location, Repository};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

type Failure = Box<dyn std::error::Error>;

/// What is on the command line.
#[derive(Debug, Default)]
struct Flags {
    metadata_dir: Option<String>,
    metadata_url: Option<String>,
    target_name: Option<String>,
    target_base_url: Option<String>,
    target_dir: Option<String>,
    keep_verified: bool,
    /// The command and what stands behind it.
    command: Vec<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text += &format!("\n  caused by: {error}");
                cause = error.source();
            }
            writeln!(io::stderr(), "tuf-client: {text}").unwrap_or_default();
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let flags = Flags::parse(env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let command: Vec<_> = flags.command.iter().map(String::as_str).collect();
    match command[..] {
        ["init", root] => init(&flags, Path::new(root)),
        ["refresh"] => runtime.block_on(async { flags.refreshed().await.map(drop) }),
        ["download"] => runtime.block_on(download(&flags)),
        _ => Err("wanted one of `init ROOT`, `refresh` and `download`".into()),
    }
}

/// Trusts a root. Nobody is asked.
fn init(flags: &Flags, root: &Path) -> Result<(), Failure> {
    let root = fs::read(root)?;
    let folder = flags.metadata_dir()?;
    // Where the repository is will be said later.
    let _trusted = Repository::open(&root, Location::parse(".")?, &folder)?;
    Ok(())
}

async fn download(flags: &Flags) -> Result<(), Failure> {
    let name = wanted("--target-name", flags.target_name.as_ref())?;
    let folder = PathBuf::from(wanted("--target-dir", flags.target_dir.as_ref())?);
    let repository = flags.refreshed().await?;
    let target = repository.target(name)?;
    let file = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    let _file = repository.download(&target, &folder.join(file)).await?;
    Ok(())
}

impl Flags {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (mut flags, mut arguments) = (Self::default(), arguments);
        while let Some(argument) = arguments.next() {
            let flag = match argument.as_str() {
                "--metadata-dir" => &mut flags.metadata_dir,
                "--metadata-url" => &mut flags.metadata_url,
                "--target-name" => &mut flags.target_name,
                "--target-base-url" => &mut flags.target_base_url,
                "--target-dir" => &mut flags.target_dir,
                "--keep-verified" => {
                    flags.keep_verified = true;
                    continue;
                }
                _ => {
                    flags.command.push(argument);
                    continue;
                }
            };
            *flag = Some(wanted(&argument, arguments.next())?);
        }
        Ok(flags)
    }

    fn metadata_dir(&self) -> Result<PathBuf, Failure> {
        Ok(PathBuf::from(wanted("--metadata-dir", self.metadata_dir.as_ref())?))
    }

    /// The repository, as it is now.
    async fn refreshed(&self) -> Result<Repository, Failure> {
        let folder = self.metadata_dir()?;
        let metadata = wanted("--metadata-url", self.metadata_url.as_ref())?;
        let targets = self.target_base_url.as_ref().unwrap_or(metadata);
        let location = Location::apart(metadata, targets)?;
        // Trust goes on with the root that it has come to.
        let root = fs::read(folder.join("root.json"))?;
        let mut repository = Repository::open(&root, location, &folder)?;
        let keep = if self.keep_verified { Keep::Verified } else { Keep::Before };
        let refreshed: Result<(), Error> = repository.refresh_keeping(keep).await;
        refreshed?;
        Ok(repository)
    }
}

fn wanted<T>(flag: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| format!("`{flag}` is missing, or stands without its value").into())
}

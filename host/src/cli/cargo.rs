//! A nested `cargo build` of a plugin: its progress is shown as it comes, its failure is explained.
//!
//! Guarantees: cargo and the compilers that it starts end with this, by a signal to their process group; the
//! build has a limit. What cargo says goes to stderr line by line. The library is where cargo says that it is.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

/// The slowest machine builds a plugin in less.
const BUILD_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// How much of the end of what cargo said is looked at for the reason of a failure.
const LINES_KEPT: usize = 400;
/// What `cargo run` tells the program that it runs, and what would only confuse a second cargo.
const OF_CARGO_RUN: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Why there is no library.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no cargo.
    #[error(
        "there is no `cargo` to build it with: install Rust from https://rustup.rs, then try again"
    )]
    Absent,
    /// It cannot be run.
    #[error("`{program}` cannot be run")]
    Run {
        /// What was to be run.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no linker.
    #[error(
        "there is no C linker: install one (Debian, Ubuntu: `apt-get install build-essential`), then try again"
    )]
    NoLinker,
    /// A dependency could not be had.
    #[error(
        "cargo could not get a dependency, see above: with a network, run `cargo fetch --manifest-path {manifest}` once, then try again"
    )]
    NoNetwork {
        /// Of what.
        manifest: String,
    },
    /// It does not compile.
    #[error("it does not compile: see the compiler's first error above, mend it and try again")]
    Compile,
    /// Anything else.
    #[error("cargo ended with {status}: see above, and try `{command}` by hand")]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// What was run.
        command: String,
    },
    /// It took too long.
    #[error("cargo was not done after {} minutes and was ended: try `{command}` by hand", BUILD_TIME_MAX.as_secs() / 60)]
    TooLong {
        /// What was run.
        command: String,
    },
    /// It made no library.
    #[error(
        "`{manifest}` makes no plugin: give its `[lib]` a `crate-type = [\"cdylib\"]`, or name the manifest of one that has it"
    )]
    NoLibrary {
        /// Of what.
        manifest: String,
    },
}

/// What is built, in release and by itself.
#[derive(Debug)]
pub(super) struct Plugin<'a> {
    /// Its manifest, or that of its workspace.
    pub(super) manifest: &'a Path,
    /// Which package of a workspace.
    pub(super) package: Option<&'a str>,
    /// Its features, as cargo is told them.
    pub(super) features: Option<&'a str>,
    /// Where cargo puts what it makes, whatever `CARGO_TARGET_DIR` says; none: where it likes.
    pub(super) target: Option<&'a Path>,
}

impl Plugin<'_> {
    fn arguments(&self) -> Vec<String> {
        let Self { manifest, package, features, target } = self;
        let mut arguments = vec!["build".to_owned(), "--release".to_owned()];
        let mut add = |flag: &str, value: Option<String>| {
            arguments.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        };
        add("--manifest-path", Some(manifest.display().to_string()));
        add("--target-dir", target.map(|target| target.display().to_string()));
        add("-p", package.map(str::to_owned));
        add("--features", features.map(str::to_owned));
        arguments
    }
}

/// How a build went.
struct Built {
    status: ExitStatus,
    /// The last of what cargo said.
    said: VecDeque<String>,
    /// The library that it made last: what was asked for is built after all that it needs.
    library: Option<PathBuf>,
}

/// A line of what cargo tells programs, as far as it is about a library.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// A cargo that has not ended; its whole process group is ended when this is dropped.
struct Building(Child);

/// Builds a plugin: its library.
///
/// # Cancellation
/// Ends cargo and its compilers.
pub(super) async fn build(plugin: &Plugin<'_>) -> Result<PathBuf, Error> {
    let manifest = plugin.manifest.display().to_string();
    let arguments = plugin.arguments();
    let command = format!("cargo {}", arguments.join(" "));
    let mut building = Building::start(&arguments)?;
    let ended = timeout(BUILD_TIME_MAX, building.run()).await;
    let Built { status, said, library } =
        ended.map_err(|_elapsed| Error::TooLong { command: command.clone() })??;
    if !status.success() {
        return Err(explain(&said, status, command, manifest));
    }
    library.ok_or(Error::NoLibrary { manifest })
}

/// The program that the user's `cargo` is, which `cargo run` passes on.
fn program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_unset| "cargo".to_owned())
}

impl Building {
    fn start(arguments: &[String]) -> Result<Self, Error> {
        let program = program();
        let mut command = Command::new(&program);
        command.args(arguments).args(["--message-format", "json-render-diagnostics"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: the compilers are ended with it, and only by us.
        command.process_group(0).kill_on_drop(true);
        for (name, _value) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if OF_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&*name);
            }
        }
        match command.spawn() {
            Ok(child) => Ok(Self(child)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Absent),
            Err(source) => Err(Error::Run { program, source }),
        }
    }

    /// Shows what it says until it ends.
    async fn run(&mut self) -> Result<Built, Error> {
        let failed = |source| Error::Run { program: program(), source };
        let stdout = self.0.stdout.take().expect("it is piped");
        let stderr = self.0.stderr.take().expect("it is piped");
        let (library, said) = tokio::join!(library(stdout), show(stderr));
        let (library, said) = (library.map_err(failed)?, said.map_err(failed)?);
        Ok(Built { status: self.0.wait().await.map_err(failed)?, said, library })
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = pid {
            // It fails when the group has just ended by itself, which is what is wanted.
            let _ended = kill_process_group(group, Signal::TERM);
        }
    }
}

async fn library(stdout: ChildStdout) -> io::Result<Option<PathBuf>> {
    let mut lines = BufReader::new(stdout).lines();
    let mut library = None;
    while let Some(line) = lines.next_line().await? {
        // Most lines are about something else.
        let Ok(Artifact { target, filenames }) = serde_json::from_str(&line) else { continue };
        let is_shared = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "so");
        if target.kind.iter().any(|kind| kind == "cdylib") {
            library = filenames.into_iter().find(is_shared).or(library);
        }
    }
    Ok(library)
}

async fn show(stderr: ChildStderr) -> io::Result<VecDeque<String>> {
    let mut lines = BufReader::new(stderr).lines();
    let mut said = VecDeque::with_capacity(LINES_KEPT);
    while let Some(line) = lines.next_line().await? {
        let _nobody_listens = writeln!(io::stderr(), "{line}");
        if said.len() == LINES_KEPT {
            said.pop_front();
        }
        said.push_back(line);
    }
    Ok(said)
}

/// The reason that is in what cargo said; the surest sign first.
fn explain(
    said: &VecDeque<String>,
    status: ExitStatus,
    command: String,
    manifest: String,
) -> Error {
    let has = |signs: &[&str]| said.iter().any(|line| signs.iter().any(|sign| line.contains(sign)));
    if has(&["linker `cc` not found"]) {
        Error::NoLinker
    } else if has(&[
        "network failure",
        "spurious network error",
        "Could not resolve host",
        "failed to download",
        "failed to fetch",
        "--offline",
    ]) {
        Error::NoNetwork { manifest }
    } else if has(&["error: could not compile"]) {
        Error::Compile
    } else {
        Error::Failed { status, command }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_failure_is_explained_by_what_was_said() {
        let cases = [
            (
                "error: linker `cc` not found\nerror: could not compile `libc`",
                "there is no C linker",
            ),
            ("error: failed to download `serde v1.0.0`", "cargo could not get a dependency"),
            ("warning: spurious network error (3 tries remaining)", "cargo could not get"),
            ("error[E0425]: x\nerror: could not compile `metapaas-demo`", "it does not compile"),
            (
                "error: package ID specification `x` did not match",
                "cargo ended with exit status: 101",
            ),
        ];
        for (said, wanted) in cases {
            let said = said.lines().map(str::to_owned).collect();
            let (command, manifest) = ("cargo build".to_owned(), "Cargo.toml".to_owned());
            let error = explain(&said, ExitStatus::from_raw(101 << 8), command, manifest);
            assert!(error.to_string().starts_with(wanted), "{error}");
        }
    }
}

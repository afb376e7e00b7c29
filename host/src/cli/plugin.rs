//! `metapaas plugin …`: what authors of plugins do.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use packer::bundle::{Contents, PackedFile, TargetTriple, pack_to_dir};
use plugin_abi::descriptor::Descriptor;

use super::exit::{Exit, Failure};
use crate::plugin::probe;

mod migration;

/// The commands of authors.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pack a built library into a bundle, named by what its own descriptor says.
    Pack(Pack),
    /// Keep a plugin's migrations in step with its declared resources.
    #[command(subcommand)]
    Migration(migration::Command),
}

/// The flags of `plugin pack`.
#[derive(Debug, Args)]
pub(crate) struct Pack {
    /// The built library.
    #[arg(long, value_name = "FILE")]
    pub(super) library: PathBuf,
    /// Where the bundle goes.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) out: PathBuf,
    /// The license to put in.
    #[arg(long, value_name = "FILE")]
    pub(super) license: Option<PathBuf>,
    /// A folder of documents to put in.
    #[arg(long, value_name = "DIR")]
    pub(super) docs: Option<PathBuf>,
}

/// Does what was asked.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Pack(flags) => run_pack(flags),
        Command::Migration(command) => migration::run(command),
    }
}

fn run_pack(flags: Pack) -> Result<Exit, Failure> {
    let packed = pack(flags).map_err(|error| Failure::new(Exit::Refused, error))?;
    let PackedFile { path, file } = packed;
    say(&format!("{} {} {} bytes", path.display(), file.digest, file.bytes))?;
    Ok(Exit::Ok)
}

/// Packs a library into a bundle.
///
/// # Errors
/// When the library or the folder is no good; says why.
pub(super) fn pack(flags: Pack) -> anyhow::Result<PackedFile> {
    let Pack { library, out, license, docs } = flags;
    let (descriptor, declared) = describe(&library)?;
    let contents = Contents {
        element: declared.element.parse().context("the library names an impossible element")?,
        version: declared.version.parse().context("the library has an impossible version")?,
        libraries: [(TargetTriple::host(), library)].into(),
        descriptor,
        license,
        docs,
    };
    // Whoever declares none may have a reason for any migrations.
    if declared.types.iter().any(|declared| !declared.resources.is_empty()) {
        migration::require(&declared)?;
    }
    if !out.is_dir() {
        bail!("`{}` is not a folder; make it, or name another with `--out`", out.display());
    }
    Ok(pack_to_dir(&contents, &out)?)
}

/// What a library describes itself by, as it stands and as it reads.
fn describe(library: &Path) -> anyhow::Result<(Vec<u8>, Descriptor)> {
    let descriptor = probe::describe(library)?;
    let declared =
        serde_json::from_slice(&descriptor).context("the library's descriptor is not one")?;
    Ok((descriptor, declared))
}

/// Prints a result.
fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}").map_err(|source| Failure::new(Exit::Failed, source))
}

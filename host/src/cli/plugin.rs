//! `metapaas plugin …`: what authors of plugins do.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use packer::bundle::{Contents, PackedFile, TargetTriple, pack_to_dir};
use plugin_abi::descriptor::Descriptor;

use super::exit::{Exit, Failure};
use crate::plugin::probe;

/// The commands of authors.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pack a built library into a bundle, named by what its own descriptor says.
    Pack(Pack),
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
    let Command::Pack(flags) = command;
    match pack(flags) {
        Ok(packed) => {
            let PackedFile { path, file } = packed;
            let line = format!("{} {} {} bytes", path.display(), file.digest, file.bytes);
            writeln!(io::stdout(), "{line}")
                .map_err(|source| Failure::new(Exit::Failed, source))?;
            Ok(Exit::Ok)
        }
        Err(error) => Err(Failure::new(Exit::Refused, error)),
    }
}

/// Packs a library into a bundle.
///
/// # Errors
/// When the library or the folder is no good; says why.
pub(super) fn pack(flags: Pack) -> anyhow::Result<PackedFile> {
    let Pack { library, out, license, docs } = flags;
    let descriptor = probe::describe(&library)?;
    let declared: Descriptor =
        serde_json::from_slice(&descriptor).context("the library's descriptor is not one")?;
    let contents = Contents {
        element: declared.element.parse().context("the library names an impossible element")?,
        version: declared.version.parse().context("the library has an impossible version")?,
        libraries: [(TargetTriple::host(), library)].into(),
        descriptor,
        license,
        docs,
    };
    if !out.is_dir() {
        bail!("`{}` is not a folder; make it, or name another with `--out`", out.display());
    }
    Ok(pack_to_dir(&contents, &out)?)
}

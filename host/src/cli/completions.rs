//! `metapaas completions SHELL`: what makes a shell complete these commands.

use std::io::{self, Write};

use clap::Args;
use clap_complete::{Shell, generate};

use super::exit::{Exit, Failure};

/// The flags of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The shell; for bash: `source <(metapaas completions bash)`.
    shell: Shell,
}

/// Prints the script.
pub(crate) fn print(flags: &Flags) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(flags.shell, &mut super::command(), "metapaas", &mut script);
    io::stdout().write_all(&script).map_err(|source| Failure::new(Exit::Failed, source))?;
    Ok(Exit::Ok)
}

//! The command line: which commands there are and what they take.
//!
//! Parsing only; what a command does lives in its own file under `cli/`. Bad usage ends with exit code 2
//! (see [`exit`]), which is clap's own.

use clap::{Parser, Subcommand};

pub(crate) mod exit;
pub(crate) mod serve;
pub(crate) mod version;

/// One control plane that hosts many PaaS types as plugins.
#[derive(Debug, Parser)]
#[command(name = "metapaas", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon until it is told to stop.
    Serve(serve::Flags),
    /// Say what this binary is.
    Version,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}

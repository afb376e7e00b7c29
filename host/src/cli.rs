//! The command line: which commands there are and what they take.
//!
//! Parsing only; what a command does lives in its own file under `cli/`. Bad usage ends with exit code 2
//! (see [`exit`]), which is clap's own.

use clap::{Parser, Subcommand};

pub(crate) mod config;
#[allow(dead_code, reason = "the context is there before the client that uses it")]
pub(crate) mod context;
pub(crate) mod down;
pub(crate) mod exit;
pub(crate) mod plugin;
pub(crate) mod probe;
pub(crate) mod serve;
pub(crate) mod up;
pub(crate) mod version;
pub(crate) mod worker;

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
    /// Run a daemon with the demo of this checkout, and show what to do with it.
    Up(serve::Flags),
    /// Stop what `up` left running in this folder.
    Down(down::Flags),
    /// Run the daemon until it is told to stop.
    Serve(serve::Flags),
    /// Which daemon the client speaks to.
    #[command(subcommand)]
    Context(context::command::Command),
    /// What the daemon's settings are.
    #[command(subcommand)]
    Config(config::Command),
    /// What authors of plugins do.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Examine a plugin's library in this process (the daemon runs this in a child).
    Probe(probe::Flags),
    /// Run a plugin for a daemon (the daemon starts this).
    #[command(hide = true)]
    Worker,
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

//! The command line: which commands there are and what they take.
//!
//! Parsing only; what a command does lives in its own file under `cli/`. Bad usage ends with exit code 2
//! (see [`exit`]), which is clap's own.

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::client::Reach;

mod cargo;
mod client;
pub(crate) mod command;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod down;
mod element;
pub(crate) mod exit;
mod iam;
mod migrations;
mod operation;
mod output;
pub(crate) mod plugin;
pub(crate) mod probe;
mod progress;
pub(crate) mod repository;
pub(crate) mod serve;
mod session;
pub(crate) mod store;
mod token;
pub(crate) mod up;
pub(crate) mod version;
pub(crate) mod worker;

/// One control plane that hosts many PaaS types as plugins.
#[derive(Debug, Parser)]
#[command(name = "metapaas", version, about)]
pub(crate) struct Cli {
    /// Where the client finds its daemon, as far as that was said before the noun.
    #[command(flatten)]
    pub(crate) reach: Reach,
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
    /// Speak to a daemon.
    #[command(flatten)]
    Client(command::Command),
    /// What the daemon's settings are.
    #[command(subcommand)]
    Config(config::Command),
    /// Back up the daemon's state, and restore it.
    #[command(subcommand)]
    Store(store::Command),
    /// What authors of plugins do.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Make and change a repository of elements, serve it, copy it.
    #[command(subcommand)]
    Repository(repository::Command),
    /// Examine a plugin's library in this process (the daemon runs this in a child).
    Probe(probe::Flags),
    /// Run a plugin for a daemon (the daemon starts this).
    #[command(hide = true)]
    Worker,
    /// Print what makes a shell complete these commands.
    Completions(completions::Flags),
    /// Say what this binary is.
    Version,
}

/// The command line of this process; a wrong one ends it.
pub(crate) fn parse() -> Cli {
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let is_client = matches!(cli.command, Command::Client(_));
    if !is_client && cli.reach != Reach::default() {
        let text = "this command does not speak to a daemon: leave out the flags before it\n";
        command().error(ErrorKind::ArgumentConflict, text).exit();
    }
    cli
}

/// The commands, as clap knows them.
///
/// What stands before the noun is no flag of every command: each noun of the client has the same flags for what
/// stands behind it, and the daemon's commands have none.
pub(crate) fn command() -> clap::Command {
    Cli::command().mut_args(|arg| arg.global(false))
}

#[cfg(test)]
mod tests;

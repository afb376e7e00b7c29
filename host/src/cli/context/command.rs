//! `metapaas context …`: which daemon is meant.

use std::io::{self, Write};

use clap::Subcommand;

use super::{Contexts, Error, change, path};
use crate::cli::exit::{Exit, Failure};

/// The commands about the client's own file.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the daemons that this user knows.
    List,
    /// Mean this daemon from now on.
    Use {
        /// The name of its context.
        name: String,
    },
}

/// Does what was asked.
pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    let done = match command {
        Command::List => list(),
        Command::Use { name } => path().and_then(|path| change(&path, |all| all.select(name))),
    };
    done.map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Exit::Ok)
}

fn list() -> Result<(), Error> {
    let contexts = Contexts::load(&path()?)?;
    let mut stdout = io::stdout();
    for (name, context) in contexts.iter() {
        // Whoever closed the pipe does not want the rest.
        let _printed = writeln!(stdout, "{name} {}", context.endpoint);
    }
    Ok(())
}

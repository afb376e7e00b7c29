//! A command of the client at work: the daemon that it speaks to, and where its results go.

use std::io::{self, BufRead, IsTerminal, Write};

use tokio::runtime::Builder;

use super::client::{Client, Error, Reach};
use super::exit::{Exit, Failure};
use super::output::Output;

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    /// Speaks to the daemon.
    pub(crate) client: Client,
    /// Where results go.
    pub(crate) output: Output,
}

/// Whether a question needs an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// It was given beforehand.
    Given,
    /// It is asked for, where somebody is there to answer.
    Asked,
}

/// Runs a command that speaks to the daemon which `reach` means; tells what kept it from a result.
pub(crate) fn run(
    reach: &Reach,
    command: impl AsyncFnOnce(&Session) -> Result<Exit, Error>,
) -> Result<Exit, Failure> {
    let output = Output { format: reach.format() };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Failure::new(Exit::Failed, source))?;
    let ended = runtime.block_on(async {
        let client = Client::new(reach.target()?)?;
        command(&Session { client, output }).await
    });
    Ok(ended.unwrap_or_else(|error| output.failure(&error)))
}

impl Consent {
    /// What a flag like `--yes` means.
    pub(crate) fn given_by(yes: bool) -> Self {
        if yes { Self::Given } else { Self::Asked }
    }

    /// Goes on only if the user wants that. A script is not asked: it said what it wants.
    pub(crate) fn to(self, question: &str) -> Result<(), Error> {
        let is_asked =
            self == Self::Asked && io::stdin().is_terminal() && io::stderr().is_terminal();
        if !is_asked || is_yes(question).map_err(Error::Print)? {
            return Ok(());
        }
        Err(Error::Declined)
    }
}

fn is_yes(question: &str) -> io::Result<bool> {
    let mut stderr = io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

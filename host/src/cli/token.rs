//! `metapaas token …`: the token that the client has, and the admin token on the daemon's own host.
//!
//! `reset` works on the data directory, so it needs no token and no daemon; one that runs takes the new token up by
//! itself. `show` is for other programs: it prints what the client would send, and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::client::{Credentials, Error, Reach};
use super::context::{self, Contexts, Secret, change};
use super::exit::{Exit, Failure};
use super::output::{self, Output};
use crate::config::{Config, Flag, Sources};
use crate::identity::Token;
use crate::identity::admin_token::{self, Reset};

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the token for the daemon that is meant: `curl -H "Authorization: Bearer $(metapaas token show)" URL`.
    Show,
    /// Replace the admin token. The old one counts no more, in a daemon that runs either.
    Reset {
        /// The daemon's data directory [default: that of `up` if there is one, else that of `serve`].
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// Does what was asked.
pub(crate) fn run(reach: &Reach, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Show => print(reach),
        Command::Reset { data } => replace(reach, data.as_ref()),
    }
}

/// What proves who is calling; the password of `admin` is a token too.
fn print(reach: &Reach) -> Result<Exit, Failure> {
    let output = Output { format: reach.format() };
    let known = || {
        let target = reach.target()?;
        match target.credentials {
            Some(Credentials::Token(token) | Credentials::Password { password: token, .. }) => {
                Ok(token)
            }
            None => Err(Error::NoToken { endpoint: target.endpoint }),
        }
    };
    let shown = known().and_then(|token: Secret| {
        let document = json!({ "token": token.reveal() });
        output.value(&document, |_document, _paint| format!("{}\n", token.reveal()))
    });
    Ok(shown.map_or_else(|error| output.failure(&error), |()| Exit::Ok))
}

/// Makes another admin token.
fn replace(reach: &Reach, data: Option<&PathBuf>) -> Result<Exit, Failure> {
    let flag = |path: &PathBuf| {
        let value = path.to_string_lossy().into_owned();
        Flag { name: "--data", key: "data", value }
    };
    let mut sources = Sources::of_this_process(None, data.into_iter().map(flag).collect());
    if Path::new(super::up::DATA).is_dir() {
        sources.presets.push(("data", super::up::DATA.to_owned()));
    }
    let config = Config::load(sources)?;
    let output = Output { format: reach.format() };
    let reset = admin_token::reset(&config.data, |token| show(output, token)).map_err(|error| {
        let exit = match error {
            admin_token::Error::NoData { .. } => Exit::Refused,
            admin_token::Error::Read { .. }
            | admin_token::Error::Parse { .. }
            | admin_token::Error::Keep(_)
            | admin_token::Error::Random(_)
            | admin_token::Error::Show(_) => Exit::Failed,
        };
        Failure::new(exit, error)
    })?;
    match remember(reach, &reset) {
        Ok(names) if names.is_empty() => output.note(
            "no client context knew the old token; `metapaas context add --endpoint URL --token TOKEN` keeps the new one",
        ),
        Ok(names) => output.note(&format!("the client context knows it: {}", names.join(", "))),
        // The reset itself is done, and its token was printed.
        Err(error) => output::warn(&crate::log::chain(&error).to_string()),
    }
    Ok(Exit::Ok)
}

/// The line that `serve` prints at its first start too; in the other formats a document.
fn show(output: Output, token: &Token) -> io::Result<()> {
    let document = json!({ "token": token.reveal() });
    let line = || format!("admin token: {}\n", token.reveal());
    output.value(&document, |_document, _paint| line()).map_err(io::Error::other)
}

/// Gives the new token to the contexts that had the old one, and to the daemon that flags or environment name.
fn remember(reach: &Reach, reset: &Reset) -> Result<Vec<String>, Error> {
    let Reset { token, replaced } = reset;
    let (token, endpoint) = (Secret::new(token.reveal()), reach.named_endpoint()?);
    let path = context::path()?;
    let knows = Contexts::load(&path)?.iter().any(|(_name, context)| {
        context.token.as_ref().and_then(Secret::id) == replaced.as_deref() && replaced.is_some()
    });
    if !knows && endpoint.is_none() {
        return Ok(Vec::new());
    }
    change(&path, |contexts| {
        let mut names = match replaced {
            Some(old) => contexts.replace_token(old, &token),
            None => Vec::new(),
        };
        if let Some(endpoint) = endpoint {
            let name = contexts.remember(endpoint, token);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    })
    .map_err(Error::from)
}

//! `metapaas context …`: which daemons this user knows, and which is meant. Asks no daemon.

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, Contexts, change, path};
use crate::cli::client::{Error, Reach};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Details, Output, Table, warn};

/// What to do with the client's own file.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the daemons that this user knows.
    List,
    /// Show which daemon is meant, and what says so. Tokens are not shown.
    Show,
    /// Mean this daemon from now on.
    Use {
        /// The name of its context.
        name: String,
    },
    /// Know one more daemon, the one of `--endpoint`, and mean it from now on.
    Add {
        /// What to call it; without it, as its host and port.
        name: Option<String>,
    },
    /// Forget a daemon.
    Remove {
        /// The name of its context.
        name: String,
    },
}

/// Does what was asked.
pub(crate) fn run(reach: &Reach, command: &Command) -> Result<Exit, Failure> {
    let output = Output { format: reach.format() };
    match done(reach, output, command) {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Ok(output.failure(&error)),
    }
}

fn done(reach: &Reach, output: Output, command: &Command) -> Result<(), Error> {
    let path = path()?;
    match command {
        Command::List => list(output, &path),
        Command::Show => show(reach, output, &path),
        Command::Use { name } => {
            change(&path, |contexts| contexts.select(name))?;
            output.note(&format!("{name} is meant from now on"));
            Ok(())
        }
        Command::Add { name } => add(reach, output, &path, name.as_deref()),
        Command::Remove { name } => {
            change(&path, |contexts| contexts.remove(name))?;
            output.note(&format!("{name} is forgotten"));
            Ok(())
        }
    }
}

fn list(output: Output, path: &Path) -> Result<(), Error> {
    let contexts = Contexts::load(path)?;
    warning(&contexts);
    let current = contexts.current().map(|(name, _context)| name);
    let items = contexts.iter().map(|(name, context)| shown(name, context, current));
    let document = json!({ "items": items.collect::<Vec<_>>() });
    output.value(&document, |document, paint| {
        let mut table = Table::new(["NAME", "CURRENT", "ENDPOINT", "TOKEN"]);
        for context in document.items("/items") {
            table.row([
                context.cell("/name"),
                context.cell("/current"),
                context.cell("/endpoint"),
                context.cell("/token_id"),
            ]);
        }
        table.render(
            paint,
            "there is no context: `metapaas up` makes one, and so does `metapaas context add`",
        )
    })
}

fn shown(name: &str, context: &Context, current: Option<&str>) -> Value {
    let Context { endpoint, token, ca } = context;
    json!({
        "name": name,
        "current": current == Some(name),
        "endpoint": endpoint.as_str(),
        "token_id": token.as_ref().and_then(|token| token.id()),
        "ca": ca,
    })
}

fn show(reach: &Reach, output: Output, path: &Path) -> Result<(), Error> {
    let contexts = Contexts::load(path)?;
    warning(&contexts);
    let target = reach.target()?;
    let known = contexts.iter().find(|(_name, context)| context.endpoint == target.endpoint);
    let document = json!({
        "name": known.map(|(name, _context)| name),
        "endpoint": target.endpoint.as_str(),
        "authenticates_as": target.credentials.as_ref().map(ToString::to_string),
        "ca": target.ca,
        "file": path,
    });
    output.value(&document, |document, paint| {
        Details::default()
            .line("name", Some(document.cell("/name")))
            .line("endpoint", Some(document.cell("/endpoint")))
            .line("authenticates as", Some(document.cell("/authenticates_as")))
            .line("ca", document.text("/ca"))
            .line("file", document.text("/file"))
            .render(paint)
    })
}

fn add(reach: &Reach, output: Output, path: &Path, name: Option<&str>) -> Result<(), Error> {
    let Some(endpoint) = reach.named_endpoint()? else {
        return Err(Error::Usage("name the daemon with `--endpoint URL`"));
    };
    let name = name.unwrap_or(endpoint.authority()).to_owned();
    // A relative path would mean another file tomorrow.
    let ca = reach.named_ca().map(|ca| std::path::absolute(&ca).unwrap_or(ca));
    let context = Context { endpoint, token: reach.named_token()?, ca };
    change(path, |contexts| {
        contexts.put(&name, context);
        Ok(())
    })?;
    output.note(&format!("{name} is known, and meant from now on"));
    Ok(())
}

fn warning(contexts: &Contexts) {
    if let Some(warning) = contexts.warning() {
        warn(&warning);
    }
}

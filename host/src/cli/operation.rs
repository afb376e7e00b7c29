//! `metapaas operation …`: what takes time, what it does, and its end.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::{Call, Error};
use super::exit::Exit;
use super::output::{Details, Paint, Table, View};
use super::progress;
use super::session::Session;

mod logs;

/// What to do with operations.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List operations, newest first.
    List(List),
    /// Show an operation and its steps.
    Get {
        /// Its id.
        id: String,
    },
    /// Show what an operation said.
    Logs(logs::Logs),
    /// Wait until an operation is over. Exit code 1: it did not succeed.
    Wait {
        /// Its id.
        id: String,
        /// The longest wait, in seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
    },
    /// Ask an operation to end where it can.
    Cancel {
        /// Its id.
        id: String,
    },
}

/// The flags of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of one target, such as `element/s3aas`.
    #[arg(long, value_name = "KIND/NAME")]
    target: Option<String>,
    /// Only those in this state, such as `RUNNING`.
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// At most so many.
    #[arg(long, value_name = "N")]
    page_size: Option<u32>,
    /// Where the list goes on, as the page before says.
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

/// Does what was asked.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, Error> {
    let client = &session.client;
    match command {
        Command::List(List { target, state, page }) => {
            let state = state.map(|state| state.to_ascii_uppercase());
            let call = client.get(["v1", "operations"]);
            let call = call.query("target", target.as_deref()).query("state", state.as_deref());
            print_list(session, page.of(call)).await?;
        }
        Command::Get { id } => {
            let operation = client.get(["v1", "operations", &id]).send().await?;
            session.output.answer(&operation, details)?;
        }
        Command::Logs(logs) => logs::print(session, &logs).await?,
        Command::Wait { id, timeout } => {
            let operation = progress::wait(session, &id, Duration::from_secs(timeout)).await?;
            session.output.answer(&operation, outcome)?;
        }
        Command::Cancel { id } => {
            let call = client.post(["v1", "operations", &id, "actions", "cancel"], json!({}));
            session.output.answer(&call.send().await?, outcome)?;
        }
    }
    Ok(Exit::Ok)
}

impl Page {
    /// The call for this part.
    pub(super) fn of<'c>(&self, call: Call<'c>) -> Call<'c> {
        let Self { page_size, page_token } = self;
        let size = page_size.map(|size| size.to_string());
        call.query("page_size", size.as_deref()).query("page_token", page_token.as_deref())
    }
}

/// Asks for a list of operations and prints it.
pub(super) async fn print_list(session: &Session, call: Call<'_>) -> Result<(), Error> {
    let operations = call.send().await?;
    let mut more = None;
    session.output.answer(&operations, |document, paint| {
        more = document.text("/next_page_token");
        list(document, paint)
    })?;
    if let Some(token) = more {
        session.output.note(&format!("there are more: --page-token {token}"));
    }
    Ok(())
}

fn list(document: View<'_>, paint: Paint) -> String {
    let mut table = Table::new(["ID", "KIND", "TARGET", "STATE", "CREATED", "DESCRIPTION"]);
    for operation in document.items("/items") {
        table.row([
            operation.cell("/id"),
            operation.cell("/kind"),
            operation.cell("/target/name"),
            operation.standing("/state"),
            operation.cell("/created_at"),
            operation.cell("/description"),
        ]);
    }
    table.render(paint, "there are no operations")
}

/// All about one operation.
fn details(operation: View<'_>, paint: Paint) -> String {
    let lines = Details::default()
        .line("id", Some(operation.cell("/id")))
        .line("kind", operation.text("/kind"))
        .line("target", operation.text("/target/name"))
        .line("state", Some(operation.standing("/state")))
        .line("percent", operation.text("/percent"))
        .line("description", operation.text("/description"))
        .line("requested by", operation.text("/requested_by"))
        .line("request", operation.text("/request_id"))
        .line("created", operation.text("/created_at"))
        .line("finished", operation.text("/finished_at"))
        .line("error", operation.text("/error/detail"))
        .line("hint", operation.text("/error/hint"));
    let mut steps = Table::new(["STEP", "STATE", "STARTED", "FINISHED", "MESSAGE"]);
    for step in operation.items("/steps") {
        steps.row([
            step.cell("/name"),
            step.standing("/state"),
            step.cell("/started_at"),
            step.cell("/finished_at"),
            step.cell("/message"),
        ]);
    }
    format!("{}\n{}", lines.render(paint), steps.render(paint, "it has no steps"))
}

/// How it stands, in a line.
fn outcome(operation: View<'_>, _paint: Paint) -> String {
    let text = |path| operation.text(path).unwrap_or_default();
    let (id, kind, name) = (text("/id"), text("/kind"), text("/target/name"));
    format!("operation {id}: {kind} {name} {}\n", text("/state"))
}

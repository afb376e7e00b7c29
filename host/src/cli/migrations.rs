//! `metapaas migrations …`: how the code of an element changes the schema.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Error;
use super::element::{Depth, Plan, run_plan};
use super::exit::Exit;
use super::output::{Paint, Table, View};
use super::session::Session;

/// What to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the statements that an upgrade would run. Exit code 0: nothing to do, 2: something, 1: it cannot be.
    Plan(Plan),
    /// Show which migrations are applied, of one element or of all.
    Status {
        /// The element.
        name: Option<String>,
    },
}

/// Does what was asked.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Plan(plan) => return Ok(run_plan(session, &plan, Depth::Statements).await),
        Command::Status { name: Some(name) } => {
            let status = session.client.get(["v1", "elements", &name, "migrations"]).send().await?;
            session
                .output
                .answer(&status, |document, paint| table([document].into_iter(), paint))?;
        }
        Command::Status { name: None } => all(session).await?,
    }
    Ok(Exit::Ok)
}

/// Of every element that is installed. The API has no such list, so this document is the client's own.
async fn all(session: &Session) -> Result<(), Error> {
    let elements: Value = session.client.get(["v1", "elements"]).send().await?.document()?;
    let mut items = Vec::new();
    for element in View::of(&elements).items("/items") {
        let name = element.text("/name").unwrap_or_default();
        let status = session.client.get(["v1", "elements", &name, "migrations"]).send().await?;
        items.push(status.document::<Value>()?);
    }
    let document = json!({ "items": items });
    session.output.value(&document, |document, paint| table(document.items("/items"), paint))
}

fn table<'d>(elements: impl Iterator<Item = View<'d>>, paint: Paint) -> String {
    let head = ["ELEMENT", "MIGRATION", "PHASE", "STATE", "VERSION", "APPLIED", "BACKFILL"];
    let mut table = Table::new(head);
    for element in elements {
        for migration in element.items("/migrations") {
            table.row([
                element.cell("/element"),
                migration.cell("/name"),
                migration.cell("/phase"),
                migration.standing("/state"),
                migration.cell("/version"),
                migration.cell("/applied_at"),
                migration.cell("/backfill"),
            ]);
        }
    }
    table.render(paint, "there are no migrations")
}

//! `metapaas element plan` and `migrations plan`: what an upgrade would do, told by the daemon, which does not do it.

use std::fmt::Write;

use clap::Args;
use serde_json::Value;

use super::reference::Pinned;
use crate::cli::client::Error;
use crate::cli::exit::Exit;
use crate::cli::output::{Details, Paint, Table, View, clean};
use crate::cli::session::Session;

/// The lists of steps in a plan, in the order in which they are run, and when that is.
const PARTS: [(&str, &str); 4] = [
    ("undo", "first, undone"),
    ("contract_first", "before the switch"),
    ("expand", "before the switch"),
    ("pending_contract", "by finalize"),
];

/// The flags of `plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The element and the version: `s3aas@0.2.0`.
    #[arg(value_name = "NAME@VERSION")]
    element: Pinned,
}

/// How much of a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Depth {
    /// Which steps.
    Steps,
    /// Their statements too.
    Statements,
}

/// Asks for a plan and prints it; the exit code tells whether there is something to do.
pub(in crate::cli) async fn run(
    session: &Session,
    plan: &Plan,
    depth: Depth,
) -> Result<Exit, Error> {
    let Pinned { name, version } = &plan.element;
    let call = session.client.get(["v1", "elements", name, "plan"]);
    let answer = call.query("version", Some(version)).send().await?;
    session.output.answer(&answer, |document, paint| render(document, paint, depth))?;
    let document: Value = answer.document()?;
    Ok(if is_empty(View::of(&document)) { Exit::Ok } else { Exit::Refused })
}

/// Whether a rollout would change nothing.
fn is_empty(plan: View<'_>) -> bool {
    let (from, to) = (plan.text("/from"), plan.text("/to"));
    let mut steps = ["/undo", "/contract_first", "/expand"].into_iter();
    from == to && !steps.any(|part| plan.items(part).next().is_some())
}

fn render(plan: View<'_>, paint: Paint, depth: Depth) -> String {
    let from = plan.text("/from").unwrap_or_else(|| "nothing".to_owned());
    let head = Details::default()
        .line("element", plan.text("/element"))
        .line("serving", Some(from))
        .line("wanted", plan.text("/to"))
        .line("way back", Some(way_back(plan)));
    let mut steps = Table::new(["MIGRATION", "PHASE", "VERSION", "RUN"]);
    for (part, when) in PARTS {
        for step in plan.items(&format!("/{part}")) {
            steps.row([
                step.cell("/name"),
                step.cell("/phase"),
                step.cell("/version"),
                when.into(),
            ]);
        }
    }
    let steps = steps.render(paint, "the schema stays as it is");
    match depth {
        Depth::Steps => format!("{}\n{steps}", head.render(paint)),
        Depth::Statements => format!("{}\n{steps}{}", head.render(paint), statements(plan)),
    }
}

fn way_back(plan: View<'_>) -> String {
    if plan.is_true("/rollback_available") {
        return "stays open".to_owned();
    }
    plan.text("/rollback_reason").map_or_else(|| "none".to_owned(), |why| format!("none: {why}"))
}

/// The statements of each step, as they would be run.
fn statements(plan: View<'_>) -> String {
    let mut text = String::new();
    for (part, when) in PARTS {
        for step in plan.items(&format!("/{part}")) {
            let name = step.text("/name").unwrap_or_default();
            let written = writeln!(text, "\n-- {} ({when})", clean(&name));
            written.expect("a string takes everything");
            for statement in step.items("/sql") {
                let statement = statement.text("").unwrap_or_default();
                let lines = statement.lines().map(clean).collect::<Vec<_>>().join("\n");
                let written = writeln!(text, "{};", lines.trim_end_matches([';', ' ', '\n']));
                written.expect("a string takes everything");
            }
        }
    }
    text
}

//! The commands that show elements, and how an element looks to people.

use clap::Args;

use crate::cli::client::Error;
use crate::cli::operation;
use crate::cli::output::{Details, Paint, Table, View, clean};
use crate::cli::session::Session;

/// The flags of `history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// The element.
    name: String,
    #[command(flatten)]
    page: operation::Page,
}

/// `GET /v1/elements`.
pub(super) async fn list(session: &Session) -> Result<(), Error> {
    let elements = session.client.get(["v1", "elements"]).send().await?;
    session.output.answer(&elements, |document, paint| {
        let mut table = Table::new(["NAME", "STATUS", "VERSION", "SERVING", "UPGRADE", "MESSAGE"]);
        for element in document.items("/items") {
            table.row([
                element.cell("/name"),
                element.standing("/status"),
                element.cell("/version"),
                element.cell("/serving_version"),
                element.cell("/upgrade_available"),
                message(element).unwrap_or_default().into(),
            ]);
        }
        table.render(paint, "nothing is installed: `metapaas element install NAME --version V`")
    })
}

/// `GET /v1/elements/{name}`.
pub(super) async fn get(session: &Session, name: &str) -> Result<(), Error> {
    let element = session.client.get(["v1", "elements", name]).send().await?;
    session.output.answer(&element, details)
}

/// `GET /v1/elements/{name}/history`.
pub(super) async fn history(session: &Session, flags: &History) -> Result<(), Error> {
    let History { name, page } = flags;
    let call = session.client.get(["v1", "elements", name, "history"]);
    operation::print_list(session, page.of(call)).await
}

/// `GET /v1/elements/{name}/routes`.
pub(super) async fn routes(session: &Session, name: &str) -> Result<(), Error> {
    let routes = session.client.get(["v1", "elements", name, "routes"]).send().await?;
    session.output.answer(&routes, |document, paint| {
        let mut table = Table::new(["METHOD", "PATH", "GENERATION", "VERSION"]);
        for route in document.items("/items") {
            table.row([
                route.cell("/method"),
                route.cell("/path"),
                route.cell("/generation"),
                route.cell("/version"),
            ]);
        }
        table.render(paint, "it serves no routes")
    })
}

/// The settings of an element, a line each.
pub(super) fn settings(settings: View<'_>, paint: Paint) -> String {
    let mut table = Table::new(["SETTING", "VALUE"]);
    for (name, value) in settings.members("") {
        table.row([name.into(), value.cell("")]);
    }
    table.render(paint, "every setting has its default")
}

/// What came of a change, in a line.
pub(super) fn outcome(element: View<'_>, _paint: Paint) -> String {
    let text = |path| element.text(path).unwrap_or_default();
    let generation = element.text("/generation").map(|number| format!(" (generation {number})"));
    let (name, status, message) = (text("/name"), text("/status"), text("/status_message"));
    format!("element {name} is {status}: {}{}\n", clean(&message), generation.unwrap_or_default())
}

/// All about one element.
fn details(element: View<'_>, paint: Paint) -> String {
    let upgrade = element.text("/upgrade_available").filter(|word| word != "no");
    let lines = Details::default()
        .line("name", Some(element.cell("/name")))
        .line("status", Some(element.standing("/status")))
        .line("message", message(element))
        .line("version", element.text("/version"))
        .line("serving", serving(element))
        .line("available", element.text("/available_versions"))
        .line("upgrade", upgrade)
        .line("rollback", rollback(element))
        .line("isolation", element.text("/isolation"))
        .line("managed by", element.text("/managed_by"))
        .line("mounts", element.text("/mounts"))
        .line("listeners", element.text("/listeners"))
        .line("settings", element.text("/settings"))
        .line("restarts", element.text("/restarts").filter(|n| n != "0"))
        .line("operation", last_operation(element))
        .line("updated", element.text("/updated_at"));
    format!("{}{}{}", lines.render(paint), conditions(element, paint), retained(element, paint))
}

/// Why it stands as it does.
fn message(element: View<'_>) -> Option<String> {
    element.text("/error/message").or_else(|| element.text("/status_message"))
}

fn serving(element: View<'_>) -> Option<String> {
    let version = element.text("/serving_version")?;
    let generation = element.text("/generation").unwrap_or_default();
    let phase = element.text("/phase").unwrap_or_default();
    Some(format!("{version}, generation {generation}, {phase}"))
}

fn rollback(element: View<'_>) -> Option<String> {
    let version = element.text("/rollback_version");
    if element.is_true("/rollback_available") {
        return Some(format!("to {}", version?));
    }
    let why = element.text("/rollback_reason")?;
    Some(format!("not available: {why}"))
}

fn last_operation(element: View<'_>) -> Option<String> {
    let last = element.at("/last_operation");
    let (id, kind, state) = (last.text("/id")?, last.text("/kind")?, last.text("/state")?);
    Some(format!("{kind} {state} ({id})"))
}

fn conditions(element: View<'_>, paint: Paint) -> String {
    let mut table = Table::new(["CONDITION", "STATUS", "REASON", "MESSAGE"]);
    for condition in element.items("/conditions") {
        table.row([
            condition.cell("/type"),
            condition.standing("/status"),
            condition.cell("/reason"),
            condition.cell("/message"),
        ]);
    }
    if table.is_empty() { String::new() } else { format!("\n{}", table.render(paint, "")) }
}

fn retained(element: View<'_>, paint: Paint) -> String {
    let mut table = Table::new(["RETAINED GENERATION", "VERSION", "BYTES", "REASON"]);
    for generation in element.items("/retained") {
        table.row([
            generation.cell("/generation"),
            generation.cell("/version"),
            generation.cell("/bytes"),
            generation.cell("/reason"),
        ]);
    }
    if table.is_empty() { String::new() } else { format!("\n{}", table.render(paint, "")) }
}

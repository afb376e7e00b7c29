//! `metapaas element …`, also `ee`: what is installed, and every way to change it.
//!
//! A change is one call of the API and, unless `--no-wait` is given, the wait for the operation that does it. What
//! is printed in the end is the element as it stands then; of an element that is gone, the operation.

use clap::Subcommand;

use super::client::Error;
use super::exit::Exit;
use super::session::Session;

mod change;
mod plan;
mod reference;
mod settings;
mod show;

pub(super) use plan::{Depth, Plan, run as run_plan};

/// What to do with elements.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what is installed.
    List,
    /// Show how an element stands.
    Get {
        /// The element.
        name: String,
    },
    /// Install an element, or make one what these flags say; what they leave out stays as it is.
    Install(change::Install),
    /// Upgrade an element to a version, or to the newest.
    Upgrade(change::Upgrade),
    /// Go back to the version that served before. No acknowledged write is lost.
    Rollback(change::Simple),
    /// Give up the way back: run the schema changes that the version before could not stand.
    Finalize(change::Risky),
    /// Show the settings of an element, or change them.
    Settings(change::Settings),
    /// Uninstall an element. Its data is kept, unless `--purge` is given.
    Uninstall(change::Uninstall),
    /// List what was done to an element.
    History(show::History),
    /// List the routes of an element, with the generation behind each.
    Routes {
        /// The element.
        name: String,
    },
    /// Show what an upgrade would change, and change nothing. Exit code 0: nothing, 2: something, 1: it cannot be.
    Plan(Plan),
}

/// Does what was asked.
pub(crate) async fn run(session: &Session, command: Command) -> Result<Exit, Error> {
    match command {
        Command::List => show::list(session).await?,
        Command::Get { name } => show::get(session, &name).await?,
        Command::Install(install) => change::install(session, &install).await?,
        Command::Upgrade(upgrade) => change::upgrade(session, &upgrade).await?,
        Command::Rollback(simple) => change::rollback(session, &simple).await?,
        Command::Finalize(risky) => change::finalize(session, &risky).await?,
        Command::Settings(settings) => change::settings(session, &settings).await?,
        Command::Uninstall(uninstall) => change::uninstall(session, &uninstall).await?,
        Command::History(history) => show::history(session, &history).await?,
        Command::Routes { name } => show::routes(session, &name).await?,
        Command::Plan(plan) => return Ok(run_plan(session, &plan, Depth::Steps).await),
    }
    Ok(Exit::Ok)
}

//! The commands that change an element: what is sent, and what is waited for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::reference::Reference;
use super::settings::{self, Assignment, Key};
use super::show;
use crate::cli::client::{Answer, Call, Error};
use crate::cli::output::Format;
use crate::cli::progress;
use crate::cli::session::{Consent, Session};

/// Whether the end of a change is waited for.
#[derive(Debug, Args)]
#[command(next_help_heading = "The wait for the end")]
pub(crate) struct Waiting {
    /// Wait until it is over; this is the default.
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Print the id of the operation and do not wait for it.
    #[arg(long)]
    no_wait: bool,
    /// The longest wait, in seconds; what was begun goes on after it.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// Where elements come from.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The repository to take it from; not there yet.
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
}

/// The flags of `install`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The element.
    name: String,
    /// The version that is wanted.
    #[arg(long)]
    version: Option<String>,
    /// Whether it runs in the daemon or in a process of its own.
    #[arg(long)]
    isolation: Option<Isolation>,
    /// A setting; what reads as JSON is that, anything else is a text. Can be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Assignment>,
    /// All settings, in a file of JSON or YAML; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A root prefix to grant, such as `/api/releases`. Can be given again.
    #[arg(long, value_name = "PREFIX")]
    mount: Vec<String>,
    /// A listener to grant, such as `ssh=127.0.0.1:2222`. Can be given again.
    #[arg(long, value_name = "NAME=ADDR", value_parser = parse_listener)]
    listener: Vec<(String, SocketAddr)>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    waiting: Waiting,
}

/// Where an element runs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Isolation {
    /// In the daemon.
    None,
    /// In a process of its own.
    Process,
}

/// The flags of `upgrade`.
#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    /// The element, and the version if not the newest: `s3aas@0.2.0`.
    #[arg(value_name = "NAME[@VERSION]")]
    element: Reference,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    waiting: Waiting,
}

/// The flags of a change that needs no more than a name.
#[derive(Debug, Args)]
pub(crate) struct Simple {
    /// The element.
    name: String,
    #[command(flatten)]
    waiting: Waiting,
}

/// The flags of a change that cannot be taken back.
#[derive(Debug, Args)]
pub(crate) struct Risky {
    /// The element.
    name: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    waiting: Waiting,
}

/// The flags of `settings`.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The element.
    name: String,
    /// A setting to change; what reads as JSON is that, anything else is a text. Can be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Assignment>,
    /// A setting to leave to its default. Can be given again.
    #[arg(long, value_name = "KEY")]
    unset: Vec<Key>,
    #[command(flatten)]
    waiting: Waiting,
}

/// The flags of `uninstall`.
#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    /// The element.
    name: String,
    /// Also if it has instances.
    #[arg(long)]
    cascade: bool,
    /// Delete its data too.
    #[arg(long)]
    purge: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    waiting: Waiting,
}

/// `PUT` of what is wanted.
pub(super) async fn install(session: &Session, flags: &Install) -> Result<(), Error> {
    let Install { name, version, isolation, set, settings, mount, listener, source, waiting } =
        flags;
    source.check()?;
    let mut wanted = Map::new();
    let mut want = |member: &str, value: Option<Value>| {
        wanted.extend(value.map(|value| (member.to_owned(), value)));
    };
    want("version", version.as_deref().map(Value::from));
    want("isolation", isolation.map(|isolation| isolation.word().into()));
    want("settings", wanted_settings(session, name, settings.as_ref(), set).await?);
    want("mounts", (!mount.is_empty()).then(|| json!(mount)));
    let listeners: Map<_, _> =
        listener.iter().map(|(name, address)| (name.clone(), json!(address))).collect();
    want("listeners", (!listeners.is_empty()).then_some(Value::Object(listeners)));
    let call = session.client.put(["v1", "elements", name], Value::Object(wanted));
    change(session, call, name, waiting).await
}

/// All settings, if some are to change: those of the file, else those that the element has, with these set.
async fn wanted_settings(
    session: &Session,
    name: &str,
    file: Option<&PathBuf>,
    set: &[Assignment],
) -> Result<Option<Value>, Error> {
    let base = match (file, set) {
        (Some(file), _) => settings::read(file)?,
        (None, []) => return Ok(None),
        (None, _) => match session.client.get(["v1", "elements", name]).send().await {
            Ok(element) => settings_of(&element)?,
            Err(Error::Problem(problem)) if problem.status() == 404 => json!({}),
            Err(other) => return Err(other),
        },
    };
    Ok(Some(settings::changed(base, set, &[])))
}

fn settings_of(element: &Answer) -> Result<Value, Error> {
    let mut document: Value = element.document()?;
    let settings = document["settings"].take();
    Ok(if settings.is_null() { json!({}) } else { settings })
}

/// `POST …/actions/upgrade`.
pub(super) async fn upgrade(session: &Session, flags: &Upgrade) -> Result<(), Error> {
    let Upgrade { element: Reference { name, version }, source, waiting } = flags;
    source.check()?;
    let body = version.as_ref().map_or_else(|| json!({}), |version| json!({ "version": version }));
    act(session, name, "upgrade", body, waiting).await
}

/// `POST …/actions/rollback`.
pub(super) async fn rollback(session: &Session, flags: &Simple) -> Result<(), Error> {
    let Simple { name, waiting } = flags;
    act(session, name, "rollback", json!({}), waiting).await
}

/// `POST …/actions/finalize`.
pub(super) async fn finalize(session: &Session, flags: &Risky) -> Result<(), Error> {
    let Risky { name, yes, waiting } = flags;
    Consent::given_by(*yes)
        .to(&format!("Give up the way back from the serving version of element `{name}`?"))?;
    act(session, name, "finalize", json!({}), waiting).await
}

async fn act(
    session: &Session,
    name: &str,
    verb: &str,
    body: Value,
    waiting: &Waiting,
) -> Result<(), Error> {
    let call = session.client.post(["v1", "elements", name, "actions", verb], body);
    change(session, call, name, waiting).await
}

/// The settings, or a change of them.
pub(super) async fn settings(session: &Session, flags: &Settings) -> Result<(), Error> {
    let Settings { name, set, unset, waiting } = flags;
    let element = session.client.get(["v1", "elements", name]).send().await?;
    let current = settings_of(&element)?;
    if set.is_empty() && unset.is_empty() {
        return session.output.value(&current, show::settings);
    }
    let wanted = json!({ "settings": settings::changed(current, set, unset) });
    change(session, session.client.put(["v1", "elements", name], wanted), name, waiting).await
}

/// `DELETE`.
pub(super) async fn uninstall(session: &Session, flags: &Uninstall) -> Result<(), Error> {
    let Uninstall { name, cascade, purge, yes, waiting } = flags;
    let fate = if *purge { "Delete its data too, for ever?" } else { "Its data is kept." };
    Consent::given_by(*yes).to(&format!("Uninstall element `{name}`? {fate}"))?;
    let flag = |given: bool| given.then_some("true");
    let call = session.client.delete(["v1", "elements", name]);
    let call = call.query("cascade", flag(*cascade)).query("purge", flag(*purge));
    let accepted = call.send().await?;
    match (&accepted.operation, waiting.no_wait) {
        (None, _) => session.output.note(&format!("element {name} is uninstalled")),
        (Some(id), true) => return print_id(session, id).await,
        (Some(id), false) => {
            let operation = progress::wait(session, id, waiting.limit()).await?;
            let gone = format!("element {name} is uninstalled\n");
            session.output.answer(&operation, |_operation, _paint| gone)?;
        }
    }
    Ok(())
}

/// Asks for a change, waits for its end, and prints how the element stands then.
async fn change(
    session: &Session,
    call: Call<'_>,
    name: &str,
    waiting: &Waiting,
) -> Result<(), Error> {
    let accepted = call.send().await?;
    match (&accepted.operation, waiting.no_wait) {
        // There was nothing to do.
        (None, _) => {}
        (Some(id), true) => return print_id(session, id).await,
        (Some(id), false) => {
            let _succeeded = progress::wait(session, id, waiting.limit()).await?;
        }
    }
    let element = session.client.get(["v1", "elements", name]).send().await?;
    session.output.answer(&element, show::outcome)
}

/// The id of an operation, for people and scripts; in the other formats its document.
async fn print_id(session: &Session, id: &str) -> Result<(), Error> {
    if session.output.format == Format::Table {
        return session.output.text(id);
    }
    let operation = session.client.get(["v1", "operations", id]).send().await?;
    session.output.answer(&operation, |_operation, _paint| String::new())
}

fn parse_listener(text: &str) -> Result<(String, SocketAddr), String> {
    let parsed = text.split_once('=').and_then(|(name, address)| {
        Some((name.to_owned(), address.parse().ok()?)).filter(|_| !name.is_empty())
    });
    parsed.ok_or_else(|| "write it as `name=127.0.0.1:2222`".to_owned())
}

impl Waiting {
    fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

impl Source {
    /// Refuses what is not there yet.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self.repository {
            None => Ok(()),
            Some(_) => Err(Error::Usage(
                "`--repository` is not there yet: put the bundle into the daemon's directory of bundles (`--bundles`) and leave the flag out",
            )),
        }
    }
}

impl Isolation {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Process => "process",
        }
    }
}

//! `/v1/elements`: what is installed, and the way to change it.
//!
//! Reading needs `core.element.read`, the list `core.element.list`, a change the permission of its name; an element
//! that the caller may not read is told like one that is not there. [`document`] is how an element looks, [`change`] how it is changed; here are
//! the paths and what is only read.

use std::net::IpAddr;

use ::http::{Method, Request, Response};
use hyper::body::Incoming;
use packer::bundle::ElementName;
use schemars::JsonSchema;
use semver::Version;
use serde::Serialize;

use super::problem::{Code, Problem};
use super::query::Query;
use super::request_id::RequestId;
use super::{Body, State, operations, respond, trace};
use crate::identity::Caller;
use crate::operation::Target;
use crate::rollout::Report;

mod change;
mod document;

pub(crate) use document::{Document, LastOperation};

const READ: &str = "core.element.read";

/// What of `/v1/elements` a path names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'p> {
    /// All of them.
    All,
    /// One.
    One(&'p str),
    /// A page about one.
    Page(&'p str, Page),
    /// An action on one.
    Action(&'p str, &'p str),
}

/// What there is to read about an element.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Page {
    /// Its routes, as they are served now.
    Routes,
    /// Its operations.
    History,
    /// Its migrations, applied and not.
    Migrations,
    /// What a rollout to a version would do.
    Plan,
}

/// Who asks, and by which request.
#[derive(Debug, Clone, Copy)]
struct Asking<'a> {
    caller: &'a Caller,
    request_id: &'a RequestId,
    traceparent: Option<&'a str>,
}

impl<'p> Place<'p> {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/elements")?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let mut segments = rest.strip_prefix('/')?.split('/');
        let name = segments.next()?;
        let place = match (segments.next(), segments.next()) {
            (None, _) => Self::One(name),
            (Some("routes"), None) => Self::Page(name, Page::Routes),
            (Some("history"), None) => Self::Page(name, Page::History),
            (Some("migrations"), None) => Self::Page(name, Page::Migrations),
            (Some("plan"), None) => Self::Page(name, Page::Plan),
            (Some("actions"), Some(verb)) => Self::Action(name, verb),
            (Some(_), _) => return None,
        };
        segments.next().is_none().then_some(place)
    }
}

/// Answers a request for one of these places.
///
/// # Errors
/// Whatever keeps it from being done.
///
/// # Cancellation
/// A change that was accepted goes on.
pub(crate) async fn answer(
    state: &State,
    place: Place<'_>,
    request: Request<Incoming>,
    request_id: &RequestId,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    let caller = &state.identity.authenticate(request.headers(), peer)?;
    // The request moves on while somebody still asks what it is a part of.
    let traceparent = trace::parent(request.headers()).map(ToOwned::to_owned);
    let asking = Asking { caller, request_id, traceparent: traceparent.as_deref() };
    let method = request.method().clone();
    authorize(caller, place, &method)?;
    if !method.is_safe() {
        let path = request.uri().path();
        tracing::info!(principal = caller.name(), %method, path, %request_id, "change of an element");
    }
    let is_read = method == Method::GET || method == Method::HEAD;
    match (place, &method) {
        (Place::All, _) if is_read => list(state).await,
        (Place::One(name), _) if is_read => {
            let report = find(state, &parse_name(name)?)?;
            Ok(respond::json(&Document::of(state, &report).await?))
        }
        (Place::Page(name, page), _) if is_read => {
            read(state, &parse_name(name)?, page, &request, caller).await
        }
        (Place::One(name), &Method::PUT) => {
            change::put(state, &parse_name(name)?, request, asking).await
        }
        (Place::One(name), &Method::DELETE) => {
            change::delete(state, &parse_name(name)?, &request, asking).await
        }
        (Place::Action(name, verb), &Method::POST) => {
            change::act(state, &parse_name(name)?, verb, request, asking).await
        }
        (Place::One(_), _) => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PUT")),
        (Place::Action(..), _) => Err(Problem::method_not_allowed("POST")),
        (Place::All | Place::Page(..), _) => Err(Problem::method_not_allowed("GET, HEAD")),
    }
}

/// Refuses what the caller may not do; what it may not even see is not there.
fn authorize(caller: &Caller, place: Place<'_>, method: &Method) -> Result<(), Problem> {
    let is_read = method == Method::GET || method == Method::HEAD;
    let permission = match (place, method) {
        (Place::All, _) if is_read => "core.element.list",
        (Place::One(_) | Place::Page(..), _) if is_read => READ,
        (Place::One(_), &Method::PUT) => "core.element.update",
        (Place::One(_), &Method::DELETE) => "core.element.delete",
        (Place::Action(_, verb), &Method::POST) => match change::permission(verb) {
            Some(permission) => permission,
            // That there is no such action is said to everybody.
            None => return Ok(()),
        },
        // So is that there is no such method.
        (Place::All | Place::One(_) | Place::Page(..) | Place::Action(..), _) => return Ok(()),
    };
    let Err(forbidden) = caller.demand_on_platform(permission) else { return Ok(()) };
    match place {
        Place::One(name) | Place::Page(name, _) | Place::Action(name, _)
            if !caller.allows_on_platform(READ) =>
        {
            Err(not_found(&parse_name(name)?))
        }
        Place::All | Place::One(_) | Place::Page(..) | Place::Action(..) => Err(forbidden.into()),
    }
}

fn parse_name(name: &str) -> Result<ElementName, Problem> {
    let parsed = name.parse::<ElementName>();
    parsed.map_err(|error| Problem::new(Code::BadRequest, format!("{error}.")).with("name", name))
}

fn find(state: &State, name: &ElementName) -> Result<Report, Problem> {
    state.elements.report(name).ok_or_else(|| not_found(name))
}

fn not_found(name: &ElementName) -> Problem {
    let detail = format!("Element {name} is not installed.");
    Problem::new(Code::ElementNotFound, detail).with("element", name.as_str())
}

async fn list(state: &State) -> Result<Response<Body>, Problem> {
    #[derive(Serialize)]
    struct List {
        items: Vec<Document>,
        next_page_token: &'static str,
        total_size: usize,
    }
    let mut items = Vec::new();
    let available = state.elements.available().await;
    for report in state.elements.reports() {
        items.push(Document::among(state, &report, &available).await?);
    }
    Ok(respond::json(&List { next_page_token: "", total_size: items.len(), items }))
}

async fn read(
    state: &State,
    name: &ElementName,
    page: Page,
    request: &Request<Incoming>,
    caller: &Caller,
) -> Result<Response<Body>, Problem> {
    match page {
        Page::Routes => routes(state, name),
        // What was done to an element outlives it.
        Page::History => operations::history(state, &Target::element(name), request, caller).await,
        Page::Migrations => {
            let status = state.elements.migrations(name).await;
            Ok(respond::json(&status.map_err(|error| respond::change(&error))?))
        }
        Page::Plan => {
            let version = version_of(request)?;
            let plan = state.elements.plan(name, version).await;
            Ok(respond::json(&plan.map_err(|error| respond::change(&error))?))
        }
    }
}

/// `?version=0.2.0`, or the newest there is.
fn version_of(request: &Request<Incoming>) -> Result<Option<Version>, Problem> {
    let query = Query::of(request.uri());
    query.only(&["version"])?;
    let Some(text) = query.get("version") else { return Ok(None) };
    let version = text.parse();
    let version =
        version.map_err(|_unreadable| Query::refused("version", text, "a version, as 0.1.0"));
    version.map(Some)
}

/// A route of an element, as it is served now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ElementRoute")]
pub(crate) struct Route {
    method: String,
    path: String,
    generation: u64,
    version: String,
}

/// The live table of one element.
fn routes(state: &State, name: &ElementName) -> Result<Response<Body>, Problem> {
    #[derive(Serialize)]
    struct List {
        items: Vec<Route>,
    }
    find(state, name)?;
    let table = state.plugins.tables.load();
    let items = table.of_element(name).map_or_else(Vec::new, |published| {
        let identity = &published.generation.identity;
        let served = table.served(published);
        let routes = served.map(|(method, path)| Route {
            method: method.unwrap_or("ANY").to_owned(),
            path,
            generation: identity.id.number(),
            version: identity.version.to_string(),
        });
        routes.collect()
    });
    Ok(respond::json(&List { items }))
}

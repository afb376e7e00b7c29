//! `/v1/elements`: what is installed, and the way to change it.
//!
//! Every call needs the admin token. A change answers 202 at once, or, with `Prefer: wait=30`, when it has
//! come to its end: with the element, or with the problem that kept it from serving.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use packer::bundle::ElementName;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use super::body::RequestBody;
use super::problem::{Code, FieldError, Problem};
use super::{Body, State, respond, wait};
use crate::nearest::nearest;
use crate::plugin::identity::GenerationId;
use crate::plugin::lane::Isolation;
use crate::rollout::report::{Serving, StageTime, Status};
use crate::rollout::{Accepted, Failure, Report, Wanted};

/// The largest document that is taken.
const DOCUMENT_BYTES_MAX: u64 = 256 * 1024;

/// How long such a document may take to arrive.
const DOCUMENT_LIMIT: Duration = Duration::from_secs(10);

/// What of `/v1/elements` a path names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'p> {
    /// All of them.
    All,
    /// One.
    One(&'p str),
    /// The routes of one, as they are served now.
    Routes(&'p str),
}

impl<'p> Place<'p> {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/elements")?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let rest = rest.strip_prefix('/')?;
        match rest.split_once('/') {
            None => Some(Self::One(rest)),
            Some((name, "routes")) => Some(Self::Routes(name)),
            Some(_deeper) => None,
        }
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
) -> Result<Response<Body>, Problem> {
    let principal = state.identity.authenticate(request.headers())?;
    let method = request.method().clone();
    if !method.is_safe() {
        let path = request.uri().path();
        tracing::info!(principal = principal.name(), %method, path, "change of an element");
    }
    match (place, &method) {
        (Place::All, &Method::GET | &Method::HEAD) => Ok(list(state)),
        (Place::One(name), &Method::GET | &Method::HEAD) => {
            let report = find(state, &parse_name(name)?)?;
            Ok(respond::json(&document(state, &report)))
        }
        (Place::Routes(name), &Method::GET | &Method::HEAD) => routes(state, &parse_name(name)?),
        (Place::One(name), &Method::PUT) => put(state, &parse_name(name)?, request).await,
        (Place::One(name), &Method::DELETE) => delete(state, &parse_name(name)?, &request).await,
        (Place::One(_), _other) => Err(Problem::method_not_allowed("DELETE, GET, HEAD, PUT")),
        (Place::All | Place::Routes(_), _other) => Err(Problem::method_not_allowed("GET, HEAD")),
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

fn list(state: &State) -> Response<Body> {
    #[derive(Serialize)]
    struct List {
        items: Vec<Document>,
    }
    let reports = state.elements.reports();
    respond::json(&List { items: reports.iter().map(|report| document(state, report)).collect() })
}

async fn put(
    state: &State,
    name: &ElementName,
    request: Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    let wait = wait::asked(&request)?;
    let wanted = wanted_of(state, request.into_body()).await?;
    let version = wanted.version.clone();
    let accepted = state.elements.want(name, wanted).await;
    let accepted = accepted.map_err(|error| respond::internal(&error))?;
    let Some(report) = settle(accepted, wait).await else {
        let report = find(state, name)?;
        return Ok(with_status(StatusCode::ACCEPTED, &document(state, &report)));
    };
    match &report.failure {
        None => Ok(respond::json(&document(state, &report))),
        Some(failure) => Err(failed(failure, &report).with("version", version.to_string())),
    }
}

async fn wanted_of(state: &State, body: Incoming) -> Result<Wanted, Problem> {
    let taken = RequestBody::take(body, DOCUMENT_BYTES_MAX, DOCUMENT_LIMIT, &state.tasks).await;
    let whole: Bytes = match taken.map_err(|error| respond::body(&state.metrics.http, &error))? {
        RequestBody::Whole(whole) => whole,
        RequestBody::Pulled(pump) => pump
            .collect()
            .await
            .map_err(|error| Problem::new(Code::BadRequest, format!("{error}.")))?,
    };
    let document = serde_json::from_slice(&whole).map_err(|error| respond::bad_json(&error))?;
    check_members(&document)?;
    serde_json::from_value(document).map_err(|error| respond::bad_json(&error))
}

/// Tells every member that no element has, with the nearest that one has.
fn check_members(document: &Value) -> Result<(), Problem> {
    let members = document.as_object().into_iter().flat_map(|document| document.keys());
    let unknown: Vec<_> =
        members.filter(|name| !Wanted::MEMBERS.contains(&name.as_str())).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = unknown.iter().map(|name| name.as_str()).collect();
    let detail = format!("An element has no member {}.", named.join(", "));
    let problem = Problem::new(Code::UnknownField, detail);
    Err(unknown.iter().fold(problem, |problem, name| {
        let message = match nearest(name, Wanted::MEMBERS) {
            Some(known) => format!("did you mean {known}?"),
            None => format!("the members are {}", Wanted::MEMBERS.join(", ")),
        };
        let code = Code::UnknownField.spec().name;
        problem.field(FieldError { pointer: format!("/{name}"), code, message })
    }))
}

async fn delete(
    state: &State,
    name: &ElementName,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    find(state, name)?;
    let wait = wait::asked(request)?;
    let accepted = state.elements.remove(name).await;
    let accepted = accepted.map_err(|error| respond::internal(&error))?;
    let accepted = accepted.ok_or_else(|| not_found(name))?;
    match settle(accepted, wait).await {
        Some(_gone) => Ok(empty(StatusCode::NO_CONTENT)),
        None => match state.elements.report(name) {
            None => Ok(empty(StatusCode::NO_CONTENT)),
            Some(report) => Ok(with_status(StatusCode::ACCEPTED, &document(state, &report))),
        },
    }
}

/// What came of a change, if it came to its end within the wait.
async fn settle(accepted: Accepted, wait: Option<Duration>) -> Option<Report> {
    timeout(wait?, accepted.settled()).await.ok()
}

fn failed(failure: &Failure, report: &Report) -> Problem {
    let keeps = match &report.serving {
        None => "Nothing of this element serves.".to_owned(),
        Some(serving) => format!(
            "Generation {} ({}) keeps serving.",
            serving.generation.number(),
            serving.version
        ),
    };
    let serving_version = report.serving.as_ref().map(|serving| serving.version.to_string());
    Problem::new(respond::rollout_code(failure.kind), format!("{}. {keeps}", failure.reason))
        .with("element", report.name.as_str())
        .with("serving_version", serving_version)
}

fn with_status(status: StatusCode, document: &Document) -> Response<Body> {
    let mut response = respond::json(document);
    *response.status_mut() = status;
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// An element, as the API shows it.
#[derive(Debug, Serialize)]
struct Document {
    name: String,
    status: &'static str,
    version: Option<String>,
    serving_version: Option<String>,
    isolation: Option<Isolation>,
    generation: Option<u64>,
    phase: Option<&'static str>,
    settings: Option<Value>,
    mounts: Vec<String>,
    listeners: BTreeMap<String, SocketAddr>,
    restarts: u64,
    last_rollout: Rollout,
    error: Option<Reason>,
    retained: Vec<Retained>,
}

#[derive(Debug, Serialize)]
struct Rollout {
    stages: Vec<Stage>,
}

#[derive(Debug, Serialize)]
struct Stage {
    name: &'static str,
    duration_us: u64,
}

#[derive(Debug, Serialize)]
struct Reason {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct Retained {
    generation: u64,
    version: String,
    bytes: u64,
    reason: String,
}

fn document(state: &State, report: &Report) -> Document {
    let Report { name, wanted, serving, failure, stages, listeners, n_restarts, .. } = report;
    let phase = serving.as_ref().and_then(|serving| phase_of(state, name, serving.generation));
    Document {
        name: name.to_string(),
        status: word(report.status),
        version: wanted.as_ref().map(|wanted| wanted.version.to_string()),
        serving_version: serving.as_ref().map(|Serving { version, .. }| version.to_string()),
        isolation: wanted.as_ref().map(|wanted| wanted.isolation),
        generation: serving.as_ref().map(|serving| serving.generation.number()),
        phase,
        settings: wanted.as_ref().map(|wanted| wanted.settings.clone()),
        mounts: wanted.as_ref().map(|wanted| wanted.mounts.clone()).unwrap_or_default(),
        listeners: listeners.clone(),
        restarts: *n_restarts,
        last_rollout: Rollout { stages: stages.iter().map(stage).collect() },
        error: failure.as_ref().map(|failure| Reason {
            code: respond::rollout_code(failure.kind).spec().name,
            message: failure.reason.clone(),
        }),
        retained: retained_of(state, name),
    }
}

/// The words of A-08, which clients of the original know.
fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "PENDING",
        Status::Updating => "UPDATING",
        Status::Active => "ACTIVE",
        Status::Error => "ERROR",
        Status::Deleting | Status::Gone => "DELETING",
    }
}

fn phase_of(state: &State, name: &ElementName, id: GenerationId) -> Option<&'static str> {
    let table = state.plugins.tables.load();
    let generation = &table.of_element(name)?.generation;
    (generation.identity.id == id).then(|| generation.phase().word())
}

fn stage(time: &StageTime) -> Stage {
    let duration_us = u64::try_from(time.duration.as_micros()).unwrap_or(u64::MAX);
    Stage { name: time.name, duration_us }
}

fn retained_of(state: &State, name: &ElementName) -> Vec<Retained> {
    let all = state.plugins.retained.report().into_iter();
    let of_element = all.filter(|report| report.identity.element == *name);
    of_element
        .map(|report| Retained {
            generation: report.identity.id.number(),
            version: report.identity.version.to_string(),
            bytes: report.bytes,
            reason: report.reason,
        })
        .collect()
}

/// The live table of one element.
fn routes(state: &State, name: &ElementName) -> Result<Response<Body>, Problem> {
    #[derive(Serialize)]
    struct Route {
        method: String,
        path: String,
        generation: u64,
        version: String,
    }
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

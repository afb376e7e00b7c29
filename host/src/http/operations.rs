//! `/v1/operations`: what takes time, how far it is, what it said, and why it failed.
//!
//! Reading needs `core.operation.read`, the list `core.operation.list`, canceling `core.operation.cancel`. `?wait=30s`
//! answers when the operation ends, or as it is after that time; nothing polls. A failed operation holds the problem
//! that an answer would have been. `actions/cancel` answers 202: the operation ends when whoever does it has heard, and
//! a rollout goes on once it switches.

use std::net::IpAddr;
use std::time::Duration;

use ::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use uuid::Uuid;

use super::paging::{self, Paging};
use super::problem::{Code, FieldError, Problem};
use super::query::Query;
use super::{Body, State, respond, wait};
use crate::identity::Caller;
use crate::operation::{
    self, About, Canceling, Failure, FieldFailure, Filter, Kind, Operation, OperationId, Order,
    Slice, Target,
};

mod document;
mod logs;

pub(crate) use document::OfLine;

const READ: &str = "core.operation.read";

/// What a list of operations may be asked.
const TARGET: &str = "target";
const STATE: &str = "state";
const PROJECT: &str = "project";
const ORDER: &str = "order_by";

/// The one action that an operation has.
const CANCEL: &str = "cancel";

/// What of `/v1/operations` a path names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'p> {
    /// All of them.
    All,
    /// One.
    One(&'p str),
    /// What one said.
    Logs(&'p str),
    /// Something to be done with one.
    Action(&'p str, &'p str),
}

impl<'p> Place<'p> {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/operations")?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let mut segments = rest.strip_prefix('/')?.split('/');
        let id = segments.next()?;
        match (segments.next(), segments.next(), segments.next()) {
            (None, _, _) => Some(Self::One(id)),
            (Some("logs"), None, _) => Some(Self::Logs(id)),
            (Some("actions"), Some(verb), None) => Some(Self::Action(id, verb)),
            (Some(_), _, _) => None,
        }
    }
}

/// Answers a request for one of these places.
///
/// # Errors
/// Whatever keeps it from being done.
pub(crate) async fn answer(
    state: &State,
    place: Place<'_>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    let caller = state.identity.authenticate(request.headers(), peer)?;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    authorize(&caller, place, request.method())?;
    match place {
        Place::All if is_read => list(state, request.uri(), None).await,
        Place::One(id) if is_read => one(state, id, &request).await,
        Place::Logs(id) if is_read => logs::answer(state, find(state, id).await?, &request).await,
        Place::Action(id, verb) if request.method() == Method::POST => {
            tracing::info!(principal = caller.name(), operation = id, verb, "asked for");
            act(state, id, verb, &request).await
        }
        Place::Action(..) => Err(Problem::method_not_allowed("POST")),
        Place::All | Place::One(_) | Place::Logs(_) => {
            Err(Problem::method_not_allowed("GET, HEAD"))
        }
    }
}

/// Refuses what the caller may not do; what it may not even see is not there.
fn authorize(caller: &Caller, place: Place<'_>, method: &Method) -> Result<(), Problem> {
    let permission = match (place, method) {
        (Place::All, &Method::GET | &Method::HEAD) => "core.operation.list",
        (Place::One(_) | Place::Logs(_), &Method::GET | &Method::HEAD) => READ,
        (Place::Action(_, CANCEL), &Method::POST) => "core.operation.cancel",
        // That there is no such method or action is said to everybody.
        (Place::All | Place::One(_) | Place::Logs(_) | Place::Action(..), _) => return Ok(()),
    };
    let Err(forbidden) = caller.demand_on_platform(permission) else { return Ok(()) };
    match place {
        Place::One(id) | Place::Logs(id) | Place::Action(id, _)
            if !caller.allows_on_platform(READ) =>
        {
            Err(not_found(id))
        }
        Place::All | Place::One(_) | Place::Logs(_) | Place::Action(..) => Err(forbidden.into()),
    }
}

/// The operations of one target, as `GET /v1/operations?target=…` has them.
pub(crate) async fn history(
    state: &State,
    target: &Target,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    list(state, request.uri(), Some(target)).await
}

/// The operation when it has ended, or as it is after `wait` or when the daemon ends; `None` if there is none.
pub(crate) async fn ended(
    state: &State,
    id: OperationId,
    wait: Duration,
) -> Result<Option<Operation>, Problem> {
    let found = tokio::select! {
        waited = state.operations.wait(id, wait) => waited,
        // The rest of it may be for the next start of the daemon to do.
        () = state.tasks.cancelled() => state.operations.get(id).await,
    };
    found.map_err(|error| respond::internal(&error))
}

/// Where an operation is, as a header has it.
pub(crate) fn location(id: OperationId) -> HeaderValue {
    HeaderValue::from_str(&path(id)).expect("a path of hexadecimal digits is visible ASCII")
}

/// Why an operation failed, as the answer to a request that waited for it.
pub(crate) fn failed(operation: &Operation) -> Problem {
    let Operation { id, state, failure, .. } = operation;
    match failure {
        Some(failure) => problem_of(*id, failure),
        None => Problem::new(Code::Internal, format!("Operation {id} ended as {state}."))
            .operation(id.to_string()),
    }
}

fn problem_of(id: OperationId, failure: &Failure) -> Problem {
    let Failure { code, detail, hint, errors, members } = failure;
    // Codes are never renamed; only another version can have written one that is not known.
    let code_of = |name: &str| Code::named(name).unwrap_or(Code::Internal);
    let problem = Problem::new(code_of(code), detail.clone()).operation(id.to_string());
    let problem = match hint {
        Some(hint) => problem.hint(hint.clone()),
        None => problem,
    };
    let problem = errors.iter().fold(problem, |problem, error| {
        let FieldFailure { pointer, code, message } = error.clone();
        problem.field(FieldError { pointer, code: code_of(&code).spec().name, message })
    });
    members.iter().fold(problem, |problem, (name, value)| problem.with(name, value.clone()))
}

fn path(id: OperationId) -> String {
    format!("/v1/operations/{id}")
}

async fn list(
    state: &State,
    uri: &Uri,
    target: Option<&Target>,
) -> Result<Response<Body>, Problem> {
    let query = Query::of(uri);
    let own = [STATE, ORDER, TARGET, PROJECT];
    // The target of a history is in its path, and with it the project.
    let n_own = if target.is_some() { 2 } else { 4 };
    query.only(&[&own[..n_own], &paging::PARAMETERS].concat())?;
    let filter = Filter {
        about: match target {
            Some(target) => Some(target.into()),
            None => query.get(TARGET).map(parse_target).transpose()?,
        },
        project: query.get(PROJECT).map(parse_project).transpose()?,
        states: parse_states(&query)?,
    };
    let order = parse_order(&query)?;
    let paging = Paging::of(uri, &query, &state.page_key)?;
    let slice = Slice { after: paging.after()?, n_max: paging.size() };
    let page = state.operations.list(&filter, order, slice).await;
    let page = page.map_err(|error| respond::internal(&error))?;
    let shown = page.items.iter().map(|item| document::of(item, &state.operations));
    let items: Vec<_> = shown.collect();
    let more_after = page.more_after.map(|id| id.to_string());
    Ok(paging.answer(&items, more_after.as_deref()))
}

/// `element/s3`, `s3/my-data`, or the id of a resource with or without its type.
fn parse_target(text: &str) -> Result<About, Problem> {
    let (kind, name) = text.split_once('/').unwrap_or(("", text));
    match (name.parse(), kind) {
        (Ok(id), _) => Ok(About::Id(id)),
        (Err(_no_id), kind) if !kind.is_empty() && !name.is_empty() => {
            Ok(About::Named { kind: kind.to_owned(), name: name.to_owned() })
        }
        (Err(_no_id), _) => {
            Err(Query::refused(TARGET, text, "a type and a name, as in element/s3, or an id"))
        }
    }
}

fn parse_project(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_no_id| Query::refused(PROJECT, text, "the id of a project"))
}

fn parse_states(query: &Query) -> Result<Vec<operation::State>, Problem> {
    let Some(text) = query.get(STATE) else { return Ok(Vec::new()) };
    let states = text.split(',').map(operation::State::named);
    states.collect::<Option<_>>().ok_or_else(|| {
        let known: Vec<_> = operation::State::ALL.iter().map(|state| state.word()).collect();
        Query::refused(STATE, text, &format!("some of {}", known.join(",")))
    })
}

fn parse_order(query: &Query) -> Result<Order, Problem> {
    match query.get(ORDER) {
        None | Some("created_at desc") => Ok(Order::NewestFirst),
        Some("created_at" | "created_at asc") => Ok(Order::OldestFirst),
        Some(other) => Err(Query::refused(ORDER, other, "created_at or created_at desc")),
    }
}

async fn one(
    state: &State,
    id: &str,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    Query::of(request.uri()).only(&[wait::PARAMETER])?;
    let wait = wait::asked(request)?;
    let mut operation = find(state, id).await?;
    if let Some(wait) = wait.filter(|_| !operation.state.is_done()) {
        operation = ended(state, operation.id, wait).await?.unwrap_or(operation);
    }
    Ok(respond::json(&document::of(&operation, &state.operations)))
}

async fn act(
    state: &State,
    id: &str,
    verb: &str,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    Query::of(request.uri()).only(&[wait::PARAMETER])?;
    let wait = wait::asked(request)?;
    let operation = find(state, id).await?;
    if verb != CANCEL {
        return Err(respond::no_action(verb, &[CANCEL]));
    }
    let id = operation.id;
    match state.operations.cancel(id).await {
        Ok(Canceling::Ended | Canceling::Asked) => {}
        Ok(Canceling::TooLate) => return Err(not_cancellable(&operation)),
        Err(operation::Error::Ended { state, .. }) => return Err(finished(id, state)),
        Err(error) => return Err(respond::internal(&error)),
    }
    let now = ended(state, id, wait.unwrap_or_default()).await?.unwrap_or(operation);
    let mut response = respond::json(&document::of(&now, &state.operations));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn finished(id: OperationId, state: operation::State) -> Problem {
    Problem::new(Code::OperationFinished, format!("Operation {id} has ended as {state}."))
        .operation(id.to_string())
        .with("state", state.word())
}

fn not_cancellable(operation: &Operation) -> Problem {
    let Operation { id, kind, state, .. } = operation;
    let why = match kind {
        Kind::Element(kind) if kind.is_rollout() => "it has switched, or is about to",
        Kind::Element(_) | Kind::Resource { .. } => "what it does cannot be left halfway",
    };
    let detail = format!("Operation {id} goes on until it is done or fails: {why}.");
    Problem::new(Code::NotCancellable, detail)
        .operation(id.to_string())
        .with("state", state.word())
        .with("kind", kind.word())
}

async fn find(state: &State, text: &str) -> Result<Operation, Problem> {
    let id: OperationId = text.parse().map_err(|_no_id| not_found(text))?;
    let found = state.operations.get(id).await.map_err(|error| respond::internal(&error))?;
    found.ok_or_else(|| not_found(text))
}

fn not_found(text: &str) -> Problem {
    let detail = format!("There is no operation {text}.");
    Problem::new(Code::OperationNotFound, detail).with("operation", text)
}

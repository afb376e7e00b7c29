//! `/v1/operations`: what takes time, how far it is, what it said, and why it failed.
//!
//! Whoever may read what an operation is about may read the operation; one of an element takes
//! `core.operation.read`. Calling one off takes what asking for it took, of an element `core.operation.cancel`; it
//! answers 202, the operation ends when whoever does it has heard, and a rollout goes on once it switches. Lists and
//! single ones can be watched. `?wait=30s` answers when one ends, or as it is after that time; nothing polls. A failed
//! operation holds the problem that an answer would have been.

use std::net::IpAddr;
use std::time::Duration;

use ::http::header::LOCATION;
use ::http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use uuid::Uuid;

use super::paging::{self, Paging};
use super::problem::{Code, FieldError, Problem};
use super::query::Query;
use super::{Body, State, respond, visible, wait, watch};
use crate::identity::{Caller, ProjectId, Scope};
use crate::operation::{
    self, About, Canceling, Failure, FieldFailure, Filter, Kind, Operation, OperationId,
    Operations, Order, Slice, Target,
};

mod document;
mod logs;
mod watching;

pub(crate) use document::of_event;
use watching::OfOperations;

pub(crate) use document::OfLine;

const READ: &str = "core.operation.read";
const LIST: &str = "core.operation.list";

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
    match place {
        Place::All if is_read => {
            if visible::projects(&caller, LIST).is_some_and(|projects| projects.is_empty()) {
                caller.demand_on_platform(LIST)?;
            }
            list(state, &request, &caller, None).await
        }
        Place::One(id) if is_read => one(state, id, &request, caller).await,
        Place::Logs(id) if is_read => {
            logs::answer(state, find(state, id, &caller).await?, &request).await
        }
        Place::Action(id, verb) if request.method() == Method::POST => {
            tracing::info!(principal = caller.name(), operation = id, verb, "asked for");
            act(state, id, verb, &request, &caller).await
        }
        Place::Action(..) => Err(Problem::method_not_allowed("POST")),
        Place::All | Place::One(_) | Place::Logs(_) => {
            Err(Problem::method_not_allowed("GET, HEAD"))
        }
    }
}

/// Refuses to call off what the caller could not have asked for.
fn authorize_cancel(caller: &Caller, operation: &Operation) -> Result<(), Problem> {
    let target = &operation.target;
    match (&operation.kind, target.project) {
        (Kind::Resource { slug, resource, verb }, Some(project)) => {
            let project = ProjectId::of(project);
            let scope = Scope { project, slug: Some(slug), instance: target.instance };
            caller.demand(&format!("{slug}.{resource}.{verb}"), &scope)?;
        }
        (Kind::Resource { .. } | Kind::Element(_), _) => {
            caller.demand_on_platform("core.operation.cancel")?;
        }
    }
    Ok(())
}

/// The operations of one target, as `GET /v1/operations?target=…` has them.
pub(crate) async fn history(
    state: &State,
    target: &Target,
    request: &Request<Incoming>,
    caller: &Caller,
) -> Result<Response<Body>, Problem> {
    list(state, request, caller, Some(target)).await
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
        problem.field(FieldError { pointer, code: code_of(&code).spec().name.into(), message })
    });
    members.iter().fold(problem, |problem, (name, value)| problem.with(name, value.clone()))
}

/// An operation as the API shows it, as text.
pub(crate) fn text(operations: &Operations, operation: &Operation) -> String {
    let document = document::of(operation, operations);
    serde_json::to_string(&document).expect("answers are structs with string keys")
}

/// The answer that is an operation.
pub(crate) fn answer_of(state: &State, operation: &Operation) -> Response<Body> {
    let mut response = respond::json(&document::of(operation, &state.operations));
    response.headers_mut().insert(LOCATION, location(operation.id));
    response
}

fn path(id: OperationId) -> String {
    format!("/v1/operations/{id}")
}

async fn list(
    state: &State,
    request: &Request<Incoming>,
    caller: &Caller,
    target: Option<&Target>,
) -> Result<Response<Body>, Problem> {
    let uri = request.uri();
    let query = Query::of(uri);
    let own = [STATE, ORDER, TARGET, PROJECT];
    // The target of a history is in its path, and with it the project.
    let n_own = if target.is_some() { 2 } else { 4 };
    query.only(&[&own[..n_own], &watch::PARAMETERS, &paging::PARAMETERS].concat())?;
    let filter = Filter {
        about: match target {
            Some(target) => Some(target.into()),
            None => query.get(TARGET).map(parse_target).transpose()?,
        },
        project: query.get(PROJECT).map(parse_project).transpose()?,
        within: visible::projects(caller, LIST),
        states: parse_states(&query)?,
    };
    if let Some(asked) = watch::asked(&query, request.headers())? {
        let operations = state.operations.clone();
        let source = OfOperations { operations, filter, only: None };
        return watch::objects(state, uri, caller.clone(), asked, source).await;
    }
    let order = parse_order(&query)?;
    let paging = Paging::of(uri, &query, &state.page_key)?;
    let slice = Slice { after: paging.after()?, n_max: paging.size() };
    let (items, more_after) =
        watching::page(&state.operations, caller, &filter, order, slice).await?;
    let shown = items.iter().map(|item| document::of(item, &state.operations));
    let items: Vec<_> = shown.collect();
    let more_after = more_after.map(|id| id.to_string());
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
    caller: Caller,
) -> Result<Response<Body>, Problem> {
    let query = Query::of(request.uri());
    query.only(&[&[wait::PARAMETER][..], &watch::PARAMETERS].concat())?;
    let wait = wait::asked(request)?;
    let mut operation = find(state, id, &caller).await?;
    if let Some(asked) = watch::asked(&query, request.headers())? {
        let (operations, only) = (state.operations.clone(), Some(operation.id));
        let source = OfOperations { operations, filter: Filter::default(), only };
        return watch::objects(state, request.uri(), caller, asked, source).await;
    }
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
    caller: &Caller,
) -> Result<Response<Body>, Problem> {
    Query::of(request.uri()).only(&[wait::PARAMETER])?;
    let wait = wait::asked(request)?;
    let operation = find(state, id, caller).await?;
    if verb != CANCEL {
        return Err(respond::no_action(verb, &[CANCEL]));
    }
    authorize_cancel(caller, &operation)?;
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

/// The operation, if the caller may see it; what it may not see is not there.
async fn find(state: &State, text: &str, caller: &Caller) -> Result<Operation, Problem> {
    let id: OperationId = text.parse().map_err(|_no_id| not_found(text))?;
    let found = state.operations.get(id).await.map_err(|error| respond::internal(&error))?;
    let found = found.filter(|found| visible::sees_operation(caller, found));
    found.ok_or_else(|| not_found(text))
}

fn not_found(text: &str) -> Problem {
    let detail = format!("There is no operation {text}.");
    Problem::new(Code::OperationNotFound, detail).with("operation", text)
}

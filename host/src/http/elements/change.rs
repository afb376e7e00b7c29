//! Changing an element: `PUT`, `DELETE` and actions, each an operation.
//!
//! A change answers 202 with its operation at once, or, with `Prefer: wait=30` or `?wait=30s`, when it has come
//! to its end: with the element, or with the problem that kept it from serving.

use std::time::Duration;

use ::http::header::LOCATION;
use ::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use packer::bundle::ElementName;
use semver::Version;
use serde::Deserialize;

use super::{Asking, Document, not_found};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Body, State, document, operations, respond, wait};
use crate::operation::{self, OperationId, Requester};
use crate::rollout::Instances;
use crate::rollout::wanted::Data;
use crate::rollout::wish::{Asker, Change, Patch};

const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");

/// The verbs of an element.
const VERBS: [&str; 3] = ["finalize", "rollback", "upgrade"];

/// The permission that the action `verb` needs; nothing if there is no such action.
pub(super) fn permission(verb: &str) -> Option<&'static str> {
    match verb {
        "finalize" => Some("core.element.finalize"),
        "rollback" => Some("core.element.rollback"),
        "upgrade" => Some("core.element.upgrade"),
        _ => None,
    }
}

/// The document of `actions/upgrade`.
#[derive(Debug, Default, Deserialize)]
struct Upgrade {
    version: Option<Version>,
}

/// The document of an action that takes none.
#[derive(Debug, Default, Deserialize)]
struct Nothing {}

/// Wants an element so.
pub(super) async fn put(
    state: &State,
    name: &ElementName,
    request: Request<Incoming>,
    asking: Asking<'_>,
) -> Result<Response<Body>, Problem> {
    Query::of(request.uri()).only(&[wait::PARAMETER])?;
    let wait = wait::asked(&request)?;
    let patch: Patch =
        document::read(state, request.into_body(), "An element", &Patch::MEMBERS).await?;
    let operation = ask(state, name, Change::Put(patch), asking).await?;
    answer(state, name, operation, wait).await
}

/// Does what the verb says.
pub(super) async fn act(
    state: &State,
    name: &ElementName,
    verb: &str,
    request: Request<Incoming>,
    asking: Asking<'_>,
) -> Result<Response<Body>, Problem> {
    Query::of(request.uri()).only(&[wait::PARAMETER])?;
    let wait = wait::asked(&request)?;
    let body = request.into_body();
    let change = match verb {
        "upgrade" => {
            let Upgrade { version } =
                document::read(state, body, "An upgrade", &["version"]).await?;
            Change::Upgrade(version)
        }
        "rollback" => {
            let Nothing {} = document::read(state, body, "A rollback", &[]).await?;
            Change::Rollback
        }
        "finalize" => {
            let Nothing {} = document::read(state, body, "Finalizing", &[]).await?;
            Change::Finalize
        }
        unknown => return Err(respond::no_action(unknown, &VERBS)),
    };
    let operation = ask(state, name, change, asking).await?;
    answer(state, name, operation, wait).await
}

/// Wants an element no more.
pub(super) async fn delete(
    state: &State,
    name: &ElementName,
    request: &Request<Incoming>,
    asking: Asking<'_>,
) -> Result<Response<Body>, Problem> {
    let query = Query::of(request.uri());
    query.only(&[wait::PARAMETER, "cascade", "purge"])?;
    let wait = wait::asked(request)?;
    let instances = if query.flag("cascade")? { Instances::Abandon } else { Instances::Protect };
    let data = if query.flag("purge")? { Data::Purge } else { Data::Keep };
    if state.elements.report(name).is_none() {
        return Err(not_found(name));
    }
    let checked = state.elements.check_instances(name, instances).await;
    checked.map_err(|error| respond::change(&error))?;
    let operation = ask(state, name, Change::Uninstall(data), asking).await?;
    answer(state, name, operation, wait).await
}

async fn ask(
    state: &State,
    name: &ElementName,
    change: Change,
    asking: Asking<'_>,
) -> Result<OperationId, Problem> {
    let Asking { caller, request_id, traceparent } = asking;
    let requester = Requester {
        principal: caller.name().to_owned(),
        request_id: Some(request_id.as_str().to_owned()),
        traceparent: traceparent.map(ToOwned::to_owned),
    };
    let asked = state.elements.change(name, change, Asker::Api, requester).await;
    asked.map_err(|error| respond::change(&error))
}

/// The element and its operation: as they are at the end of the wait, or at once.
async fn answer(
    state: &State,
    name: &ElementName,
    operation: OperationId,
    wait: Option<Duration>,
) -> Result<Response<Body>, Problem> {
    let ended = match wait {
        None => None,
        Some(wait) => operations::ended(state, operation, wait).await?,
    };
    let status = match &ended {
        None => StatusCode::ACCEPTED,
        Some(operation) => match operation.state {
            operation::State::Failed | operation::State::Canceled => {
                return Err(operations::failed(operation));
            }
            operation::State::Pending | operation::State::Running => StatusCode::ACCEPTED,
            operation::State::Succeeded | operation::State::Superseded => StatusCode::OK,
        },
    };
    let mut response = match state.elements.report(name) {
        Some(report) => respond::json(&Document::of(state, &report).await?),
        None => {
            let mut gone = Response::new(Body::default());
            *gone.status_mut() = StatusCode::NO_CONTENT;
            return Ok(gone);
        }
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let own = HeaderValue::from_str(&format!("/v1/elements/{name}"));
    headers.insert(LOCATION, own.expect("names are visible ASCII"));
    headers.insert(OPERATION_LOCATION, operations::location(operation));
    Ok(response)
}

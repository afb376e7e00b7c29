//! The JSON document of a request.
//!
//! Guarantees: it is small and arrives in time, and a member that there is not is told with the nearest that there is.
//! Not here: what the members mean.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::body::RequestBody;
use super::problem::{Code, FieldError, Problem};
use super::{State, respond};
use crate::nearest::nearest;

/// The largest document that is taken.
const BYTES_MAX: u64 = 256 * 1024;

/// How long such a document may take to arrive.
const LIMIT: Duration = Duration::from_secs(10);

/// The document of a request; an absent one is an empty one. `what` begins the sentence about a wrong member.
///
/// # Errors
/// It is no such document.
pub(crate) async fn read<T: DeserializeOwned>(
    state: &State,
    body: Incoming,
    what: &str,
    members: &[&'static str],
) -> Result<T, Problem> {
    let whole = whole(state, body, BYTES_MAX).await?;
    let document: Value = if whole.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(&whole).map_err(|error| respond::bad_json(&error))?
    };
    check_members(&document, what, members)?;
    serde_json::from_value(document).map_err(|error| respond::bad_json(&error))
}

/// A body as it came.
///
/// # Errors
/// It is longer than `bytes_max`, late, or broke off.
pub(crate) async fn whole(state: &State, body: Incoming, bytes_max: u64) -> Result<Bytes, Problem> {
    let taken = RequestBody::take(body, bytes_max, LIMIT, &state.tasks).await;
    match taken.map_err(|error| respond::body(&state.metrics.http, &error))? {
        RequestBody::Whole(whole) => Ok(whole),
        RequestBody::Pulled(pump) => {
            let collected = pump.collect().await;
            collected.map_err(|error| Problem::new(Code::BadRequest, format!("{error}.")))
        }
    }
}

/// Tells every member that there is not, with the nearest that there is.
fn check_members(document: &Value, what: &str, known: &[&'static str]) -> Result<(), Problem> {
    let members = document.as_object().into_iter().flat_map(|document| document.keys());
    let unknown: Vec<_> = members.filter(|name| !known.contains(&name.as_str())).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = unknown.iter().map(|name| name.as_str()).collect();
    let detail = format!("{what} has no member {}.", named.join(", "));
    let problem = Problem::new(Code::UnknownField, detail);
    Err(unknown.iter().fold(problem, |problem, name| {
        let message = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if known.is_empty() => "there are none".to_owned(),
            None => format!("the members are {}", known.join(", ")),
        };
        let code = Code::UnknownField.spec().name.into();
        problem.field(FieldError { pointer: format!("/{name}"), code, message })
    }))
}

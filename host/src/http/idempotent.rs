//! `Idempotency-Key`: a retry gets the answer that the first attempt got, and has no effect of its own.
//!
//! What is shown once is told to retries for some minutes, and `null` in its place afterwards. Not here: what an
//! attempt is ([`crate::idempotency`]).

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use ::http::request::Parts;
use ::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::problem::{Code, Problem};
use super::{Body, State, respond};
use crate::idempotency::{Answer, Attempt, Begun, Error, First, Key, NoKey};
use crate::identity::Caller;
use crate::secret::{Place, SecretText, Secrets};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The headers that say what a request is about, beside its body.
const CONTENT: [HeaderName; 3] = [CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH];

/// What a request with or without a key finds.
#[derive(Debug)]
pub(super) enum Attempted {
    /// It has no key.
    Unnamed,
    /// It is the first with its key.
    First(First),
    /// It was made, and this came of it.
    Again(Box<Response<Body>>),
}

/// Begins an attempt of `caller`, if the request names one.
///
/// # Errors
/// It is being made, or was another one.
pub(super) async fn begin(
    state: &State,
    caller: &Caller,
    head: &Parts,
    body: &[u8],
) -> Result<Attempted, Problem> {
    let Some(key) = key_of(head)? else { return Ok(Attempted::Unnamed) };
    let query = head.uri.query().unwrap_or_default();
    let header = |name| head.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let [media_type, if_match, if_none_match] = CONTENT.map(header);
    let attempt = Attempt {
        principal: caller.name(),
        method: head.method.as_str(),
        path: head.uri.path(),
        key: &key,
        content: &[query.as_bytes(), media_type, if_match, if_none_match, body],
    };
    match state.attempts.begin(&attempt).await {
        Ok(Begun::First(first)) => Ok(Attempted::First(first)),
        Ok(Begun::Again(answer)) => {
            let id = attempt.id();
            Ok(Attempted::Again(Box::new(replay(state.writes.secrets(), &id, answer)?)))
        }
        Err(error) => Err(refused(&error)),
    }
}

fn key_of(head: &Parts) -> Result<Option<Key>, Problem> {
    let Some(value) = head.headers.get(KEY) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    text.parse().map(Some).map_err(|error: NoKey| {
        Problem::new(
            Code::BadRequest,
            format!("The header Idempotency-Key cannot be used: {error}."),
        )
    })
}

fn refused(error: &Error) -> Problem {
    match error {
        Error::InProgress => {
            Problem::new(Code::IdempotencyInProgress, "The first request with this key still runs.")
        }
        Error::Reused => {
            Problem::new(Code::IdempotencyKeyReused, "Another request was made with this key.")
        }
        Error::Read(_) | Error::Damaged | Error::Prune(_) => respond::internal(error),
    }
}

/// What is shown once, sealed for the answer to the attempt `id`.
pub(super) fn seal(secrets: &Secrets, id: &str, once: &Map<String, Value>) -> Option<String> {
    let text = || serde_json::to_string(once).expect("members are JSON");
    (!once.is_empty()).then(|| secrets.seal(&SecretText::new(text()), place(id)))
}

fn place(id: &str) -> Place<'_> {
    Place { table: "metapaas_idempotency", row: id, column: "sealed" }
}

/// An answer, with what is shown once.
pub(super) fn response(answer: Answer, once: &Map<String, Value>) -> Response<Body> {
    let Answer { status, headers, mut body, sealed: _ } = answer;
    if !once.is_empty() {
        body = with_members(&body, once);
    }
    let mut response = Response::new(Body::from(bytes::Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).expect("only statuses of answers are kept");
    for (name, value) in headers {
        let name = HeaderName::try_from(name).expect("only names of headers are kept");
        let value = HeaderValue::try_from(value).expect("only values of headers are kept");
        response.headers_mut().insert(name, value);
    }
    if !once.is_empty() {
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    }
    response
}

fn replay(secrets: &Secrets, id: &str, mut answer: Answer) -> Result<Response<Body>, Problem> {
    let once = match answer.sealed.take() {
        None => Map::new(),
        Some(sealed) => {
            let text = secrets.unseal(&sealed, place(id));
            let text = text.map_err(|error| respond::internal(&error))?;
            serde_json::from_str(text.reveal()).unwrap_or_default()
        }
    };
    let mut response = response(answer, &once);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// A document with further members.
pub(super) fn with_members(document: &str, members: &Map<String, Value>) -> String {
    let mut document: Value = serde_json::from_str(document).expect("a document is JSON");
    for (name, value) in members {
        document[name] = value.clone();
    }
    document.to_string()
}

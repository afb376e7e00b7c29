//! Which failure becomes which problem, and how a success is written.
//!
//! The one place where the two audiences of an error part: the caller gets a code and a safe sentence from here,
//! the log gets the chain.

use std::error::Error;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderValue, Response};
use serde::Serialize;

use super::Body;
use super::problem::{Code, Problem};
use super::readiness::Reason;
use crate::identity::Unauthenticated;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("answers are structs with string keys");
    with_type(JSON, text)
}

/// 200 with a body of any other type.
pub(crate) fn with_type(media_type: HeaderValue, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Nothing answers at `path`.
pub(crate) fn no_route(path: &str) -> Problem {
    Problem::new(Code::RouteNotFound, format!("Nothing answers at {path}.")).with("path", path)
}

/// The daemon is not ready, for these reasons.
pub(crate) fn not_ready(reasons: &[Reason]) -> Problem {
    let reasons = serde_json::to_value(reasons).expect("reasons are strings");
    Problem::new(Code::NotReady, "The daemon is not ready.").with("reasons", reasons)
}

/// Something of the host's own failed: the caller learns that it did, the log learns why.
pub(crate) fn internal(error: &(dyn Error + 'static)) -> Problem {
    Problem::new(Code::Internal, "The daemon failed to answer.").because(error)
}

impl From<Unauthenticated> for Problem {
    fn from(unauthenticated: Unauthenticated) -> Self {
        let detail = match unauthenticated {
            Unauthenticated::Absent => "The request carries no credentials.",
            Unauthenticated::Invalid => "The credentials are not valid.",
        };
        Self::new(Code::Unauthenticated, detail)
    }
}

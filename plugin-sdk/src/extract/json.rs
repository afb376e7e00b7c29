//! JSON, in either direction.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::unknown_field;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};
use crate::response::{Body, IntoResponse, Response};

/// A JSON document: as the last argument the request's body, as a result the answer's.
///
/// Requests are answered with 415 `UNSUPPORTED_MEDIA_TYPE` when they say that they carry something else
/// and with 400 when the document does not fit `T`: `UNKNOWN_FIELD`, with the nearest known one, for a member
/// that `T` does not have (and refuses: `#[serde(deny_unknown_fields)]`), else `INVALID_JSON` with its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut json = Vec::with_capacity(128);
        match serde_json::to_writer(&mut json, &self.0) {
            Ok(()) => Response::with_body("application/json", Body::Owned(json)),
            Err(error) => {
                tracing::error!("answer cannot be written as JSON: {error}");
                let detail = "the plugin made an answer that cannot be written as JSON";
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Problem::new(status, "UNSERIALIZABLE_ANSWER", detail).into_response()
            }
        }
    }
}

impl<P: Send + Sync, T: DeserializeOwned> FromRequest<P> for Json<T> {
    async fn from_request(request: Request<P>) -> Result<Self, Problem> {
        if !request.header("content-type").is_none_or(is_json) {
            let detail = "the body is not said to be JSON";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "UNSUPPORTED_MEDIA_TYPE", detail)
                .hint("send it with `content-type: application/json`"));
        }
        let body = Bytes::from_request(request).await?;
        parse(&body).map(Self)
    }
}

/// Whether a content type is `application/json` or one of its family.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == b"application/json"
        || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let member = error.path().to_string();
        if let Some(problem) = unknown_field::problem(&error.inner().to_string(), &member) {
            return problem;
        }
        let detail = match member.as_str() {
            "." | "?" => format!("the body does not fit: {}", error.inner()),
            member => format!("`{member}` does not fit: {}", error.inner()),
        };
        invalid(detail).with("member", member)
    })?;
    deserializer
        .end()
        .map_err(|error| invalid(format!("the body goes on after its end: {error}")))?;
    Ok(value)
}

fn invalid(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_JSON", detail)
}

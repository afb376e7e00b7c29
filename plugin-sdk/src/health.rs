//! `GET /-/health`: the one route that every type has.

use http::StatusCode;

use crate::context::Context;
use crate::extract::{Json, State};
use crate::plugin::{Health, HealthDocument, Plugin};
use crate::response::{IntoResponse, Response};

/// Where it is.
pub(crate) const PATH: &str = "/-/health";

/// Answers it.
pub(crate) async fn answer<P: Plugin>(plugin: State<P>, context: Context) -> Response {
    let (http_status, status, reason) = match plugin.health().await {
        Health::Ok => (StatusCode::OK, "ok", None),
        Health::Failing(reason) => (StatusCode::SERVICE_UNAVAILABLE, "failing", Some(reason)),
    };
    let document = HealthDocument {
        status,
        reason,
        version: context.version(),
        generation: context.generation(),
    };
    (http_status, Json(document)).into_response()
}

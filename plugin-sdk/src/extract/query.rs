//! The query string.

use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::request::{FromRequestParts, Request};

/// What follows the `?`, as a struct or a list of pairs. What does not fit is answered with 400
/// `INVALID_QUERY`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<P, T: DeserializeOwned> FromRequestParts<P> for Query<T> {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        let query = request.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Self).map_err(|error| {
            let detail = format!("the query `{query}` does not fit: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "INVALID_QUERY", detail)
        })
    }
}

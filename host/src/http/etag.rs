//! Answers that a client may have already.

use ::http::header::{ETAG, IF_NONE_MATCH};
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Body;

/// The answer `whole` with its `etag`, or 304 without it, if the request says that the client has it.
pub(super) fn unless_known(
    headers: &HeaderMap,
    etag: &HeaderValue,
    whole: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    let mut response = if is_known(headers, etag) {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        whole()
    };
    response.headers_mut().insert(ETAG, etag.clone());
    response
}

fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let own = etag.to_str().unwrap_or_default();
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut etags = known.flat_map(|value| value.split(',')).map(str::trim);
    etags.any(|etag| etag == "*" || etag.trim_start_matches("W/") == own)
}

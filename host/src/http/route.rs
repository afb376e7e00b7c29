//! Which path is whose.
//!
//! A trailing slash means nothing, and no path is ever redirected. Whoever a path belongs to answers, or fails
//! with a [`Problem`]; here the problem becomes the answer.

use ::http::{Request, Response};
use hyper::body::Incoming;

use super::problem::Problem;
use super::request_id::RequestId;
use super::server::Answer;
use super::{Body, State, respond, system};

impl Answer for State {
    async fn answer(&self, request: Request<Incoming>, id: &RequestId) -> Response<Body> {
        // Kept for the problem's sake: the request is gone by then. Shares the bytes, copies nothing.
        let uri = request.uri().clone();
        answer(self, &request).unwrap_or_else(|problem| problem.into_response(uri.path(), id))
    }
}

fn answer(state: &State, request: &Request<Incoming>) -> Result<Response<Body>, Problem> {
    let path = without_slash(request.uri().path());
    match system::Page::at(path) {
        Some(page) => system::answer(state, &page, request.method()),
        None => Err(respond::no_route(path)),
    }
}

/// The path without its trailing slash.
pub(crate) fn without_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(path) => path,
    }
}

#[cfg(test)]
mod tests;

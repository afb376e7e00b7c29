//! Which path is whose.
//!
//! A trailing slash means nothing, and no path is ever redirected. Whoever a path belongs to answers, or fails
//! with a [`Problem`]; here the problem becomes the answer.

use std::net::IpAddr;

use ::http::{Request, Response};
use hyper::body::Incoming;

use super::problem::Problem;
use super::request_id::RequestId;
use super::server::Answer;
use super::{
    Body, State, dispatch, elements, events, iam, openapi, operations, resources, system, types,
};
use crate::plugin::table::TYPES_PREFIX;

impl Answer for State {
    async fn answer(
        &self,
        request: Request<Incoming>,
        id: &RequestId,
        peer: IpAddr,
    ) -> Response<Body> {
        // Kept for the problem's sake: the request is gone by then. Shares the bytes, copies nothing.
        let uri = request.uri().clone();
        answer(self, request, id, peer)
            .await
            .unwrap_or_else(|problem| problem.into_response(uri.path(), id))
    }
}

async fn answer(
    state: &State,
    request: Request<Incoming>,
    id: &RequestId,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    if let Some(place) = openapi::Place::at(without_slash(request.uri().path())) {
        return openapi::answer(state, place, &request).await;
    }
    // Found before anything is waited for, so that no table is held while an answer is made.
    let declared = {
        let path = without_slash(request.uri().path());
        resources::Place::at(&state.plugins.tables.load(), path)
    };
    if let Some(place) = types::Place::at(without_slash(request.uri().path())) {
        let path = request.uri().path();
        if !types::is_of_plugin(&state.plugins.tables.load(), place, path) {
            return types::answer(state, place, &request, peer);
        }
    } else if let Some(place) = declared {
        return resources::answer(state, &place, request, id, peer).await;
    } else if !request.uri().path().starts_with(TYPES_PREFIX) {
        // Shares the bytes: the request moves on while its path is read.
        let uri = request.uri().clone();
        let path = without_slash(uri.path());
        if let Some(page) = system::Page::at(path) {
            return system::answer(state, &page, request.method());
        }
        if let Some(place) = elements::Place::at(path) {
            return elements::answer(state, place, request, id, peer).await;
        }
        if path == events::PATH {
            return events::answer(state, &request, peer).await;
        }
        if let Some(place) = iam::Place::at(path) {
            return iam::answer(state, place, request, peer).await;
        }
        if let Some(place) = operations::Place::at(path) {
            return operations::answer(state, place, request, peer).await;
        }
    }
    dispatch::answer(state, request, id, peer).await
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

//! Which path is whose.
//!
//! A trailing slash means nothing, and no path is ever redirected. Whoever a path belongs to answers, or fails
//! with a [`Problem`].

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
    ) -> Result<Response<Body>, Problem> {
        answer(self, request, id, peer).await
    }
}

/// The host's own answers are boxed: what they keep while they wait would be moved about with each plugin's request.
async fn answer(
    state: &State,
    request: Request<Incoming>,
    id: &RequestId,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    if let Some(place) = openapi::Place::at(without_slash(request.uri().path())) {
        return Box::pin(openapi::answer(state, place, &request)).await;
    }
    match OfTypes::at(state, request.uri().path()) {
        Some(OfTypes::Plugin) => {}
        Some(OfTypes::Document(place)) => return types::answer(state, place, &request, peer),
        Some(OfTypes::Resource(place)) => {
            return Box::pin(resources::answer(state, &place, request, id, peer)).await;
        }
        None => {
            // Shares the bytes: the request moves on while its path is read.
            let uri = request.uri().clone();
            let path = without_slash(uri.path());
            if let Some(page) = system::Page::at(path) {
                return system::answer(state, &page, request.method());
            }
            if let Some(place) = elements::Place::at(path) {
                return Box::pin(elements::answer(state, place, request, id, peer)).await;
            }
            if path == events::PATH {
                return Box::pin(events::answer(state, &request, peer)).await;
            }
            if let Some(place) = iam::Place::at(path) {
                return Box::pin(iam::answer(state, place, request, peer)).await;
            }
            if let Some(place) = operations::Place::at(path) {
                return Box::pin(operations::answer(state, place, request, peer)).await;
            }
        }
    }
    dispatch::answer(state, request, id, peer).await
}

/// Who answers for a path of types.
enum OfTypes<'p> {
    /// The host, with what one declares.
    Document(types::Place<'p>),
    /// The host, out of the store.
    Resource(resources::Place),
    /// The plugin of one, or nobody.
    Plugin,
}

impl<'p> OfTypes<'p> {
    /// Found by one look into the table and before anything is waited for, so that no table is held while an answer
    /// is made.
    fn at(state: &State, path: &'p str) -> Option<Self> {
        let named = without_slash(path);
        let place = types::Place::at(named);
        if place.is_none() && !path.starts_with(TYPES_PREFIX) {
            return None;
        }
        let table = state.plugins.tables.load();
        Some(match place {
            Some(place) if types::is_of_plugin(&table, place, path) => Self::Plugin,
            Some(place) => Self::Document(place),
            None => resources::Place::at(&table, named).map_or(Self::Plugin, Self::Resource),
        })
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

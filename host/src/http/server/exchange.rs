//! One connection and its requests, one after the other.
//!
//! The hot path: what is done here is done for every request. Nothing is formatted unless somebody reads it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use ::http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tracing::Level;

use super::connection::Connection;
use super::{Answer, Shared};
use crate::http::Body;
use crate::http::problem::Logged;
use crate::http::request_id::{REQUEST_ID, RequestId};
use crate::log;

/// The target of the access log.
const ACCESS: &str = "http::access";

/// What is kept of a request for the log and for the problem that it may meet: the request itself is gone by then.
struct Seen {
    method: Method,
    uri: Uri,
    /// `None` while nobody reads the access log.
    since: Option<Instant>,
}

/// Serves a connection until it ends, or until it is idle after the server was told to drain.
pub(super) async fn serve<A: Answer>(connection: Connection, peer: IpAddr, shared: Arc<Shared<A>>) {
    let stop = shared.tasks.child();
    let protocol = shared.protocol.clone();
    // A request holds its connection's reference: all of them on one counter would be written by every core.
    let shared = Arc::new(shared);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(exchange(&shared, request, peer).await) }
    });
    let serving = protocol.serve_connection(TokioIo::new(connection), service).with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        let cause = log::chain(&error);
        tracing::debug!(target: ACCESS, "connection ended: {cause}");
    }
}

async fn exchange<A: Answer>(
    shared: &Shared<A>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Body> {
    let id = RequestId::of(request.headers());
    let seen = Seen::of(&request);
    let answered = shared.app.answer(request, &id, peer).await;
    let mut response =
        answered.unwrap_or_else(|problem| problem.into_response(seen.uri.path(), &id));
    shared.metrics.answered(response.status());
    seen.log(&response, &id);
    response.headers_mut().insert(REQUEST_ID, id.into_header());
    response
}

impl Seen {
    fn of(request: &Request<Incoming>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            since: tracing::enabled!(target: ACCESS, Level::DEBUG).then(Instant::now),
        }
    }

    fn log(&self, response: &Response<Body>, id: &RequestId) {
        let Self { method, uri, since } = self;
        let status = response.status();
        // The path only: a query may hold what no log may.
        if status.is_server_error() && response.extensions().get::<Logged>().is_none() {
            let path = uri.path();
            tracing::warn!(request_id = %id, %method, path, status = status.as_u16(), "answered");
        }
        if let Some(since) = since {
            let (path, micros) = (uri.path(), since.elapsed().as_micros());
            tracing::debug!(target: ACCESS, request_id = %id, %method, path, status = status.as_u16(), micros, "answered");
        }
    }
}

//! From a request to the plugin that answers it, and back.
//!
//! The hot path of the product. A request takes the table, finds its route, takes a lease, sends one
//! message and waits for one answer; no lock of the host's is held while it waits. Every way in which that
//! can fail is a problem of `respond`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{InvalidHeaderValue, UPGRADE};
use ::http::request::Parts;
use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use plugin_abi::descriptor::Route;
use plugin_abi::request::{BodyKind, RequestHead};
use plugin_abi::response::ResponseHead;

use super::access::{self, Admitted};
use super::body::{Body, Chunked, Pump, RequestBody};
use super::problem::Problem;
use super::request_id::RequestId;
use super::{State, respond, trace, upgrade};
use crate::plugin::conversation::{Answer, Fault, Pending};
use crate::plugin::lease::Lease;
use crate::plugin::table::{Found, Params, Resolved};

/// How often a request that met a generation on its way out looks for the next one. Each look takes the
/// newest table, so a second miss means two switches within a few instructions.
const LOOKS_MAX: usize = 16;

/// Answers a request whose path may be a plugin's.
///
/// # Errors
/// Nobody answers there, or whoever does has failed.
///
/// # Cancellation
/// Dropping the future tells the plugin that the client is gone.
pub(crate) async fn answer(
    state: &State,
    request: Request<Incoming>,
    id: &RequestId,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    let (mut parts, body) = request.into_parts();
    let on_upgrade =
        parts.headers.contains_key(UPGRADE).then(|| take_upgrade(&mut parts)).flatten();
    let routed = route(state, &parts)?;
    let descriptor = &routed.lease.generation().descriptor;
    let admitted = access::admit(state, &parts, descriptor, routed.declared(), peer)?;
    let limits = Limits::of(state, &routed);
    let body = RequestBody::take(body, limits.body_bytes_max, limits.deadline, &state.tasks)
        .await
        .map_err(|error| respond::body(&state.metrics.http, &error))?;
    let asked = Asked { parts: &parts, id, routed: &routed, admitted: &admitted, limits };
    let mut pending = begin(state, asked, body)?;
    let answer = pending.answer().await;
    let lease = routed.lease;
    match answer {
        Answer::Whole(whole) => {
            let mut response = response(whole.head(), Body::default())?;
            *response.body_mut() = Body::from(whole.into_body());
            Ok(response)
        }
        Answer::Chunked { head, chunks } => {
            let body = Chunked::new(chunks, pending, lease);
            response(&head, Body::Chunked(Box::new(body)))
        }
        Answer::Upgrade { head, call } => {
            let conversation = Arc::clone(pending.conversation());
            let response = response(&head, Body::default())?;
            upgrade::hand_over(&state.tasks, on_upgrade, conversation, call, lease)?;
            Ok(response)
        }
        Answer::Failed(fault) => Err(respond::fault(&state.metrics.http, &fault)),
    }
}

fn take_upgrade(parts: &mut Parts) -> Option<OnUpgrade> {
    parts.extensions.remove::<OnUpgrade>()
}

/// A request that has found who answers it.
struct Routed<'p> {
    route: u32,
    params: Params<'p>,
    lease: Lease,
}

impl Routed<'_> {
    /// What is declared of its route.
    fn declared(&self) -> &Route {
        &self.lease.generation().descriptor.routes[self.route as usize]
    }
}

fn route<'p>(state: &State, parts: &'p Parts) -> Result<Routed<'p>, Problem> {
    let path = parts.uri.path();
    for _look in 0..LOOKS_MAX {
        let table = state.plugins.tables.load();
        let found = match table.resolve(parts.method.as_str(), path) {
            Resolved::Route(found) => found,
            Resolved::NotOurs => return Err(respond::no_route(path)),
            Resolved::UnknownType { slug } => return Err(respond::no_type(slug)),
            Resolved::Absent { model } => return Err(respond::absent(&model)),
            Resolved::UnknownPath { published } => {
                return Err(respond::no_plugin_route(path, &published.generation.identity));
            }
            Resolved::OtherMethods { allow } => {
                return Err(Problem::method_not_allowed(allow.join(", ")));
            }
        };
        let Found { generation, route, params } = found;
        if let Some(lease) = Lease::take(generation) {
            return Ok(Routed { route, params, lease });
        }
    }
    Err(respond::fault(&state.metrics.http, &Fault::Draining))
}

/// What a route allows a request.
#[derive(Clone, Copy)]
struct Limits {
    body_bytes_max: u64,
    deadline: Duration,
}

impl Limits {
    fn of(state: &State, routed: &Routed<'_>) -> Self {
        let route = routed.declared();
        let default_bytes = state.config.body_bytes_max as u64;
        let deadline_ms = route.deadline_ms.map_or(state.config.request_deadline_ms, u64::from);
        Self {
            body_bytes_max: route.body_bytes_max.unwrap_or(default_bytes),
            deadline: Duration::from_millis(deadline_ms),
        }
    }
}

/// A request that may be made.
#[derive(Clone, Copy)]
struct Asked<'a, 'p> {
    parts: &'a Parts,
    id: &'a RequestId,
    routed: &'a Routed<'p>,
    admitted: &'a Admitted,
    limits: Limits,
}

fn begin(state: &State, asked: Asked<'_, '_>, body: RequestBody) -> Result<Pending, Problem> {
    let Asked { routed, limits, .. } = asked;
    let conversation = &routed.lease.generation().conversation;
    let refused = |refused| respond::refused(&state.metrics.http, &refused);
    let encode = |kind: BodyKind, whole: &[u8]| encode(asked, kind, whole);
    let kind = body.kind();
    match body {
        RequestBody::Whole(whole) => {
            conversation.begin(limits.deadline, None, || encode(kind, &whole)).map_err(refused)
        }
        RequestBody::Pulled(pump) => {
            let (sender, reads) = Pump::reads();
            let pending = conversation
                .begin(limits.deadline, Some(sender), || encode(kind, &[]))
                .map_err(refused)?;
            state.tasks.spawn("request body", pump.run(Arc::clone(conversation), reads));
            Ok(pending)
        }
    }
}

fn encode(asked: Asked<'_, '_>, body: BodyKind, whole: &[u8]) -> Vec<u8> {
    let Asked { parts, id, routed, admitted, limits } = asked;
    let traceparent = trace::parent(&parts.headers);
    let headers = Headers::of(&parts.headers, admitted);
    let head = RequestHead {
        route: routed.route,
        deadline_ms: u32::try_from(limits.deadline.as_millis()).unwrap_or(u32::MAX),
        body,
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        params: &routed.params,
        identity: admitted.identity(),
        request_id: id.as_str(),
        traceparent,
        headers,
    };
    head.encode(whole)
}

/// Header fields with their number known, which the map's own iterator only bounds.
struct Headers<'a> {
    inner: ::http::header::Iter<'a, HeaderValue>,
    n_left: usize,
    /// What a caller was recognized by is not for the plugin.
    credentials: Credentials,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Credentials {
    PassOn,
    Keep,
}

impl<'a> Headers<'a> {
    fn of(headers: &'a HeaderMap, admitted: &Admitted) -> Self {
        let (credentials, n_kept) = match admitted {
            Admitted::Anybody => (Credentials::PassOn, 0),
            Admitted::Known { .. } => {
                let kept = headers.iter().filter(|(name, _)| access::is_credential(name));
                (Credentials::Keep, kept.count())
            }
        };
        Self { inner: headers.iter(), n_left: headers.len() - n_kept, credentials }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.inner.find(|(name, _)| {
            self.credentials == Credentials::PassOn || !access::is_credential(name)
        })?;
        self.n_left -= 1;
        Some((name.as_str(), value.as_bytes()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.n_left, Some(self.n_left))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// A plugin's head with a body, checked against HTTP.
fn response(head: &[u8], body: Body) -> Result<Response<Body>, Problem> {
    let nonsense = |what: &str| respond::nonsense(what);
    let decoded = ResponseHead::decode(head).map_err(|error| nonsense(&error.to_string()))?;
    let status = StatusCode::from_u16(decoded.status)
        .map_err(|_invalid| nonsense(&format!("status {}", decoded.status)))?;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for field in decoded.headers() {
        let (name, value) = field.map_err(|error| nonsense(&error.to_string()))?;
        let field_name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_invalid| nonsense(&format!("header name {name:?}")))?;
        let value = header_value(value)
            .map_err(|_invalid| nonsense(&format!("the value of header {name:?}")))?;
        if !is_hosts_own(&field_name) {
            headers.append(field_name, value);
        }
    }
    Ok(response)
}

/// The value of a header; what most answers say of their body needs no memory of its own.
fn header_value(value: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    match value {
        b"application/json" => Ok(HeaderValue::from_static("application/json")),
        _any_other => HeaderValue::from_bytes(value),
    }
}

/// What only the connection's owner may say: a plugin cannot break the framing of its answers.
fn is_hosts_own(name: &HeaderName) -> bool {
    use ::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
    *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING
}

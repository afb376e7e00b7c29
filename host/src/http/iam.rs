//! `/v1/iam`: who may do what.
//!
//! | room | what it holds |
//! |---|---|
//! | [`organizations`], [`projects`], [`quotas`] | where things are, and how much of them there may be |
//! | [`principals`] | users and service accounts |
//! | [`roles`], [`bindings`] | what may be done, and who may do it where |
//! | [`keys`], [`tokens`] | by what a caller is recognized |
//! | [`me`] | what a caller is, and what it may |
//!
//! Guarantees: what a caller may not read is told like what is not there; what is secret is shown once, and by no
//! cache kept; nobody gives away rights that they have not. A list shows what its caller may read.

use std::net::IpAddr;

use ::http::header::{CACHE_CONTROL, LOCATION};
use ::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::paging::{self, Paging};
use super::problem::{Code, FieldError, Problem};
use super::query::Query;
use super::{Body, State, respond};
use crate::identity::Caller;
use crate::identity::change::{ChangeError, Kind, Name};
use crate::identity::register::Register;

mod bindings;
mod keys;
mod me;
mod organizations;
mod principals;
mod projects;
mod quotas;
mod roles;
mod tokens;

/// What of `/v1/iam` a path names: its segments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p>(&'p str);

/// A request with who makes it.
struct Asked<'a> {
    state: &'a State,
    caller: Caller,
    /// As things were when the caller was recognized.
    register: std::sync::Arc<Register>,
    request: Request<Incoming>,
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl<'p> Place<'p> {
    /// The place of a path without its trailing slash, if it is one of these.
    pub(crate) fn at(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/iam")?;
        (rest.is_empty() || rest.starts_with('/')).then(|| Self(rest.trim_start_matches('/')))
    }
}

/// Answers a request for one of these places.
///
/// # Errors
/// Whatever keeps it from being done.
///
/// # Cancellation
/// A change that was begun is made or not made, whole.
pub(crate) async fn answer(
    state: &State,
    place: Place<'_>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    let segments: Vec<_> = place.0.split('/').collect();
    match *segments {
        // These are for whoever is nobody yet.
        [".well-known", "jwks.json"] => return tokens::key_set(state, request.method()),
        ["tokens"] => return tokens::exchange(state, request, peer).await,
        [..] => {}
    }
    let caller = state.identity.authenticate(request.headers(), peer)?;
    if !request.method().is_safe() {
        let (path, method) = (request.uri().path(), request.method());
        tracing::info!(principal = caller.name(), %method, path, "change of who may do what");
    }
    let asked = Asked { state, caller, register: state.identity.register(), request };
    match *segments {
        [""] => asked.only_read(|_| Ok(respond::json(&links()))),
        ["me"] => asked.only_read(|asked| Ok(me::show(asked))),
        ["permissions"] => asked.only_read(me::permissions),
        ["check"] => me::check(asked).await,
        ["organizations", ref rest @ ..] => organizations::answer(asked, rest).await,
        ["projects", id, "quotas"] => quotas::answer(asked, id).await,
        ["projects", ref rest @ ..] => projects::answer(asked, rest).await,
        ["users", ref rest @ ..] => principals::answer_user(asked, rest).await,
        ["service-accounts", ref rest @ ..] => principals::answer_account(asked, rest).await,
        ["roles", ref rest @ ..] => roles::answer(asked, rest).await,
        ["bindings" | "role-bindings", ref rest @ ..] => bindings::answer(asked, rest).await,
        ["api-keys", ref rest @ ..] => keys::answer(asked, rest).await,
        [..] => Err(respond::no_route(asked.request.uri().path())),
    }
}

fn links() -> Value {
    json!({"links": {
        "me": "/v1/iam/me",
        "organizations": "/v1/iam/organizations",
        "projects": "/v1/iam/projects",
        "users": "/v1/iam/users",
        "service_accounts": "/v1/iam/service-accounts",
        "roles": "/v1/iam/roles",
        "bindings": "/v1/iam/bindings",
        "api_keys": "/v1/iam/api-keys",
        "tokens": "/v1/iam/tokens",
        "permissions": "/v1/iam/permissions",
        "check": "/v1/iam/check",
        "jwks": "/v1/iam/.well-known/jwks.json",
    }})
}

impl Asked<'_> {
    fn method(&self) -> &Method {
        self.request.method()
    }

    fn is_read(&self) -> bool {
        matches!(*self.method(), Method::GET | Method::HEAD)
    }

    fn uri(&self) -> &Uri {
        self.request.uri()
    }

    /// Nothing at this path.
    fn no_route(&self) -> Problem {
        respond::no_route(self.uri().path())
    }

    /// A path that can be read and no more.
    fn only_read(
        &self,
        answer: impl FnOnce(&Self) -> Result<Response<Body>, Problem>,
    ) -> Result<Response<Body>, Problem> {
        if self.is_read() { answer(self) } else { Err(Problem::method_not_allowed("GET, HEAD")) }
    }

    /// The page of `items` that was asked for. They come in the order of their ids.
    fn page<D: Serialize>(
        &self,
        filters: &[&str],
        items: impl Iterator<Item = (Uuid, D)>,
    ) -> Result<Response<Body>, Problem> {
        let query = Query::of(self.uri());
        query.only(&[filters, &paging::PARAMETERS].concat())?;
        let paging = Paging::of(self.uri(), &query, &self.state.page_key)?;
        let after: Option<Uuid> = paging.after()?;
        let size = usize::try_from(paging.size()).unwrap_or(usize::MAX);
        let mut rest = items.filter(|(id, _)| after.is_none_or(|after| *id > after)).peekable();
        let page: Vec<_> = rest.by_ref().take(size).collect();
        let last = page.last().map(|(id, _)| id.to_string());
        let more_after = last.filter(|_| rest.peek().is_some());
        let items: Vec<_> = page.into_iter().map(|(_, item)| item).collect();
        Ok(paging.answer(&items, more_after.as_deref()))
    }

    /// Refuses parameters that the path has not.
    fn no_parameters(&self) -> Result<(), Problem> {
        Query::of(self.uri()).only(&[])
    }
}

/// 201 with what was made.
fn created(kind: &str, id: impl std::fmt::Display, document: &impl Serialize) -> Response<Body> {
    let mut response = respond::json(document);
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::from_str(&format!("/v1/iam/{kind}/{id}"));
    response.headers_mut().insert(LOCATION, location.expect("ids are visible ASCII"));
    response
}

/// 204.
fn gone() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// What must not be kept by anybody in between.
fn not_stored(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn not_found(kind: Kind, named: &str) -> Problem {
    Problem::new(Code::NotFound, format!("There is no {kind} {named}."))
        .with("kind", kind.word())
        .with("name", named)
}

/// A member of a document that is not what it must be.
fn bad_member(member: &str, why: impl std::fmt::Display) -> Problem {
    let code = Code::BadRequest.spec().name.into();
    let error = FieldError { pointer: format!("/{member}"), code, message: why.to_string() };
    Problem::new(Code::BadRequest, format!("Member {member}: {why}.")).field(error)
}

/// A member that must be there.
fn required<T>(member: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| bad_member(member, "it is required"))
}

fn name(text: Option<String>) -> Result<Name, Problem> {
    required("name", text)?.parse().map_err(|error| bad_member("name", error))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
fn changed(error: ChangeError) -> Problem {
    respond::identity_change(&error)
}

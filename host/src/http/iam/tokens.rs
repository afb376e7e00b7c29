//! Access tokens: credentials, exchanged for something short-lived.

use std::net::IpAddr;
use std::time::Duration;

use ::http::{Method, Request, Response};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::{bad_member, not_stored, required, roles};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Body, State, document, respond};
use crate::identity::{Issue, ProjectId};

const MEMBERS: [&str; 5] = ["user", "password", "expires_in", "scopes", "project"];

#[derive(Debug, Default, Deserialize)]
struct Sent {
    user: Option<String>,
    password: Option<String>,
    /// In seconds.
    expires_in: Option<u32>,
    scopes: Option<Vec<String>>,
    project: Option<String>,
}

/// The public key by which others can verify tokens.
pub(super) fn key_set(state: &State, method: &Method) -> Result<Response<Body>, Problem> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    Ok(respond::json(&state.identity.key_set()))
}

/// A token for whoever sends credentials, in a header as with any request, or as `user` and `password`.
pub(super) async fn exchange(
    state: &State,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    if request.method() != Method::POST {
        return Err(Problem::method_not_allowed("POST"));
    }
    Query::of(request.uri()).only(&[])?;
    let by_header = state.identity.authenticate(request.headers(), peer);
    let sent: Sent = document::read(state, request.into_body(), "An exchange", &MEMBERS).await?;
    let caller = match sent.user {
        Some(user) => {
            let password = required("password", sent.password)?;
            state.identity.login(&user, password, peer).await?
        }
        None => by_header?,
    };
    let lifetime = sent.expires_in.map(|seconds| Duration::from_secs(seconds.into()));
    let longest = state.identity.longest_lifetime();
    if lifetime.is_some_and(|lifetime| lifetime.is_zero() || lifetime > longest) {
        let why = format!("it must be from 1 to {} seconds", longest.as_secs());
        return Err(bad_member("expires_in", why));
    }
    let issue = Issue {
        lifetime,
        scopes: roles::patterns("scopes", sent.scopes)?,
        project: sent.project.map(|named| caller.project(Some(&named))).transpose()?,
    };
    let issued = state.identity.issue(&caller, issue);
    tracing::info!(principal = caller.name(), %peer, "a token was issued");
    Ok(not_stored(respond::json(&json!({
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.lasts.as_secs(),
        "expires_at": issued.expires_at,
        "principal": caller.name(),
        "scopes": issued.scopes,
        "project_id": issued.project.map(ProjectId::uuid),
    }))))
}

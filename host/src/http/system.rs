//! The host's own pages: is it alive, is it ready, what is it, what does it count, what can go wrong.
//!
//! They need no token, touch no plugin and wait for nothing.

use ::http::{HeaderValue, Method, Response};
use plugin_abi::descriptor::Build;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::problem::{Code, Listed, Problem};
use super::{Body, State, respond};
use crate::metrics;

/// What every page can do.
const METHODS: &str = "GET, HEAD";

/// One of the host's own pages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Page<'a> {
    /// `/healthz`: the loop turns.
    Health,
    /// `/readyz`: it can do its work, or the reasons why not.
    Ready,
    /// `/version`.
    Version,
    /// `/metrics`.
    Metrics,
    /// `/v1/`: where to begin.
    Root,
    /// `/v1/problems`: every code.
    Problems,
    /// `/v1/problems/{code}`.
    Problem(&'a str),
}

/// What this binary is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Version {
    name: &'static str,
    version: &'static str,
    abi_revision: u32,
    build: &'static str,
    target: String,
}

impl<'a> Page<'a> {
    /// The page at `path`, which has no trailing slash.
    pub(crate) fn at(path: &'a str) -> Option<Self> {
        Some(match path {
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            "/version" => Self::Version,
            "/metrics" => Self::Metrics,
            "/v1" => Self::Root,
            "/v1/problems" => Self::Problems,
            _ => Self::Problem(path.strip_prefix("/v1/problems/")?),
        })
    }
}

/// Answers a request for `page`.
pub(crate) fn answer(
    state: &State,
    page: &Page<'_>,
    method: &Method,
) -> Result<Response<Body>, Problem> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::method_not_allowed(METHODS));
    }
    match page {
        Page::Health => Ok(respond::json(&json!({"status": "ok"}))),
        Page::Ready => ready(state),
        Page::Version => Ok(respond::json(&Version::of_this_build())),
        Page::Metrics => scrape(&state.metrics),
        Page::Root => Ok(respond::json(&links())),
        Page::Problems => Ok(respond::json(&problems())),
        Page::Problem(name) => problem(name),
    }
}

impl Version {
    /// What this very binary is.
    pub(crate) fn of_this_build() -> Self {
        let Build { abi_revision, target, panic: _ } = Build::own();
        Self {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            abi_revision,
            build: option_env!("METAPAAS_BUILD").unwrap_or("unknown"),
            target,
        }
    }
}

fn ready(state: &State) -> Result<Response<Body>, Problem> {
    let reasons = state.readiness.reasons();
    if reasons.is_empty() {
        Ok(respond::json(&json!({"status": "ready"})))
    } else {
        Err(respond::not_ready(&reasons))
    }
}

fn scrape(metrics: &metrics::Metrics) -> Result<Response<Body>, Problem> {
    let text = metrics.text().map_err(|error| respond::internal(&error))?;
    Ok(respond::with_type(HeaderValue::from_static(metrics::MEDIA_TYPE), text))
}

fn links() -> serde_json::Value {
    json!({"links": {
        "elements": "/v1/elements",
        "iam": "/v1/iam",
        "operations": "/v1/operations",
        "events": "/v1/events",
        "types": "/v1/types",
        "problems": "/v1/problems",
        "iam": "/v1/iam",
        "openapi": "/openapi.json",
        "docs": "/docs",
        "health": "/healthz",
        "ready": "/readyz",
        "metrics": "/metrics",
        "version": "/version",
    }})
}

fn problems() -> serde_json::Value {
    let items: Vec<_> = Code::ALL.iter().copied().map(Listed::of).collect();
    json!({"total_size": items.len(), "items": items})
}

fn problem(name: &str) -> Result<Response<Body>, Problem> {
    match Code::named(name) {
        Some(code) => Ok(respond::json(&Listed::of(code))),
        None => {
            let detail = format!("There is no problem code {name}.");
            let hint = "GET /v1/problems lists the codes.";
            Err(Problem::new(Code::NotFound, detail).hint(hint).with("name", name))
        }
    }
}

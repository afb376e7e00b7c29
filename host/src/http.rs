//! The user API: how requests come in, who answers them, and how an answer looks.
//!
//! | room | what it holds |
//! |---|---|
//! | [`server`] | the listener, the connections, the drain; knows nothing of routes |
//! | [`route`] | which path is whose |
//! | [`system`] | the host's own pages |
//! | [`problem`], [`respond`] | how failures look, and which failure becomes which problem |
//! | [`request_id`], [`readiness`] | what every answer carries; what `/readyz` says |
//!
//! Guarantees: every answer carries a request id, every refusal is a problem, every limit is a setting. `http`
//! never opens a library.

use bytes::Bytes;
use http_body_util::Full;

pub(crate) mod config;
pub(crate) mod problem;
pub(crate) mod readiness;
pub(crate) mod request_id;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod server;
pub(crate) mod system;

/// The body of an answer.
pub(crate) type Body = Full<Bytes>;
pub(crate) use config::Config;

use crate::identity::Identity;
use crate::metrics::Metrics;
use readiness::Readiness;

/// What answering a request may need. Made before the listener serves, lives until the last answer.
#[derive(Debug)]
pub(crate) struct State {
    /// The settings of the user API.
    pub(crate) config: Config,
    /// Who may call.
    pub(crate) identity: Identity,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// Written by whoever has something to wait for, read by `/readyz`.
    pub(crate) readiness: Readiness,
}

impl State {
    /// The state of a daemon that is starting.
    pub(crate) fn new(config: Config, identity: Identity, metrics: Metrics) -> Self {
        Self { config, identity, metrics, readiness: Readiness::default() }
    }
}

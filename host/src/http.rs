//! The user API: how requests come in, who answers them, and how an answer looks.
//!
//! | room | what it holds |
//! |---|---|
//! | [`server`] | the listener, the connections, the drain; knows nothing of routes |
//! | [`route`] | which path is whose |
//! | [`system`] | the host's own pages |
//! | [`types`], [`resources`], [`idempotent`] | what types declare, their resources, and retries that change them once |
//! | [`elements`], [`operations`] | what can be changed, and how far a change is |
//! | [`iam`] | who may do what |
//! | [`openapi`] | what the API is like, for clients and people |
//! | [`events`], [`watch`] | what happened, and whoever is told while it happens |
//! | [`paging`], [`query`], [`document`], [`wait`], [`visible`] | what lists have in common; what a query and a body say; how long a client waits; what a caller sees |
//! | [`dispatch`], [`access`], [`body`], [`upgrade`] | from a request to a plugin, and back; who may use a route |
//! | [`problem`], [`respond`] | how failures look, and which failure becomes which problem |
//! | [`request_id`], [`trace`], [`readiness`] | what every answer carries; what a request is a part of; what `/readyz` says |
//!
//! Guarantees: every answer carries a request id, every refusal is a problem, every limit is a setting. `http`
//! never opens a library.

use std::sync::Arc;

pub(crate) mod access;
pub(crate) mod body;
pub(crate) mod config;
pub(crate) mod dispatch;
pub(crate) mod document;
mod elements;
mod etag;
mod events;
mod iam;
mod idempotent;
pub(crate) mod openapi;
pub(crate) mod operations;
pub(crate) mod paging;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod readiness;
pub(crate) mod request_id;
mod resources;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod server;
pub(crate) mod system;
mod trace;
pub(crate) mod types;
mod upgrade;
mod visible;
pub(crate) mod wait;
pub(crate) mod watch;

pub(crate) use body::Body;
pub(crate) use config::Config;

use crate::idempotency::Attempts;
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::operation::Operations;
use crate::plugin::Plugins;
use crate::resource::reads::Reads;
use crate::resource::write::Writes;
use crate::rollout::Elements;
use crate::shutdown::Tasks;
use readiness::Readiness;

/// What answering a request may need. Made before the listener serves, lives until the last answer.
#[derive(Debug)]
pub(crate) struct State {
    /// The settings of the user API.
    pub(crate) config: Config,
    /// Who may call.
    pub(crate) identity: Arc<Identity>,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// Written by whoever has something to wait for, read by `/readyz`.
    pub(crate) readiness: Readiness,
    /// Who answers under `/v1/types` and the mounts.
    pub(crate) plugins: Arc<Plugins>,
    /// What is installed, and the way to change it.
    pub(crate) elements: Arc<Elements>,
    /// The resources that types declare.
    pub(crate) reads: Reads,
    /// The way to change them.
    pub(crate) writes: Writes,
    /// What retries are answered.
    pub(crate) attempts: Attempts,
    /// What takes time.
    pub(crate) operations: Operations,
    /// What the API is like, as clients read it.
    pub(crate) documents: openapi::Documents,
    /// Signs page tokens.
    pub(crate) page_key: paging::Key,
    /// What outlives an answer: upgraded connections, bodies that are pulled.
    pub(crate) tasks: Tasks,
}

/// What changing resources takes.
#[derive(Debug)]
pub(crate) struct Writing {
    /// Who does it.
    pub(crate) writes: Writes,
    /// What retries are answered.
    pub(crate) attempts: Attempts,
}

impl State {
    /// The state of a daemon that is starting.
    pub(crate) fn new(
        config: Config,
        identity: Arc<Identity>,
        metrics: Metrics,
        elements: Arc<Elements>,
        writing: Writing,
        page_key: paging::Key,
        tasks: Tasks,
    ) -> Self {
        let plugins = Arc::clone(&elements.shared().plugins);
        let operations = elements.shared().operations.clone();
        let reads = Reads::of(&elements.shared().store);
        let Writing { writes, attempts } = writing;
        Self {
            config,
            identity,
            metrics,
            readiness: Readiness::default(),
            plugins,
            elements,
            reads,
            writes,
            attempts,
            operations,
            documents: openapi::Documents::default(),
            page_key,
            tasks,
        }
    }
}

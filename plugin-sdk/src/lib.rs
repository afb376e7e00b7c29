//! Write MetaPaaS plugins: native code that a daemon loads, swaps and unloads while it serves.
//!
//! ```
//! //! Greets people.
//! use plugin_sdk::prelude::*;
//!
//! struct Hello;
//!
//! #[plugin(element = "hello", types = ["hello"])]
//! impl Plugin for Hello {
//!     async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> { Ok(Hello) }
//!     fn router() -> Router<Self> { Router::new().get("/greet/{name}", greet) }
//! }
//!
//! async fn greet(Path(name): Path<String>) -> String { format!("hello {name}") }
//! ```
//!
//! That is a whole plugin: built as a `cdylib` it answers `GET /v1/types/hello/greet/you`.
//!
//! # The mental model
//!
//! A plugin is a value. The daemon calls [`Plugin::start`] with the element's settings, gives the value
//! requests for as long as this generation serves, calls [`Plugin::stop`] and drops it. A new version is a
//! new generation: both are alive for a moment, no request is lost, then the old code is unmapped.
//!
//! Each generation has **one thread** and on it a tokio runtime of its own. Handlers are ordinary async
//! functions on that runtime: timers, sockets and HTTP clients work as everywhere. A handler that computes
//! for long holds up all the others, so it uses [`tokio::task::spawn_blocking`].
//!
//! A handler's arguments say what it needs of the request, its result is the answer:
//!
//! | argument | is |
//! |---|---|
//! | [`State<P>`](State) | the plugin |
//! | [`Path<T>`](Path), [`Query<T>`](Query), [`Headers`], [`HeaderMap`] | parts of the request |
//! | [`Json<T>`](Json), [`Bytes`], `String`, [`BodyStream`] | its body; last argument only |
//! | [`Identity`], [`RequestId`] | who asks, and the id that log lines carry |
//! | [`Database`] | the plugin's own tables ([`db`]) |
//! | [`Context`] | the way to the host: background tasks, measurements, services |
//! | [`Upgrade`], `WebSocket` (feature `ws`) | the connection itself |
//!
//! A request that its client gave up on is cancelled by dropping the handler's future. A panic in a handler
//! costs that request (`500 PLUGIN_PANIC`); one in `start`, `stop` or a background task is a panic in shared
//! state, and the generation is replaced.
//!
//! # What it does not do
//!
//! No authentication: the host has checked permissions before a handler runs. No listening: the host
//! keeps every socket and hands connections over ([`Router::listener`]). No logging setup: [`tracing`]
//! ends in the host's log. And no state that outlives `stop`: statics, leaked threads and leaked memory
//! keep a generation from being unloaded.
#![forbid(unsafe_code)]

extern crate self as plugin_sdk;

#[cfg(feature = "axum")]
mod axum;
mod calls;
mod caught;
mod connection;
mod context;
pub mod db;
mod extract;
mod generation;
mod handler;
mod health;
mod hooks;
mod log;
pub mod migration;
mod plugin;
mod problem;
mod request;
pub mod resource;
mod response;
mod router;
mod runtime;
mod stream;
mod stream_body;
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "time")]
mod timestamp;
mod upgrade;
#[cfg(feature = "ws")]
pub mod web_socket;

pub use bytes::{self, Bytes};
pub use http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use plugin_abi::{AbiError, ErrorCode};
#[cfg(feature = "testing")]
pub use plugin_sdk_macros::test;
pub use plugin_sdk_macros::{Resource, json, plugin, settings};
#[cfg(feature = "sea-orm")]
pub use sea_orm;
#[cfg(feature = "sea-query")]
pub use sea_query;
#[cfg(feature = "time")]
pub use time;
#[cfg(feature = "uuid")]
pub use uuid;
pub use {schemars, serde, serde_json, tokio, tracing};

pub use self::connection::{ConnectionHandler, Incoming};
pub use self::context::Context;
pub use self::db::{Database, DbError};
pub use self::extract::{
    BodyBroken, BodyStream, Headers, Identity, Json, Path, Query, RequestId, State,
};
pub use self::handler::Handler;
pub use self::migration::{Cursor, Migration, Progress, Sql};
pub use self::plugin::{Declared, Health, NoSettings, Plugin, StartError};
pub use self::problem::Problem;
pub use self::request::{FromRequest, FromRequestParts, Request, ViaBody, ViaParts};
pub use self::resource::{Resource, Resources, Root};
pub use self::response::{IntoResponse, Response};
pub use self::router::{Access, Route, Router};
pub use self::stream::UpgradedStream;
pub use self::stream_body::{BodyClosed, BodySender, BoxError, StreamBody};
#[cfg(feature = "time")]
pub use self::timestamp::Timestamp;
pub use self::upgrade::Upgrade;
#[cfg(feature = "ws")]
pub use self::web_socket::{Socket, WebSocket};

/// What almost every plugin uses.
pub mod prelude {
    #[doc(no_inline)]
    pub use crate::db::Queries;
    #[doc(no_inline)]
    pub use crate::resource::{
        Acted, Action, Change, Condition, Failed, Input, Invalid, PlannedStep, Reconciled, Secret,
        Stored,
    };
    #[doc(no_inline)]
    pub use crate::{
        Bytes, Context, Cursor, Database, DbError, Health, Identity, IntoResponse, Json, Migration,
        NoSettings, Path, Plugin, Problem, Progress, Query, Resource, Resources, Response, Router,
        Sql, StartError, State, StatusCode, StreamBody, json, plugin, settings, tracing,
    };
    #[cfg(feature = "ws")]
    #[doc(no_inline)]
    pub use crate::{Socket, WebSocket};
}

/// What the attributes expand to.
#[doc(hidden)]
pub mod expansion {
    pub use plugin_abi::api::{DescriptorSink, GenerationInfo, HostApi};
    pub use plugin_abi::descriptor::{Policy, Unique};
    pub use plugin_abi::export_plugin;
    pub use plugin_abi::resource::columns::is_reserved;
    pub use plugin_abi::root::AbiExit;

    pub use crate::resource::{FieldDeclaration, FieldReader, FieldWriter, Unreadable};
    pub use crate::runtime::{describe, run};
}

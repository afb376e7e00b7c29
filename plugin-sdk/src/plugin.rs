//! What an author implements.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::migration::Migration;
use crate::resource::Resources;
use crate::router::Router;

/// A plugin: how it starts, what it serves, how it stops.
///
/// All state is made by [`Plugin::start`] and dropped when the generation ends. Statics must not mean
/// anything: a library may be started several times, one run after the other.
pub trait Plugin: Declared + Sized + Send + Sync + 'static {
    /// The settings of the element; [`NoSettings`] when there are none (the attribute adds that line).
    type Settings: DeserializeOwned + JsonSchema + Send + 'static;

    /// Makes the plugin. The generation serves nothing before this has returned.
    ///
    /// # Errors
    /// When the plugin cannot serve; the previous generation keeps serving and the operator reads why.
    fn start(
        context: Context,
        settings: Self::Settings,
    ) -> impl Future<Output = Result<Self, StartError>> + Send;

    /// What the host stores and serves for it; see [`resource`](crate::resource).
    ///
    /// It has no `self`, because the daemon, the bundle and the probe need the list of what there is without
    /// starting anything; so it must depend on the code alone.
    fn resources() -> Resources<Self> {
        Resources::new()
    }

    /// What the plugin serves itself, beside its resources. As those it depends on the code alone.
    fn router() -> Router<Self> {
        Router::new()
    }

    /// How the schema of its tables comes to be; see [`migration`](crate::migration).
    ///
    /// As the router it depends on the code alone: the host runs the steps without running the plugin.
    fn migrations() -> Vec<Migration<Self>> {
        Vec::new()
    }

    /// Called when the last request is over. Whatever is still to be said or written belongs here.
    fn stop(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// What `GET /-/health` tells. A generation that is not healthy right after the switch is switched back.
    fn health(&self) -> impl Future<Output = Health> + Send {
        async { Health::Ok }
    }
}

/// What the attribute [`plugin`](crate::plugin) writes down about a plugin.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a plugin",
    note = "write `#[plugin(element = \"…\", types = [\"…\"])]` above `impl Plugin for {Self}`"
)]
pub trait Declared {
    /// The element whose code this is.
    const ELEMENT: &'static str;
    /// The element's version: that of the crate, unless the attribute says otherwise.
    const VERSION: &'static str;
    /// The slugs of the types it serves.
    const TYPES: &'static [&'static str];
}

/// The settings of a plugin that has none.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// How a plugin feels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    Ok,
    /// It does not, for this reason.
    Failing(String),
}

/// The document of `GET /-/health`.
#[derive(Debug, Serialize)]
pub(crate) struct HealthDocument<'a> {
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) version: &'a str,
    pub(crate) generation: u64,
}

/// Why a plugin cannot serve: a sentence for the operator.
///
/// Any error becomes one with `?`, told with its causes.
pub struct StartError(String);

impl StartError {
    /// Says `reason`: what happened, to what, what to do next.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl<E: std::error::Error> From<E> for StartError {
    fn from(error: E) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self(reason)
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

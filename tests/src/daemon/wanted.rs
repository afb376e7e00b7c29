//! What an element shall be, as a test asks for it.

use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::plugins::Plugin;

/// Longer than any rollout takes that is not stuck.
pub(super) const PREFER_WAIT: &str = "wait=60";

/// What an element shall be.
#[derive(Debug, Clone)]
pub struct Wanted {
    name: String,
    document: Value,
}

impl Wanted {
    /// This version of this element, in the daemon's own process, with nothing set or granted.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        // All of it, because what is left out stays as it is.
        let document = json!({
            "version": version,
            "isolation": "none",
            "settings": {},
            "mounts": [],
            "listeners": {},
        });
        Self { name: name.to_owned(), document }
    }

    /// The element that `plugin` is the code of.
    #[must_use]
    pub fn of(plugin: &Plugin) -> Self {
        Self::new(&plugin.element, &plugin.version)
    }

    /// In a worker process.
    #[must_use]
    pub fn isolated(self) -> Self {
        self.with("isolation", json!("process"))
    }

    /// Asks a daemon for it and waits for the end of that, good or bad.
    pub async fn put(&self, client: &Client) -> Reply {
        let Self { name, document } = self;
        client.put(&format!("/v1/elements/{name}"), &[("prefer", PREFER_WAIT)], document).await
    }

    /// Asks a daemon for it that may not live to answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn try_put(&self, client: &Client) -> anyhow::Result<Reply> {
        let Self { name, document } = self;
        let (path, fields) = (format!("/v1/elements/{name}"), [("prefer", PREFER_WAIT)]);
        client.try_send(Client::document(Method::PUT, &path, &fields, document)).await
    }

    /// With this field of the document: `settings`, `mounts`, `listeners`.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.document[field] = value;
        self
    }
}

//! The outgoing call: a greeting, sent to a server that the operator names.

use std::time::Duration;

use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::json;
use reqwest::{Client, Url};

/// A server that is slower than this is none.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Webhook {
    /// Made once: it keeps connections. They are closed when the plugin is dropped.
    client: Client,
    url: Url,
}

impl Webhook {
    /// Checks the setting where the operator sees it: at the start, before anything is switched.
    pub(crate) fn new(url: &str) -> Result<Self, StartError> {
        let url: Url = url
            .parse()
            .map_err(|error| StartError::new(format!("setting `webhook`: `{url}`: {error}")))?;
        if url.scheme() != "http" {
            return Err(StartError::new(format!("setting `webhook`: `{url}` is not http://")));
        }
        Ok(Self { client: Client::builder().timeout(TIMEOUT).build()?, url })
    }

    /// Sends a greeting. What goes wrong is the other server's fault, and the client is told so.
    pub(crate) async fn send(&self, greeting: &str) -> Result<(), Problem> {
        let request = self.client.post(self.url.clone()).json(&json!({"greeting": greeting}));
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let Err(error) = answer else { return Ok(()) };
        tracing::warn!("the webhook did not take a greeting: {error}");
        let detail = "the webhook did not take the greeting; the instance is as it was";
        Err(Problem::new(StatusCode::BAD_GATEWAY, "WEBHOOK_FAILED", detail)
            .hint("see that the server behind the setting `webhook` answers, then try again"))
    }
}

//! The check after the switch: the plugin's health route, through the published table.
//!
//! It takes the way of every request, table, lease, lane and all, so what it proves is that clients are
//! served, not that a process was started.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plugin_abi::descriptor::Descriptor;
use plugin_abi::request::{BodyKind, Identity, RequestHead};
use plugin_abi::response::ResponseHead;
use plugin_abi::wire::WireError;

use crate::plugin::Plugins;
use crate::plugin::conversation::Answer;
use crate::plugin::lease::Lease;
use crate::plugin::table::{Found, Resolved, TYPES_PREFIX};

/// How long a health route may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How much of a plugin's own words about its health is told.
const REASON_CHARS_MAX: usize = 300;

/// Asks every type of a plugin for its health.
///
/// # Errors
/// What the first that is not well answers.
pub(super) async fn check(plugins: &Plugins, descriptor: &Descriptor) -> Result<(), String> {
    for declared in &descriptor.types {
        let path = format!("{TYPES_PREFIX}{}/-/health", declared.slug);
        ask(plugins, &path).await.map_err(|reason| format!("GET {path}: {reason}"))?;
    }
    Ok(())
}

async fn ask(plugins: &Plugins, path: &str) -> Result<(), String> {
    let (found, lease) = {
        let table = plugins.tables.load();
        let Resolved::Route(found) = table.resolve("GET", path) else {
            return Err("the plugin has no such route".to_owned());
        };
        let lease = Lease::take(Arc::clone(&found.generation));
        (found, lease.ok_or("the generation takes no requests")?)
    };
    let conversation = &lease.generation().conversation;
    let begun = conversation.begin(LIMIT, None, || request(path, &found));
    let answer = begun.map_err(|refused| refused.to_string())?.answer().await;
    let (status, body) = match answer {
        Answer::Whole(whole) => (status_of(whole.head()), whole.into_body()),
        Answer::Chunked { head, .. } | Answer::Upgrade { head, .. } => {
            (status_of(&head), Bytes::new())
        }
        Answer::Failed(fault) => return Err(fault.to_string()),
    };
    match status {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(format!("status {status}{}", in_its_words(&body))),
        Err(malformed) => Err(malformed.to_string()),
    }
}

fn status_of(head: &[u8]) -> Result<u16, WireError> {
    ResponseHead::decode(head).map(|head| head.status)
}

/// What the plugin says about its own health.
fn in_its_words(body: &[u8]) -> String {
    let document: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let reason = document.get("reason").and_then(serde_json::Value::as_str);
    reason.map_or_else(String::new, |reason| {
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        format!(" ({reason})")
    })
}

fn request(path: &str, found: &Found<'_>) -> Vec<u8> {
    let head = RequestHead {
        route: found.route,
        deadline_ms: u32::try_from(LIMIT.as_millis()).unwrap_or(u32::MAX),
        body: BodyKind::Whole,
        method: "GET",
        path,
        query: None,
        params: &found.params,
        identity: Identity { principal: "system:rollout", project: None },
        request_id: "rollout-check",
        traceparent: None,
        headers: std::iter::empty(),
    };
    head.encode(&[])
}

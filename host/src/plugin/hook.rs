//! Calling a hook: a request that the host makes of a generation, by a name, with a document in and one out.
//!
//! A hook takes the way of every request, so it has a deadline, ends with its generation, and counts among
//! what the plugin works on. No client can make one. Not here: what the hooks are called and what they mean.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plugin_abi::request::{BodyKind, HOOK_ROUTE, Identity, RequestHead};
use plugin_abi::response::ResponseHead;
use serde_json::Value;

use super::conversation::{Answer, Fault, Refused};
use super::generation::Generation;
use super::lease::Lease;

/// How much of a plugin's own words is told.
const REASON_CHARS_MAX: usize = 300;

/// Why a hook came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// The generation is on its way out.
    #[error("the plugin takes no more calls")]
    Closed,
    /// It is too busy, or gone.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It did not answer.
    #[error(transparent)]
    Failed(#[from] Fault),
    /// It answered that it cannot, or will not.
    #[error("hook `{hook}` answered with status {status}{reason}")]
    Status {
        /// Which hook.
        hook: String,
        /// What it answered.
        status: u16,
        /// What it said about that.
        reason: String,
    },
    /// It answered something that is no document.
    #[error("hook `{hook}` did not answer with a JSON document: {reason}")]
    Nonsense {
        /// Which hook.
        hook: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Calls a hook and waits for its answer.
///
/// # Errors
/// Why there is none.
///
/// # Cancellation
/// Dropping the future tells the plugin that nobody waits.
pub(crate) async fn call(
    generation: &Arc<Generation>,
    name: &str,
    body: &Value,
    limit: Duration,
) -> Result<Value, HookError> {
    let lease = Lease::take(Arc::clone(generation)).ok_or(HookError::Closed)?;
    let conversation = &lease.generation().conversation;
    let mut pending = conversation.begin(limit, None, || request(name, body, limit))?;
    let nonsense = |reason: String| HookError::Nonsense { hook: name.to_owned(), reason };
    let whole = match pending.answer().await {
        Answer::Whole(whole) => whole,
        Answer::Failed(fault) => return Err(HookError::Failed(fault)),
        Answer::Chunked { .. } | Answer::Upgrade { .. } => {
            return Err(nonsense("it answered with a stream".to_owned()));
        }
    };
    let head = ResponseHead::decode(whole.head()).map_err(|error| nonsense(error.to_string()))?;
    let (status, body) = (head.status, whole.into_body());
    if status != 200 {
        let reason = in_its_words(&body);
        return Err(HookError::Status { hook: name.to_owned(), status, reason });
    }
    serde_json::from_slice(&body).map_err(|error| nonsense(error.to_string()))
}

fn request(name: &str, body: &Value, limit: Duration) -> Vec<u8> {
    let head = RequestHead {
        route: HOOK_ROUTE,
        deadline_ms: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX),
        body: BodyKind::Whole,
        method: "HOOK",
        path: name,
        query: None,
        params: &[],
        identity: Identity { principal: "system:host", project: None },
        request_id: "hook",
        traceparent: None,
        headers: std::iter::empty(),
    };
    head.encode(body.to_string().as_bytes())
}

/// The sentence of a problem document, or whatever was said.
fn in_its_words(body: &Bytes) -> String {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let said =
        ["detail", "reason", "title"].into_iter().find_map(|key| document.get(key)?.as_str());
    let said: String = said.unwrap_or_default().chars().take(REASON_CHARS_MAX).collect();
    if said.is_empty() { said } else { format!(" ({said})") }
}

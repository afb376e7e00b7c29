//! Requests that nobody waits for any more.

use std::sync::Arc;

use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::json;
use plugin_sdk::testing;
use plugin_sdk::testing::EndOutcome;
use plugin_sdk::tokio::sync::{Notify, mpsc};

#[derive(Default)]
struct Patient {
    begun: Arc<Notify>,
    dropped: Arc<Notify>,
}

#[plugin(element = "patient", types = ["patient"])]
impl Plugin for Patient {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/for-ever", for_ever)
            .get("/begun", |it: State<Self>| async move { it.begun.notified().await })
            .get("/dropped", |it: State<Self>| async move { it.dropped.notified().await })
            .get("/quick", || async { "quick" })
            .get("/endless", endless)
    }
}

struct Tell(Arc<Notify>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn for_ever(it: State<Patient>) -> &'static str {
    let _tell = Tell(Arc::clone(&it.dropped));
    it.begun.notify_one();
    std::future::pending().await
}

async fn endless(it: State<Patient>) -> StreamBody {
    let tell = Tell(Arc::clone(&it.dropped));
    StreamBody::written(|body| async move {
        let _tell = tell;
        loop {
            body.send("more").await?;
        }
    })
}

#[plugin_sdk::test]
async fn a_cancelled_request_drops_its_handler_and_then_says_so() {
    let plugin = testing::start::<Patient>(json!({})).await.unwrap();
    let pending = plugin.request("GET", "/for-ever").begin();
    plugin.get("/begun").await;
    assert_eq!(pending.cancel().await.unwrap(), EndOutcome::Cancelled);
    assert_eq!(plugin.get("/dropped").await.status(), 204);
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn a_request_that_has_ended_says_nothing_when_it_is_cancelled() {
    let plugin = testing::start::<Patient>(json!({})).await.unwrap();
    let pending = plugin.request("GET", "/quick").begin();
    // A request is answered before the plugin looks at what came after it.
    let answer = pending.cancel().await.unwrap_err();
    assert_eq!(answer.text().await, "quick");
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn a_client_that_goes_while_it_reads_a_body_ends_the_body() {
    let plugin = testing::start::<Patient>(json!({})).await.unwrap();
    let mut answer = plugin.get("/endless").await;
    assert_eq!(answer.chunk().await.unwrap().as_deref(), Some(&b"more"[..]));
    assert_eq!(answer.cancel().await, EndOutcome::Cancelled);
    plugin.get("/dropped").await;
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn a_body_that_is_never_sent_can_be_cancelled_too() {
    let (_chunks, body) = mpsc::unbounded_channel();
    let plugin = testing::start::<Patient>(json!({})).await.unwrap();
    let pending = plugin.request("GET", "/for-ever").body_from(body).begin();
    plugin.get("/begun").await;
    assert_eq!(pending.cancel().await.unwrap(), EndOutcome::Cancelled);
}

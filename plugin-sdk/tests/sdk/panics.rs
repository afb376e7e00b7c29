//! What a panic costs.
#![expect(clippy::panic, reason = "panics are what is tested")]

use std::sync::Arc;

use plugin_abi::root::AbiExit;
use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::json;
use plugin_sdk::testing;
use plugin_sdk::tokio::task::{spawn_blocking, yield_now};

#[derive(PartialEq)]
struct Clumsy {
    at: At,
}

#[json(deserialize)]
#[derive(Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
enum At {
    Start,
    Stop,
    Drop,
    Background,
    Never,
}

impl schemars::JsonSchema for At {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "At".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::Schema::default()
    }
}

#[settings]
struct Settings {
    at: At,
}

#[plugin(element = "clumsy", types = ["clumsy"])]
impl Plugin for Clumsy {
    type Settings = Settings;

    async fn start(context: Context, settings: Settings) -> Result<Self, StartError> {
        if settings.at == At::Background {
            context.spawn("falls", async {
                yield_now().await;
                panic!("fell in the background");
            });
        }
        assert!(settings.at != At::Start, "fell in start");
        Ok(Self { at: settings.at })
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/at-once", at_once)
            .get("/later", later)
            .get("/blocking", blocking)
            .get("/in-body", in_body)
            .get("/fine", || async { "fine" })
    }

    async fn stop(self: Arc<Self>) {
        assert!(self.at != At::Stop, "fell in stop");
    }
}

impl Drop for Clumsy {
    fn drop(&mut self) {
        assert!(self.at != At::Drop, "fell in drop");
    }
}

async fn at_once() -> String {
    panic!("fell at {}", "once")
}

async fn later() -> String {
    yield_now().await;
    panic!("fell later");
}

async fn blocking() -> String {
    match spawn_blocking(|| panic!("fell on a thread")).await {
        Ok(never) => never,
        Err(error) => format!("joined a panic: {}", error.is_panic()),
    }
}

struct Falling;

impl futures_core::Stream for Falling {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        panic!("fell in the body")
    }
}

async fn in_body() -> StreamBody {
    StreamBody::new(Falling)
}

#[plugin_sdk::test]
async fn a_panic_in_a_handler_costs_that_request() {
    let plugin = testing::start::<Clumsy>(json!({"at": "never"})).await.unwrap();
    for (path, message) in [("/at-once", "fell at once"), ("/later", "fell later")] {
        let pending = plugin.request("GET", path).begin();
        let number = pending.number();
        assert_eq!(pending.answer().await.status(), 500, "{path}");
        let panics = plugin.panics();
        let panic = panics.last().unwrap();
        assert_eq!(panic.request, Some(number));
        assert!(panic.message.starts_with(message), "{}", panic.message);
        assert!(panic.message.contains("panics.rs:"), "{}", panic.message);
        assert!(panic.backtrace.contains("panics"), "{}", panic.backtrace);
    }
    assert_eq!(plugin.get("/fine").await.text().await, "fine");
    let ended = plugin.stop().await;
    assert_eq!(ended.exit, AbiExit::Stopped);
    assert_eq!(ended.panics.len(), 2);
}

#[plugin_sdk::test]
async fn a_panic_in_a_body_breaks_it_off() {
    let plugin = testing::start::<Clumsy>(json!({"at": "never"})).await.unwrap();
    let mut answer = plugin.get("/in-body").await;
    assert_eq!(answer.chunk().await.unwrap_err().0, testing::EndOutcome::Broken);
    assert!(plugin.panics()[0].request.is_some());
    assert_eq!(plugin.get("/fine").await.text().await, "fine");
}

#[plugin_sdk::test]
async fn a_panic_on_another_thread_is_a_log_line_and_reaches_whoever_joins() {
    let plugin = testing::start::<Clumsy>(json!({"at": "never"})).await.unwrap();
    assert_eq!(plugin.get("/blocking").await.text().await, "joined a panic: true");
    let ended = plugin.stop().await;
    assert!(ended.is_clean());
    let line = &ended.logs[0];
    assert!(line.message.contains("fell on a thread"), "{}", line.message);
    assert_eq!(line.fields[0].0, "backtrace");
}

#[plugin_sdk::test]
async fn a_panic_in_start_is_told_and_nothing_serves() {
    let failure = testing::start::<Clumsy>(json!({"at": "start"})).await.unwrap_err();
    assert_eq!(failure.reason, "");
    assert_eq!(failure.panics[0].request, None);
    assert!(failure.panics[0].message.starts_with("fell in start"));
}

#[plugin_sdk::test]
async fn a_panic_in_shared_state_belongs_to_no_request() {
    for (at, exit) in
        [("stop", AbiExit::Panicked), ("drop", AbiExit::Panicked), ("background", AbiExit::Stopped)]
    {
        let plugin = testing::start::<Clumsy>(json!({ "at": at })).await.unwrap();
        assert_eq!(plugin.get("/fine").await.text().await, "fine");
        let ended = plugin.stop().await;
        assert_eq!(ended.exit, exit, "{at}");
        let requests: Vec<_> = ended.panics.iter().map(|panic| panic.request).collect();
        assert_eq!(requests, [None], "{at}");
        assert!(ended.panics[0].message.starts_with("fell in"), "{}", ended.panics[0].message);
    }
}

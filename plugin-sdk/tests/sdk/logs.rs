//! `tracing` ends in the host's log.

use plugin_abi::record::Level;
use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::json;
use plugin_sdk::testing::{self, LogLine};
use plugin_sdk::tracing::Instrument;

struct Talking;

#[plugin(element = "talking", types = ["talking"])]
impl Plugin for Talking {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        tracing::warn!(n = 1, "starting");
        Ok(Self)
    }

    fn router() -> Router<Self> {
        Router::new().get("/spans", spans).get("/thread", thread)
    }
}

async fn spans() {
    let outer = tracing::info_span!("outer", table = "notes");
    async {
        let inner = tracing::info_span!("inner", row = 7, late = tracing::field::Empty);
        inner.record("late", "x");
        inner.in_scope(|| tracing::error!(code = "E1", "cannot write {}", "it"));
        tracing::trace!("never heard");
    }
    .instrument(outer)
    .await;
    tracing::info!("after the spans");
}

async fn thread() -> StatusCode {
    let thread = std::thread::spawn(|| tracing::info!("from a thread of the author's"));
    match thread.join() {
        Ok(()) => StatusCode::OK,
        Err(_panicked) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn told(line: &LogLine) -> String {
    let fields: Vec<_> =
        line.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{:?} {} [{}]", line.level, line.message, fields.join(" "))
}

#[plugin_sdk::test]
async fn lines_carry_level_fields_spans_and_request() {
    let plugin = testing::start::<Talking>(json!({})).await.unwrap();
    plugin.get("/spans").await;
    assert_eq!(plugin.get("/thread").await.status(), 200);
    let lines: Vec<_> = plugin.stop().await.logs.iter().map(told).collect();
    assert_eq!(
        lines,
        [
            "Warn starting [n=1]",
            "Error cannot write it [request_id=test-request table=notes row=7 late=x code=E1]",
            "Info after the spans [request_id=test-request]",
            "Info from a thread of the author's []",
        ]
    );
    assert!(Level::Error < Level::Info);
}

//! Starting, stopping and what happens in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plugin_abi::record::Measurement;
use plugin_abi::root::AbiExit;
use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::tokio::io::{AsyncReadExt, AsyncWriteExt};
use plugin_sdk::tokio::net::{TcpListener, TcpStream};
use plugin_sdk::tokio::sync::Notify;
use plugin_sdk::tokio::task::spawn_blocking;
use plugin_sdk::tokio::time::sleep;
use plugin_sdk::{AbiError, ErrorCode, testing};

struct Living {
    settings: Settings,
    context: Context,
    begun: Notify,
    is_sick: AtomicBool,
}

#[settings]
struct Settings {
    #[serde(default)]
    refuse: bool,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    background_ms: u64,
}

#[settings]
#[derive(Default)]
struct Limits {
    n_items: u8,
}

#[plugin(element = "living", types = ["living"])]
impl Plugin for Living {
    type Settings = Settings;

    async fn start(context: Context, settings: Settings) -> Result<Self, StartError> {
        sleep(Duration::from_millis(1)).await;
        if settings.refuse {
            return Err(StartError::new("no port is free"));
        }
        "7".parse::<u8>()?;
        if settings.background_ms > 0 {
            let (own, duration) = (context.clone(), Duration::from_millis(settings.background_ms));
            context.spawn("goodbye", async move {
                own.stopping().await;
                sleep(duration).await;
                tracing::info!("background task is done");
            });
        }
        Ok(Self { settings, context, begun: Notify::new(), is_sick: AtomicBool::new(false) })
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/sleep/{ms}", sleepy)
            .get("/begun", |it: State<Self>| async move { it.begun.notified().await })
            .get("/tcp", tcp)
            .get("/blocking", blocking)
            .get("/measure", measure)
            .get("/service/{number}", service)
            .get("/limit", |it: State<Self>| async move { it.settings.limits.n_items.to_string() })
            .get(
                "/sicken",
                |it: State<Self>| async move { it.is_sick.store(true, Ordering::Relaxed) },
            )
    }

    async fn stop(self: Arc<Self>) {
        sleep(Duration::from_millis(1)).await;
        tracing::info!("stopped {}", self.context.element());
    }

    async fn health(&self) -> Health {
        match self.is_sick.load(Ordering::Relaxed) {
            true => Health::Failing("has a cold".to_owned()),
            false => Health::Ok,
        }
    }
}

async fn sleepy(it: State<Living>, Path(ms): Path<u64>) -> &'static str {
    it.begun.notify_one();
    sleep(Duration::from_millis(ms)).await;
    "slept"
}

async fn tcp() -> Result<String, Problem> {
    let refused = |error: std::io::Error| {
        Problem::new(StatusCode::BAD_GATEWAY, "BACKEND_UNREACHABLE", error.to_string())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let (accepted, client) = tokio::join!(listener.accept(), TcpStream::connect(address));
    let (mut server, _peer) = accepted.map_err(refused)?;
    let mut client = client.map_err(refused)?;
    client.write_all(b"over tcp").await.map_err(refused)?;
    client.shutdown().await.map_err(refused)?;
    let mut text = String::new();
    server.read_to_string(&mut text).await.map_err(refused)?;
    Ok(text)
}

async fn blocking() -> String {
    let name = spawn_blocking(|| {
        tracing::info!("from a blocking thread");
        std::thread::current().name().unwrap_or_default().to_owned()
    });
    name.await.unwrap_or_default()
}

async fn measure(context: Context) {
    context.counter("greetings", &[("to", "x")], 1.0);
    context.gauge("open", &[], 2.0);
    context.histogram("seconds", &[], 0.5);
}

async fn service(context: Context, Path(number): Path<u64>) -> Result<Vec<u8>, String> {
    let answer = context.service(number, b"question").await;
    answer.map(Vec::from).map_err(|error| format!("{:?}: {error}", error.code))
}

#[plugin_sdk::test]
async fn timers_sockets_and_blocking_threads_work_in_handlers() {
    let plugin = testing::start::<Living>(json!({})).await.unwrap();
    assert_eq!(plugin.get("/sleep/1").await.text().await, "slept");
    assert_eq!(plugin.get("/tcp").await.text().await, "over tcp");
    assert_eq!(plugin.get("/blocking").await.text().await, "plugin-blocking");
    assert!(plugin.logs().iter().any(|line| line.message == "from a blocking thread"));
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn settings_reach_the_plugin_and_a_bad_one_is_named() {
    let plugin = testing::start::<Living>(json!({"limits": {"n_items": 7}})).await.unwrap();
    assert_eq!(plugin.get("/limit").await.text().await, "7");
    for (settings, wanted) in [
        (
            json!({"limits": {"n_items": 300}}),
            "setting `limits.n_items` does not fit: invalid value",
        ),
        (json!({"limits": {}}), "setting `limits` does not fit: missing field `n_items`"),
        (json!({"lmits": {}}), "unknown field `lmits`, expected one of"),
        (json!(7), "the settings do not fit: invalid type: integer `7`"),
        (json!({"refuse": true}), "no port is free"),
    ] {
        let failure = testing::start::<Living>(settings.clone()).await.unwrap_err();
        assert!(failure.reason.contains(wanted), "{settings}: {failure}");
        assert!(failure.panics.is_empty());
    }
}

#[plugin_sdk::test]
async fn stop_waits_for_a_request_that_sleeps() {
    let plugin = testing::start::<Living>(json!({})).await.unwrap();
    let pending = plugin.request("GET", "/sleep/50").begin();
    plugin.get("/begun").await;
    let (ended, answer) = tokio::join!(plugin.stop(), pending.answer());
    assert_eq!(answer.text().await, "slept");
    assert!(ended.is_clean());
    assert_eq!(ended.logs.last().unwrap().message, "stopped living");
}

#[plugin_sdk::test]
async fn stop_waits_for_background_tasks_and_then_calls_the_plugin() {
    let plugin = testing::start::<Living>(json!({"background_ms": 20})).await.unwrap();
    let ended = plugin.stop().await;
    assert!(ended.is_clean());
    let messages: Vec<_> = ended.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(messages, ["background task is done", "stopped living"]);
}

#[plugin_sdk::test]
async fn what_runs_at_the_deadline_is_dropped_and_named() {
    let settings = json!({"background_ms": 600_000});
    let plugin = testing::start::<Living>(settings).await.unwrap();
    let pending = plugin.request("GET", "/sleep/600000").begin();
    plugin.get("/begun").await;
    let ended = plugin.stop_within(Duration::from_millis(50)).await;
    assert_eq!(ended.exit, AbiExit::Stopped);
    let logs = format!("{:?}", ended.logs);
    assert!(
        logs.contains(&format!("dropped: `request {}`, `goodbye`", pending.number())),
        "{logs}"
    );
    assert_eq!(pending.outcome().await.unwrap(), testing::EndOutcome::Cancelled);
}

#[plugin_sdk::test]
async fn health_is_there_without_a_line_and_can_be_said_otherwise() {
    let plugin = testing::start::<Living>(json!({})).await.unwrap();
    let healthy = plugin.get("/-/health").await;
    assert_eq!(healthy.status(), 200);
    let wanted = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "generation": 1});
    assert_eq!(healthy.json::<Value>().await, wanted);
    plugin.get("/sicken").await;
    let sick = plugin.get("/-/health").await;
    assert_eq!(sick.status(), 503);
    assert_eq!(sick.json::<Value>().await["reason"], "has a cold");
}

#[plugin_sdk::test]
async fn measurements_reach_the_host() {
    let plugin = testing::start::<Living>(json!({})).await.unwrap();
    plugin.get("/measure").await;
    let metrics = plugin.metrics();
    let told: Vec<_> = metrics.iter().map(|it| (it.name.as_str(), it.measurement)).collect();
    let wanted = [
        ("greetings", Measurement::Add(1.0)),
        ("open", Measurement::Set(2.0)),
        ("seconds", Measurement::Observe(0.5)),
    ];
    assert_eq!(told, wanted);
    assert_eq!(metrics[0].labels, [("to".to_owned(), "x".to_owned())]);
}

#[plugin_sdk::test]
async fn services_are_asked_and_their_refusals_told() {
    let host = testing::Host::default().services(|service, payload| match service {
        7 => Ok(payload.to_ascii_uppercase()),
        _other => Err(AbiError::new(ErrorCode::Denied, "not yours")),
    });
    let plugin = host.start::<Living>(json!({})).await.unwrap();
    assert_eq!(plugin.get("/service/7").await.text().await, "QUESTION");
    assert_eq!(plugin.get("/service/8").await.text().await, "Denied: not yours");
}

#[plugin_sdk::test]
async fn a_plugin_can_be_run_again_and_again_in_one_process() {
    for _run in 0..3 {
        let plugin = testing::start::<Living>(json!({})).await.unwrap();
        assert_eq!(plugin.get("/sleep/1").await.text().await, "slept");
        assert!(plugin.stop().await.is_clean());
    }
}

#[plugin_sdk::test]
async fn many_requests_at_once_are_all_answered() {
    let plugin = testing::start::<Living>(json!({})).await.unwrap();
    let pending: Vec<_> = (0..500)
        .map(|idx| plugin.request("GET", ["/sleep/2", "/limit"][idx % 2]).begin())
        .collect();
    for (idx, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.answer().await.text().await, ["slept", "0"][idx % 2]);
    }
    assert!(plugin.stop().await.is_clean());
}

//! Runs a plugin in a test, without a daemon: the real run loop on a thread of its own, against a real
//! mailbox, with a small host behind it.
//!
//! ```
//! # use plugin_sdk::prelude::*;
//! # struct Hello;
//! # #[plugin(element = "hello", types = ["hello"])]
//! # impl Plugin for Hello {
//! #     async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> { Ok(Hello) }
//! #     fn router() -> Router<Self> { Router::new().get("/greet/{name}", greet) }
//! # }
//! # async fn greet(Path(name): Path<String>) -> String { format!("hello {name}") }
//! use plugin_sdk::testing;
//!
//! # testing::block_on(async { // in a test: #[plugin_sdk::test] async fn greets_by_name() {
//! let plugin = testing::start::<Hello>(serde_json::json!({})).await.unwrap();
//! let answer = plugin.get("/greet/you").await;
//! assert_eq!(answer.status(), 200);
//! assert_eq!(answer.text().await, "hello you");
//! assert!(plugin.stop().await.is_clean());
//! # });
//! # use plugin_sdk::serde_json;
//! ```
//!
//! Requests find their routes through the descriptor, as in a daemon; a path that is not found as it
//! stands is looked up under the first type. Not here: identity checks, limits and deadlines of the host.
#![expect(clippy::panic, reason = "a test that cannot go on says so by a panic")]
#![expect(
    clippy::result_large_err,
    reason = "an unwanted answer is an error that a test looks at once"
)]

mod answer;
#[cfg(feature = "testing-database")]
mod database;
mod host;
mod request;
mod resource;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use plugin_abi::api::HostApi;
use plugin_abi::database::Backend;
use plugin_abi::descriptor::{Descriptor, SCHEMA_VERSION, StartDocument, TypeDescriptor};
use plugin_abi::host::{collect_descriptor, export_forever, generation_info};
use plugin_abi::message::Inbound;
use plugin_abi::root::{AbiExit, Mode};
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::sync::oneshot;

pub use plugin_abi::message::EndOutcome;

pub use self::answer::{Answer, Ended, Over, Pending};
#[cfg(feature = "testing-database")]
pub use self::database::Database;
pub use self::host::{LogLine, Metric, PanicNote};
use self::host::{Port, Start};
use self::request::Routes;
pub use self::request::TestRequest;
pub use self::resource::stored;
use crate::AbiError;
use crate::plugin::Plugin;
use crate::runtime::{describe, run};
#[cfg(feature = "ws")]
use crate::web_socket::Socket;

/// How long a plugin may take to stop in a test.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Runs a test that waits for things.
///
/// # Panics
/// When no runtime can be made, or `test` panics.
pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a test may open a few files").block_on(test)
}

/// The descriptor of a plugin; the text of what is wrong with it when it has none.
///
/// # Errors
/// As `metapaas plugin check` tells it.
pub fn descriptor<P: Plugin>() -> Result<Descriptor, String> {
    let document = descriptor_bytes::<P>();
    serde_json::from_slice(&document)
        .map_err(|_no_descriptor| String::from_utf8_lossy(&document).into_owned())
}

/// The bytes of the descriptor, as they stand in a bundle.
#[must_use]
pub fn descriptor_bytes<P: Plugin>() -> Vec<u8> {
    collect_descriptor(describe::<P>)
}

/// Starts a plugin with these settings.
///
/// # Errors
/// When it does not start: the reason it gave, or how it panicked.
pub async fn start<P: Plugin>(settings: Value) -> Result<TestPlugin, StartFailure> {
    Host::default().start::<P>(settings).await
}

/// The host that a plugin is started on, with its services.
#[derive(Debug, Default)]
pub struct Host {
    services: host::Services,
    /// `None` for one of its own, with the plugin's migrations applied.
    #[cfg(feature = "testing-database")]
    database: Option<Database>,
}

impl Host {
    /// Answers [`Context::service`](crate::Context::service); without it services are `Unavailable`.
    #[must_use]
    pub fn services(
        mut self,
        answer: impl Fn(u64, &[u8]) -> Result<Vec<u8>, AbiError> + Send + Sync + 'static,
    ) -> Self {
        self.services = host::Services::answered_by(answer);
        self
    }

    /// Puts these tables behind the plugin, as they are: no migration is applied to them.
    #[cfg(feature = "testing-database")]
    #[must_use]
    pub fn database(mut self, database: &Database) -> Self {
        self.database = Some(database.clone());
        self
    }

    /// As [`start`].
    ///
    /// # Errors
    /// As [`start`].
    ///
    /// # Panics
    /// When the plugin has no descriptor, or outside of a tokio runtime.
    pub async fn start<P: Plugin>(self, settings: Value) -> Result<TestPlugin, StartFailure> {
        let descriptor = match descriptor::<P>() {
            Ok(descriptor) => descriptor,
            Err(reason) => return Err(StartFailure { reason, panics: Vec::new() }),
        };
        #[cfg(feature = "testing-database")]
        let database = self.database.unwrap_or_else(|| Database::new().migrate::<P>().clone());
        let (port, started) = Port::new(
            self.services,
            #[cfg(feature = "testing-database")]
            database,
        );
        let api = export_forever(&port);
        let document = StartDocument {
            schema_version: SCHEMA_VERSION,
            element: descriptor.element.clone(),
            version: descriptor.version.clone(),
            settings,
            database: Backend::Sqlite,
        };
        let (said_exit, exit) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(format!("plugin:{}", P::ELEMENT))
            .spawn(move || run_once::<P>(api, &document, said_exit))
            .expect("a test may start a thread");
        match started.await {
            Ok(Start::Started) => {}
            Ok(Start::Failed(reason)) => {
                return Err(StartFailure { reason, panics: port.panics() });
            }
            // The port is alive, so this cannot be; and if it were, the panic says more.
            Err(_gone) => unreachable!("the port outlives the start"),
        }
        let _stop = StopOnDrop(Arc::clone(&port));
        let types = descriptor.types.clone();
        Ok(TestPlugin { routes: Routes::of(descriptor), types, port, exit, thread, _stop })
    }
}

fn run_once<P: Plugin>(
    api: HostApi,
    document: &StartDocument,
    said_exit: oneshot::Sender<AbiExit>,
) {
    let document = serde_json::to_vec(document).expect("a start document is JSON");
    let exit = run::<P>(api, generation_info(1, Mode::Serve, &document));
    // A test that does not ask how it ended has dropped the other end.
    let _unasked = said_exit.send(exit);
}

/// Why a plugin did not start.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct StartFailure {
    /// What it said; empty when it panicked.
    pub reason: String,
    /// Its panics.
    pub panics: Vec<PanicNote>,
}

/// A plugin that serves. Dropping it tells it to stop and does not wait.
#[derive(Debug)]
pub struct TestPlugin {
    routes: Routes,
    types: Vec<TypeDescriptor>,
    port: Arc<Port>,
    exit: oneshot::Receiver<AbiExit>,
    thread: JoinHandle<()>,
    _stop: StopOnDrop,
}

/// Tells the plugin of a test that is over to stop.
#[derive(Debug)]
struct StopOnDrop(Arc<Port>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.post(Inbound::Stop { deadline_ms: 0 });
    }
}

impl TestPlugin {
    /// `GET path`, up to the head of the answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send().await
    }

    /// `POST path` with a JSON body.
    pub async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send().await
    }

    /// Calls a hook, as the daemon does.
    pub async fn hook(&self, name: &str, body: &Value) -> Answer {
        TestRequest::of_hook(self, name).json(body).send().await
    }

    /// Calls a backfill until it says that it is done, and gives the number of rows that it filled in.
    ///
    /// # Panics
    /// When there is no such backfill, or it fails.
    pub async fn backfill(&self, name: &str) -> u64 {
        let (mut cursor, mut n_rows) = (Value::Null, 0);
        loop {
            let body = serde_json::json!({"cursor": cursor});
            let answer = self.hook(&format!("backfill:{name}"), &body).await;
            assert!(answer.status().is_success(), "backfill `{name}`: {}", answer.text().await);
            let progress: Value = answer.json().await;
            n_rows += progress["rows"].as_u64().unwrap_or_default();
            if progress["done"] == true {
                return n_rows;
            }
            cursor = progress["cursor"].clone();
        }
    }

    /// A request that is put together step by step.
    #[must_use]
    pub fn request(&self, method: &str, path: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, path)
    }

    /// Asks to upgrade a connection to `protocol`, and gives the client's end of it.
    ///
    /// # Errors
    /// The plugin's answer when it does not agree.
    pub async fn upgrade(&self, path: &str, protocol: &str) -> Result<DuplexStream, Answer> {
        let request = self.request("GET", path);
        let request = request.header("connection", "upgrade").header("upgrade", protocol);
        request.send().await.into_stream()
    }

    /// Opens a WebSocket and gives the client's end of it.
    ///
    /// # Errors
    /// The plugin's answer when it does not agree.
    #[cfg(feature = "ws")]
    pub async fn web_socket(&self, path: &str) -> Result<Socket<DuplexStream>, Answer> {
        let request = self.request("GET", path).header("connection", "keep-alive, Upgrade");
        let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
        let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        Ok(Socket::of_client(request.send().await.into_stream()?).await)
    }

    /// Connects to a listener of the plugin, and gives the client's end.
    #[must_use]
    pub fn connect(&self, listener: &str) -> DuplexStream {
        self.port.connect(listener)
    }

    /// Tells it to stop and waits for the end.
    pub async fn stop(self) -> Ended {
        self.stop_within(STOP_DEADLINE).await
    }

    /// As [`TestPlugin::stop`], with a deadline of its own.
    ///
    /// # Panics
    /// When a panic left the plugin's thread, which the SDK promises never happens.
    pub async fn stop_within(self, deadline: Duration) -> Ended {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.port.post(Inbound::Stop { deadline_ms });
        let Self { port, exit, thread, .. } = self;
        let exit = exit.await.expect("no panic leaves the plugin's thread");
        thread.join().expect("no panic leaves the plugin's thread");
        Ended { exit, logs: port.logs(), panics: port.panics() }
    }

    /// What it has written into the log so far.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.port.logs()
    }

    /// What it has measured so far.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.port.metrics()
    }

    /// Its panics so far.
    #[must_use]
    pub fn panics(&self) -> Vec<PanicNote> {
        self.port.panics()
    }
}

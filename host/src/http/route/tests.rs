//! The host's own routes over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::data::DataDir;
use crate::event::{self, Events};
use crate::http::problem::Code;
use crate::http::readiness::Standing;
use crate::http::server::{Listener, Server};
use crate::http::{Config, Writing, paging};
use crate::idempotency::{self, Attempts};
use crate::identity::{self, Identity, Token};
use crate::metrics::Metrics;
use crate::migration::{self, Migrations};
use crate::operation::Operations;
use crate::plugin::{self, Plugins};
use crate::resource;
use crate::resource::reconcile::{self, Reconciler};
use crate::resource::write::{Writes, writes};
use crate::rollout::{Elements, Folders};
use crate::secret::Secrets;
use crate::services::Offer;
use crate::shutdown::Tasks;
use crate::store::fence::Fences;
use crate::store::writer::Writer;
use crate::store::{self, Store};

mod operations;
mod resources;
mod types;
mod watched;
mod watching;

struct Daemon {
    state: Arc<State>,
    token: String,
    store: Store,
    address: SocketAddr,
    _server: Server,
    _directory: TempDir,
}

/// An answer as it came: the head, and the body.
struct Answered {
    head: String,
    body: String,
}

async fn start() -> Daemon {
    let directory = tempfile::tempdir().unwrap();
    let data = Arc::new(DataDir::open(directory.path()).unwrap());
    let mut token = String::new();
    let show = |shown: &Token| {
        token.push_str(shown.reveal());
        Ok(())
    };
    let store = Store::temporary(directory.path()).await;
    let opened =
        Identity::open(&data, &store, &identity::Config::default(), Config::default().rate(), show)
            .await;
    let identity = Arc::new(opened.unwrap());
    let events = Events::start(store.clone(), &event::Config::default(), &Tasks::default());
    let operations = Operations::new(store.clone(), events, Tasks::default());
    let page_key = paging::Key::open(&data).unwrap();
    let secrets = Secrets::for_tests();
    let (metrics, tasks) = (Metrics::new(), Tasks::default());
    let limits = plugin::Config::default();
    let fences = Fences::new(store.clone(), store::Config::default());
    let offer = Offer::new(fences.clone(), Tasks::default());
    let plugins =
        Plugins::open(limits, &data, metrics.plugin.clone(), offer, Tasks::default()).unwrap();
    let resources = resource::Config::default();
    let reconciler = Reconciler::new(reconcile::Parts {
        store: store.clone(),
        plugins: Arc::clone(&plugins),
        operations: operations.clone(),
        secrets: secrets.clone(),
        config: resources.clone(),
        tasks: Tasks::default(),
    });
    let writes = Writes::new(writes::Parts {
        store: store.clone(),
        writer: Writer::start(&store, &Tasks::default()),
        operations: operations.clone(),
        secrets: secrets.clone(),
        reconciler,
        plugins: Arc::clone(&plugins),
        pending: resource::sealed::Pending::default(),
        config: resources,
        tasks: Tasks::default(),
    });
    let attempts = Attempts::new(store.clone(), &idempotency::Config::default(), Tasks::default());
    let writing = Writing { writes, attempts };
    let migrations = Migrations::new(store.clone(), fences, migration::Config::default());
    let tasks_of_plugins = Tasks::default();
    let folders = Folders { bundles: data.join("bundles"), elements: None };
    let elements = Elements::open(
        plugins,
        tasks_of_plugins,
        store.clone(),
        operations,
        migrations,
        &data,
        folders,
    )
    .unwrap();
    let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::default() };
    let state =
        Arc::new(State::new(config, identity, metrics, elements, writing, page_key, tasks.clone()));
    let listener = Listener::bind(&state.config).await.unwrap();
    let address = listener.local_addr();
    let metrics = state.metrics.http.clone();
    let server = Server::start(listener, &state.config, metrics, tasks, Arc::clone(&state));
    Daemon { state, token, store, address, _server: server, _directory: directory }
}

impl Daemon {
    async fn ask(&self, method: &str, path: &str) -> Answered {
        self.ask_with(method, path, "").await
    }

    /// Asks with further headers, each with its end of line.
    async fn ask_with(&self, method: &str, path: &str, headers: &str) -> Answered {
        let mut stream = self.send(method, path, headers).await;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answered { head: head.to_owned(), body: body.to_owned() }
    }

    /// What the administrator makes.
    async fn post(&self, path: &str, document: &str) -> Value {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let (token, len) = (&self.token, document.len());
        let headers = format!("host: x\r\nauthorization: Bearer {token}\r\nconnection: close");
        let head = format!("POST {path} HTTP/1.1\r\n{headers}\r\ncontent-length: {len}");
        stream.write_all(format!("{head}\r\n\r\n{document}").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 201"), "{path}: {text}");
        serde_json::from_str(body).unwrap()
    }

    async fn send(&self, method: &str, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("host: x\r\nx-request-id: id\r\n{headers}connection: close");
        let request = format!("{method} {path} HTTP/1.1\r\n{head}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

impl Answered {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn is_problem(&self, status: &str, wanted: &Expect) {
        assert_eq!(self.status(), status, "{}", self.head);
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        wanted.assert_eq(&serde_json::to_string_pretty(&self.json()).unwrap());
    }
}

#[test]
fn one_trailing_slash_is_cut() {
    let cases =
        [("/", "/"), ("/v1/", "/v1"), ("/v1", "/v1"), ("/v1//", "/v1/"), ("*", "*"), ("", "")];
    for (path, wanted) in cases {
        assert_eq!(without_slash(path), wanted);
    }
}

#[tokio::test]
async fn a_trailing_slash_means_nothing_on_any_page() {
    let daemon = start().await;
    daemon.state.readiness.set("daemon", Standing::Ready);
    let pages = ["/healthz", "/readyz", "/version", "/v1", "/v1/problems", "/v1/problems/internal"];
    for page in pages {
        let without = daemon.ask("GET", page).await;
        let with = daemon.ask("GET", &format!("{page}/")).await;
        assert_eq!((without.status(), with.status()), ("200", "200"), "{page}");
        assert_eq!(without.body, with.body, "{page}");
    }
}

/// Whatever `/openapi.json` says of the host's own paths is asked: the methods of each, and what anybody may read.
#[tokio::test]
async fn every_own_path_has_the_methods_that_are_described() {
    let daemon = start().await;
    daemon.state.readiness.set("daemon", Standing::Ready);
    let document = daemon.ask("GET", "/openapi.json").await;
    assert_eq!(document.status(), "200", "{}", document.head);
    let etag = document.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again =
        daemon.ask_with("GET", "/openapi.json", &format!("if-none-match: {etag}\r\n")).await;
    assert_eq!(again.status(), "304");
    let token = format!("authorization: Bearer {}\r\n", daemon.token);
    for (path, described) in document.json()["paths"].as_object().unwrap() {
        let described = described.as_object().unwrap();
        let mut methods: Vec<_> = described.keys().map(|method| method.to_uppercase()).collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".to_owned());
        }
        methods.sort();
        let path = path
            .replace("{operation}", "0199aaaa-0000-7000-8000-000000000000")
            .replace("{element}", "hello")
            .replace("{type}", "demo")
            .replace("{version}", "1.0")
            .replace("{code}", "internal");
        let other = daemon.ask_with("TRACE", &path, &token).await;
        assert_eq!(other.status(), "405", "{path}: {}", other.head);
        let allow = other.head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap();
        let mut allowed: Vec<_> = allow.split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed, methods, "{path}");
        if described.get("get").is_some_and(|get| get["security"] == serde_json::json!([])) {
            assert_eq!(daemon.ask("GET", &path).await.status(), "200", "{path}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let daemon = start().await;
    let length = |answered: &Answered| {
        let line = answered.head.lines().find(|line| line.starts_with("content-length"));
        line.map(str::to_owned)
    };
    let (get, head) = (daemon.ask("GET", "/version").await, daemon.ask("HEAD", "/version").await);
    assert_eq!(length(&get), length(&head));
    assert_eq!((head.status(), head.body.as_str()), ("200", ""));
}

#[tokio::test]
async fn another_method_is_a_405_with_the_methods() {
    let daemon = start().await;
    for page in ["/healthz", "/v1/", "/metrics", "/v1/problems/internal"] {
        let answered = daemon.ask("POST", page).await;
        assert_eq!(answered.status(), "405", "{page}");
        assert!(answered.head.contains("\r\nallow: GET, HEAD\r\n"), "{}", answered.head);
        assert_eq!(answered.json()["code"], "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn a_path_of_nobody_is_a_problem() {
    let answered = start().await.ask("GET", "/nowhere?secret=1").await;
    answered.is_problem(
        "404",
        &expect![[r#"
        {
          "code": "ROUTE_NOT_FOUND",
          "detail": "Nothing answers at /nowhere.",
          "errors": [],
          "hint": "GET /v1/ lists where to begin.",
          "instance": "/nowhere",
          "message": "Nothing answers at /nowhere.",
          "operation_id": null,
          "path": "/nowhere",
          "request_id": "id",
          "retryable": false,
          "status": 404,
          "title": "No such route",
          "type": "/v1/problems/route-not-found"
        }"#]],
    );
}

#[tokio::test]
async fn readiness_says_why_not() {
    let daemon = start().await;
    daemon.ask("GET", "/readyz").await.is_problem(
        "503",
        &expect![[r#"
        {
          "code": "NOT_READY",
          "detail": "The daemon is not ready.",
          "errors": [],
          "hint": "Wait for what the reasons name.",
          "instance": "/readyz",
          "message": "The daemon is not ready.",
          "operation_id": null,
          "reasons": [
            {
              "part": "daemon",
              "reason": "starting"
            }
          ],
          "request_id": "id",
          "retryable": true,
          "status": 503,
          "title": "Not ready",
          "type": "/v1/problems/not-ready"
        }"#]],
    );
    daemon.state.readiness.set("daemon", Standing::Ready);
    assert_eq!(daemon.ask("GET", "/readyz").await.status(), "200");
}

#[tokio::test]
async fn every_code_is_listed_and_has_a_page() {
    let daemon = start().await;
    let list = daemon.ask("GET", "/v1/problems").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), Code::ALL.len());
    for item in list["items"].as_array().unwrap() {
        let page = daemon.ask("GET", item["type"].as_str().unwrap()).await;
        assert_eq!(&page.json(), item);
    }
    daemon.ask("GET", "/v1/problems/NO_SUCH").await.is_problem(
        "404",
        &expect![[r#"
        {
          "code": "NOT_FOUND",
          "detail": "There is no problem code NO_SUCH.",
          "errors": [],
          "hint": "GET /v1/problems lists the codes.",
          "instance": "/v1/problems/NO_SUCH",
          "message": "There is no problem code NO_SUCH.",
          "name": "NO_SUCH",
          "operation_id": null,
          "request_id": "id",
          "retryable": false,
          "status": 404,
          "title": "Not found",
          "type": "/v1/problems/not-found"
        }"#]],
    );
}

#[tokio::test]
async fn the_metrics_are_openmetrics_text() {
    let answered = start().await.ask("GET", "/metrics").await;
    assert!(answered.head.contains("content-type: application/openmetrics-text"));
    assert!(answered.body.ends_with("# EOF\n"), "{}", answered.body);
}

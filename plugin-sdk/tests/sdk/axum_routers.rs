//! Whole `axum::Router`s.
#![expect(clippy::panic, reason = "panics are what is tested")]

use axum::extract::{Path as AxumPath, State as AxumState};
use axum::routing::{get, post};
use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::json;
use plugin_sdk::testing;
use plugin_sdk::web_socket::Message;

struct Nested {
    name: String,
}

#[plugin(element = "nested", types = ["nested"])]
impl Plugin for Nested {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        Ok(Self { name: "nested".to_owned() })
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/native", || async { "native" })
            .axum("/app", app)
            .mount("/git", Router::new().axum("/", app))
    }
}

fn app(plugin: State<Nested>) -> axum::Router {
    axum::Router::new()
        .route("/", get(|AxumState(it): AxumState<State<Nested>>| async move { it.name.clone() }))
        .route("/{id}/x", get(|AxumPath(id): AxumPath<String>| async move { id }))
        .route("/uri", get(|uri: http::Uri| async move { uri.to_string() }))
        .route("/echo", post(|body: axum::body::Body| async move { body }))
        .route("/who", get(|who: Identity| async move { who.principal().to_owned() }))
        .route("/problem", get(|| async { Problem::not_found("no such thing") }))
        .route(
            "/cookies",
            get(|| async {
                axum::response::AppendHeaders([("set-cookie", "a=1"), ("set-cookie", "b=2")])
            }),
        )
        .route("/panic", get(panics))
        .route("/socket", get(socket))
        .with_state(plugin)
}

async fn panics() -> String {
    panic!("fell in axum");
}

async fn socket(web_socket: WebSocket) -> Response {
    web_socket.accept(|mut socket| async move {
        if let Some(Ok(message)) = socket.receive().await {
            // The test sees it when nothing comes back.
            let _gone = socket.send(message).await;
        }
    })
}

#[plugin_sdk::test]
async fn a_whole_router_is_served_under_its_prefix() {
    let plugin = testing::start::<Nested>(json!({})).await.unwrap();
    for (path, status, wanted) in [
        ("/native", 200, "native"),
        ("/app", 200, "nested"),
        ("/app/", 200, "nested"),
        ("/app/a%20b/x", 200, "a b"),
        ("/app/uri?q=1", 200, "/uri?q=1"),
        ("/app/who", 200, "user:test"),
        ("/app/none", 404, ""),
        ("/git/uri", 200, "/uri"),
        ("/git/", 200, "nested"),
    ] {
        let answer = plugin.get(path).await;
        let got = (answer.status().as_u16(), answer.text().await);
        assert_eq!(got, (status, wanted.to_owned()), "{path}");
    }
    let problem = plugin.get("/app/problem").await;
    assert_eq!(problem.status(), 404);
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    let cookies = plugin.get("/app/cookies").await;
    let cookies: Vec<_> = cookies.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn bodies_stream_through_a_whole_router() {
    let plugin = testing::start::<Nested>(json!({})).await.unwrap();
    for n_bytes in [0, 10, 3_000_000] {
        let body = vec![7; n_bytes];
        let answer = plugin.request("POST", "/app/echo").body(body.clone()).send().await;
        assert_eq!(answer.bytes().await, body);
    }
}

#[plugin_sdk::test]
async fn a_panic_in_a_whole_router_costs_the_request() {
    let plugin = testing::start::<Nested>(json!({})).await.unwrap();
    assert_eq!(plugin.get("/app/panic").await.status(), 500);
    assert!(plugin.panics()[0].message.starts_with("fell in axum"));
    assert_eq!(plugin.get("/app").await.text().await, "nested");
}

#[plugin_sdk::test]
async fn web_sockets_work_in_a_whole_router() {
    let plugin = testing::start::<Nested>(json!({})).await.unwrap();
    let mut socket = plugin.web_socket("/app/socket").await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.receive().await.unwrap().unwrap(), Message::text("hello"));
}

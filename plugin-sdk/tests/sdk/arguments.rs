//! Arguments of handlers.

use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::{HeaderMap, Headers, Request, RequestId, Route, http::Method, testing};

struct Arguments {
    greeting: String,
}

#[settings]
struct Settings {
    #[serde(default = "hello")]
    greeting: String,
}

fn hello() -> String {
    "hello".to_owned()
}

#[plugin(element = "arguments", types = ["arguments", "others"])]
impl Plugin for Arguments {
    type Settings = Settings;

    async fn start(_context: Context, settings: Settings) -> Result<Self, StartError> {
        Ok(Self { greeting: settings.greeting })
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/greet/{name}", greet)
            .get("/shelves/{shelf}/books/{number}", book)
            .get("/files/{*rest}", |Path(rest): Path<String>| async move { rest })
            .get("/search", search)
            .post("/sum", sum)
            .post("/strict", |Json(Strict { .. }): Json<Strict>| async {})
            .put("/text", |text: String| async move { text.to_uppercase() })
            .delete("/bytes", |bytes: Bytes| async move { bytes.len().to_string() })
            .get("/who", who)
            .get("/fields", fields)
            .any("/raw", |request: Request<Self>| async move { request.method().to_owned() })
            .route(Route::new(Method::POST, "/small", small).body_bytes_max(2_000_000))
            .get("/eight", eight)
    }
}

async fn greet(State(it): State<Arguments>, Path(name): Path<String>) -> String {
    format!("{} {name}", it.greeting)
}

#[json(deserialize)]
struct Book {
    shelf: String,
    number: u16,
}

async fn book(Path(Book { shelf, number }): Path<Book>) -> String {
    format!("{number} on {shelf}")
}

#[json(deserialize)]
struct Search {
    q: String,
    page: Option<u32>,
}

async fn search(Query(Search { q, page }): Query<Search>) -> String {
    format!("{q} {page:?}")
}

#[json(deserialize)]
struct Sum {
    numbers: Vec<i64>,
}

#[json(deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it fits is asked")]
struct Strict {
    deep: Vec<Named>,
}

#[json(deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it fits is asked")]
struct Named {
    name: u8,
    kind: u8,
}

#[json]
struct Total {
    total: i64,
}

async fn sum(Json(sum): Json<Sum>) -> Json<Total> {
    Json(Total { total: sum.numbers.iter().sum() })
}

async fn who(identity: Identity, request_id: RequestId, context: Context) -> Json<Value> {
    Json(json!({
        "principal": identity.principal(), "project": identity.project(), "request": &*request_id,
        "element": context.element(), "generation": context.generation(),
    }))
}

async fn fields(headers: Headers, map: HeaderMap) -> String {
    format!("{:?} {:?} {}", headers.get("X-One"), headers.bytes("x-bytes"), map.len())
}

async fn small(body: Bytes) -> String {
    body.len().to_string()
}

#[expect(clippy::too_many_arguments, reason = "that many are allowed")]
async fn eight(
    _: State<Arguments>,
    _: Context,
    _: Identity,
    _: RequestId,
    _: Headers,
    _: HeaderMap,
    _: Query<Value>,
    body: String,
) -> String {
    body
}

async fn start() -> testing::TestPlugin {
    testing::start::<Arguments>(json!({})).await.expect("it starts")
}

#[plugin_sdk::test]
async fn parts_of_the_request_become_arguments() {
    let plugin = start().await;
    for (path, wanted) in [
        ("/greet/x", "hello x"),
        ("/greet/a%20b%2Fc", "hello a b/c"),
        ("/v1/types/others/greet/x", "hello x"),
        ("/shelves/top/books/7", "7 on top"),
        ("/files/a/b%20c", "a/b c"),
        ("/search?q=a+b%21&page=2", "a b! Some(2)"),
        ("/search?q=", " None"),
        ("/eight", ""),
    ] {
        let answer = plugin.get(path).await;
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.as_str()),
            (200, wanted),
            "{path}"
        );
    }
    let text = plugin.request("PUT", "/text").body("shout").send().await;
    assert_eq!(text.text().await, "SHOUT");
    let raw = plugin.request("BREW", "/raw").send().await;
    assert_eq!(raw.text().await, "BREW");
}

#[plugin_sdk::test]
async fn what_does_not_fit_is_answered_with_a_problem() {
    let plugin = start().await;
    let json = Some("application/json");
    for (method, path, content_type, body, status, code) in [
        ("GET", "/shelves/top/books/x", None, &b""[..], 404, "NOT_FOUND"),
        ("GET", "/greet/%ff", None, b"", 404, "NOT_FOUND"),
        ("GET", "/search?page=2", None, b"", 400, "INVALID_QUERY"),
        ("POST", "/sum", json, b"{", 400, "INVALID_JSON"),
        ("POST", "/sum", json, b"{\"numbers\":[1,\"x\"]}", 400, "INVALID_JSON"),
        ("POST", "/sum", json, b"{\"numbers\":[]} {}", 400, "INVALID_JSON"),
        ("POST", "/strict", json, b"{\"deep\":[{\"nmae\":1}]}", 400, "UNKNOWN_FIELD"),
        ("POST", "/sum", Some("text/plain"), b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("PUT", "/text", None, b"\xff", 400, "INVALID_TEXT"),
    ] {
        let mut request = plugin.request(method, path).body(body.to_vec());
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = request.send().await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem: Value = answer.json().await;
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["detail"], problem["message"]);
    }
}

#[plugin_sdk::test]
async fn an_invalid_member_is_named() {
    let plugin = start().await;
    let answer = plugin.post_json("/sum", &json!({"numbers": [1, "x"]})).await;
    let problem: Value = answer.json().await;
    assert_eq!(problem["member"], "numbers[1]");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("`numbers[1]` does not fit: invalid type: string \"x\""),
        "{detail}"
    );
}

#[plugin_sdk::test]
async fn an_unknown_member_is_named_with_the_nearest_known_one() {
    let plugin = start().await;
    for (body, member, hint) in [
        (json!({"deep": [{"nmae": 1}]}), "deep[0].nmae", "did you mean `name`?"),
        (json!({"deep": [{"color": 1}]}), "deep[0].color", "the members are `name`, `kind`"),
        (json!({"depp": []}), "depp", "did you mean `deep`?"),
    ] {
        let problem: Value = plugin.post_json("/strict", &body).await.json().await;
        assert_eq!((&problem["member"], &problem["hint"]), (&json!(member), &json!(hint)));
    }
}

#[plugin_sdk::test]
async fn a_family_of_json_types_is_json() {
    let plugin = start().await;
    for content_type in ["application/json; charset=utf-8", "application/merge-patch+json"] {
        let request = plugin.request("POST", "/sum").header("content-type", content_type);
        let answer = request.body(r#"{"numbers":[1,2]}"#).send().await;
        assert_eq!(answer.json::<Total>().await.total, 3);
    }
}

#[plugin_sdk::test]
async fn the_request_tells_who_asks() {
    let plugin = start().await;
    let request = plugin.request("GET", "/who").identity("key:ci", Some("p1"));
    let answer: Value = request.send().await.json().await;
    let wanted = json!({
        "principal": "key:ci", "project": "p1", "request": "test-request",
        "element": "arguments", "generation": 1,
    });
    assert_eq!(answer, wanted);
}

#[plugin_sdk::test]
async fn header_fields_are_found_whatever_their_case_and_bytes() {
    let plugin = start().await;
    let request = plugin.request("GET", "/fields").header("x-one", "1").header("x-bytes", [0xff]);
    assert_eq!(request.send().await.text().await, "Some(\"1\") Some([255]) 2");
}

#[plugin_sdk::test]
async fn a_large_body_is_pulled_and_collected_up_to_the_limit_of_its_route() {
    let plugin = start().await;
    for (n_bytes, status) in [(1_500_000, 200), (2_000_000, 200), (2_000_001, 413)] {
        let answer = plugin.request("POST", "/small").body(vec![7; n_bytes]).send().await;
        assert_eq!(answer.status(), status, "{n_bytes} bytes");
        let text = answer.text().await;
        assert!(text == n_bytes.to_string() || text.contains("BODY_TOO_LARGE"), "{text}");
    }
}

#[plugin_sdk::test]
async fn a_body_of_unknown_length_is_collected_too() {
    let plugin = start().await;
    let (chunks, body) = tokio::sync::mpsc::unbounded_channel();
    let pending = plugin.request("DELETE", "/bytes").body_from(body).begin();
    for _idx in 0..3 {
        chunks.send(Bytes::from_static(&[0; 1000])).unwrap();
    }
    drop(chunks);
    assert_eq!(pending.answer().await.text().await, "3000");
}

//! The plugin as its clients see it, on a real SQLite; one suite for both versions.

use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::testing::{self, Database, Host, TestPlugin};
use plugin_sdk::tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use plugin_sdk::tokio::net::TcpListener;
use plugin_sdk::uuid::Uuid;

use super::{Demo, IS_NEXT};

async fn made(plugin: &TestPlugin, name: &str) -> Value {
    let answer = plugin.post_json("/instances", &json!({"name": name})).await;
    assert_eq!(answer.status(), 201);
    let location = answer.header("location").unwrap().to_owned();
    let instance: Value = answer.json().await;
    assert_eq!(location, format!("/v1/types/demo/instances/{}", instance["id"].as_str().unwrap()));
    instance
}

#[plugin_sdk::test]
async fn an_instance_is_made_read_listed_and_deleted() {
    let plugin = testing::start::<Demo>(json!({})).await.unwrap();
    let instance = made(&plugin, "first").await;
    let id = instance["id"].as_str().unwrap();
    assert_eq!(Uuid::try_parse(id).unwrap().get_version_num(), 7);
    assert_eq!(instance["status"], "ACTIVE");
    assert_eq!(instance["created_at"].as_str().unwrap().len(), "2026-01-31T23:59:59.000Z".len());
    assert_eq!(instance["greeting"], if IS_NEXT { json!("hello") } else { Value::Null });
    for key in [id, "first"] {
        let read: Value = plugin.get(&format!("/instances/{key}")).await.json().await;
        assert_eq!(read, instance);
    }
    let list: Value = plugin.get("/instances").await.json().await;
    assert_eq!(list, json!({"items": [instance], "next_page_token": "", "total_size": 1}));
    for status in [204, 404] {
        assert_eq!(plugin.request("DELETE", "/instances/first").send().await.status(), status);
    }
    assert_eq!(plugin.get(&format!("/instances/{id}")).await.status(), 404);
    assert_eq!(plugin.metrics()[0].name, "demo_instances_made");
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn what_cannot_be_made_is_told_why() {
    let plugin = testing::start::<Demo>(json!({})).await.unwrap();
    made(&plugin, "first").await;
    let long = "x".repeat(64);
    for (body, status, code) in [
        (json!({"name": "first"}), 409, "NAME_TAKEN"),
        (json!({"name": "First"}), 400, "INVALID_NAME"),
        (json!({"name": "-"}), 400, "INVALID_NAME"),
        (json!({"name": ""}), 400, "INVALID_NAME"),
        (json!({"name": long}), 400, "INVALID_NAME"),
        (json!({"name": "01978c1e-8a54-7b7e-9d0c-5a0f2f6f1a01"}), 400, "INVALID_NAME"),
        (json!({"name": "x", "nmae": "y"}), 400, "UNKNOWN_FIELD"),
        (json!({}), 400, "INVALID_JSON"),
    ] {
        let answer = plugin.post_json("/instances", &body).await;
        assert_eq!(answer.status(), status, "{body}");
        assert_eq!(answer.json::<Value>().await["code"], code, "{body}");
    }
}

#[plugin_sdk::test]
async fn pages_repeat_and_lose_nothing() {
    let plugin = testing::start::<Demo>(json!({})).await.unwrap();
    for n in 0..5 {
        made(&plugin, &format!("n{n}")).await;
    }
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let page = format!("/instances?page_size=2&page_token={token}");
        let page: Value = plugin.get(&page).await.json().await;
        assert_eq!(page["total_size"], 5);
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|it| it["name"].as_str().unwrap().to_owned()));
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["n0", "n1", "n2", "n3", "n4"]);
    for (query, code) in
        [("page_token=x", "PAGE_TOKEN_MISMATCH"), ("page_size=-1", "INVALID_QUERY")]
    {
        let problem: Value = plugin.get(&format!("/instances?{query}")).await.json().await;
        assert_eq!(problem["code"], code);
    }
}

/// A server that takes one request and answers it.
async fn served_once(listener: TcpListener, status: &str) -> String {
    let (stream, _peer) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let (mut n_bytes, mut line) = (0, String::from("head"));
    while !line.trim().is_empty() {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            n_bytes = length.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; n_bytes];
    stream.read_exact(&mut body).await.unwrap();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(body).unwrap()
}

#[plugin_sdk::test]
async fn a_greeting_is_sent_to_the_webhook() {
    for (status, wanted) in [("204 No Content", 200), ("500 Internal Server Error", 502)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/greetings", listener.local_addr().unwrap());
        let settings = json!({"greeting": "hi", "webhook": url});
        let plugin = testing::start::<Demo>(settings).await.unwrap();
        made(&plugin, "first").await;
        let greet = plugin.request("POST", "/instances/first/actions/greet").begin();
        assert_eq!(served_once(listener, status).await, r#"{"greeting":"hi, first"}"#);
        assert_eq!(greet.answer().await.status(), wanted);
        assert!(plugin.stop().await.is_clean());
    }
}

#[plugin_sdk::test]
async fn an_action_needs_a_verb_and_an_instance_but_no_webhook() {
    let plugin = testing::start::<Demo>(json!({})).await.unwrap();
    made(&plugin, "first").await;
    let answer = plugin.request("POST", "/instances/first/actions/greet").send().await;
    assert_eq!(answer.json::<Value>().await, json!({"greeting": "hello, first", "sent": false}));
    for (path, code) in [
        ("/instances/first/actions/sing", "ACTION_NOT_FOUND"),
        ("/instances/second/actions/greet", "NOT_FOUND"),
    ] {
        let answer = plugin.request("POST", path).send().await;
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.json::<Value>().await["code"], code);
    }
}

#[plugin_sdk::test]
async fn a_webhook_that_cannot_be_called_is_told_at_the_start() {
    for webhook in ["https://example.com/", "nonsense"] {
        let failure = testing::start::<Demo>(json!({"webhook": webhook})).await.unwrap_err();
        let told = format!("setting `webhook`: `{webhook}`");
        assert!(failure.reason.starts_with(&told), "{}", failure.reason);
    }
}

#[plugin_sdk::test]
async fn the_schema_goes_forth_and_back() {
    let tables = Database::new();
    tables.migrate::<Demo>().undo::<Demo>();
    assert!(tables.rows("SELECT name FROM sqlite_schema").is_empty());
    tables.migrate::<Demo>().finalize::<Demo>();
    let plugin = Host::default().database(&tables).start::<Demo>(json!({})).await.unwrap();
    made(&plugin, "first").await;
}

#[cfg(feature = "next")]
#[plugin_sdk::test]
async fn rows_of_before_get_their_greeting() {
    let tables = Database::new();
    tables.migrate::<Demo>();
    let host = Host::default().database(&tables);
    let plugin = host.start::<Demo>(json!({"greeting": "hi"})).await.unwrap();
    let sql = "INSERT INTO demo_instances (id, name, created_at, updated_at) VALUES
               ('01978c1e-8a54-7b7e-9d0c-5a0f2f6f1aff', 'old', '2026-01-31T23:59:59.000000Z',
                '2026-01-31T23:59:59.000000Z')";
    assert!(tables.rows(sql).is_empty());
    let old: Value = plugin.get("/instances/old").await.json().await;
    assert_eq!(old["greeting"], "hi");
    assert_eq!(plugin.backfill("greetings").await, 1);
    assert_eq!(tables.rows("SELECT greeting FROM demo_instances"), [["hi"]]);
    assert_eq!(plugin.backfill("greetings").await, 0);
}

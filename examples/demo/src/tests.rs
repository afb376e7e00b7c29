//! What the plugin does with instances, on a real SQLite; one suite for both versions.

use plugin_sdk::resource::ResourceDocument;
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::testing::{self, Database};
use plugin_sdk::tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use plugin_sdk::tokio::join;
use plugin_sdk::tokio::net::TcpListener;

use super::{Demo, IS_NEXT, Instance};

/// As the daemon has it when 0.1.0 made it.
fn first() -> ResourceDocument {
    testing::stored("first", json!({"greeted": 2}))
}

#[plugin_sdk::test]
async fn what_is_made_keeps_the_greeting_of_its_day() {
    let plugin = testing::start::<Demo>(json!({"greeting": "hi"})).await.unwrap();
    let made = plugin.validate::<Instance>(None, &first()).await.unwrap();
    let wanted = if IS_NEXT { json!({"greeting": "hi"}) } else { json!({}) };
    assert_eq!(json!(made.fields), wanted);
    let changed = plugin.validate::<Instance>(Some(&first()), &first()).await.unwrap();
    assert!(changed.fields.is_empty() && changed.errors.is_empty());
}

#[plugin_sdk::test]
async fn a_greeting_is_answered_and_counted() {
    let plugin = testing::start::<Demo>(json!({})).await.unwrap();
    let mut instance = first();
    let acted = plugin.act::<Instance>(&instance, "greet", Value::Null).await.unwrap();
    assert_eq!(acted.output, json!({"greeting": "hello, first", "sent": false}));
    assert_eq!(json!(acted.fields), json!({"greeted": 3}));
    assert_eq!(plugin.metrics()[0].name, "demo_greetings");
    instance.fields.insert("greeting".to_owned(), "welcome".into());
    let acted = plugin.act::<Instance>(&instance, "greet", Value::Null).await.unwrap();
    let wanted = if IS_NEXT { "welcome, first" } else { "hello, first" };
    assert_eq!(acted.output["greeting"], wanted);
    assert!(plugin.stop().await.is_clean());
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
    for (status, wanted) in [("204 No Content", None), ("500 Internal Server Error", Some(502))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/greetings", listener.local_addr().unwrap());
        let settings = json!({"greeting": "hi", "webhook": url});
        let plugin = testing::start::<Demo>(settings).await.unwrap();
        let instance = first();
        let greet = plugin.act::<Instance>(&instance, "greet", Value::Null);
        let (acted, sent) = join!(greet, served_once(listener, status));
        assert_eq!(sent, r#"{"greeting":"hi, first"}"#);
        assert_eq!(acted.err().map(|answer| answer.status().as_u16()), wanted);
        assert!(plugin.stop().await.is_clean());
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

#[test]
fn the_schema_goes_forth_and_back() {
    let tables = Database::new();
    tables.migrate::<Demo>().finalize::<Demo>();
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'demo_instances_greeted'";
    assert_eq!(tables.rows(indexes), [[if IS_NEXT { 0 } else { 1 }]]);
    let tables = Database::new();
    tables.migrate::<Demo>().undo::<Demo>();
    assert!(tables.rows("SELECT name FROM sqlite_schema").is_empty());
}

#[cfg(feature = "next")]
#[plugin_sdk::test]
async fn instances_of_before_get_their_greeting() {
    let tables = Database::new();
    tables.migrate::<Demo>();
    let host = testing::Host::default().database(&tables);
    let plugin = host.start::<Demo>(json!({"greeting": "hi"})).await.unwrap();
    let sql = "INSERT INTO demo_instances (id, project_id, parent_id, name, description, labels, annotations,
               generation, observed_generation, revision, status, status_message, conditions, deletion_protection,
               created_at, updated_at, created_by) VALUES ('01978c1e-8a54-7b7e-9d0c-5a0f2f6f1aff',
               '01978c1e-8a54-7b7e-9d0c-5a0f2f6f1afe', '00000000-0000-0000-0000-000000000000', 'old', '', '{}', '{}',
               1, 1, 1, 'ACTIVE', '', '[]', false, '2026-01-31T23:59:59.000Z', '2026-01-31T23:59:59.000Z', 'user:x')";
    assert!(tables.rows(sql).is_empty());
    assert_eq!(plugin.backfill("greetings").await, 1);
    assert_eq!(tables.rows("SELECT greeting FROM demo_instances"), [["hi"]]);
    assert_eq!(plugin.backfill("greetings").await, 0);
}

//! Results of handlers.

use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::testing;

struct Answers;

#[plugin(element = "answers", types = ["answers"])]
impl Plugin for Answers {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/static", || async { "text" })
            .get("/string", || async { "text".to_owned() })
            .get("/vec", || async { b"bytes".to_vec() })
            .get("/bytes", || async { Bytes::from_static(b"bytes") })
            .get("/json", || async { Json([1, 2]) })
            .get("/nothing", || async {})
            .get("/status", || async { StatusCode::IM_A_TEAPOT })
            .get("/tuple", || async { (StatusCode::CREATED, "made") })
            .get("/headers", || async {
                (StatusCode::CREATED, [("location", "/x"), ("content-type", "text/x")], "made")
            })
            .get("/ok", || async { Ok::<_, Problem>("fine") })
            .get("/err", || async { Err::<(), _>(taken()) })
    }
}

fn taken() -> Problem {
    Problem::new(StatusCode::CONFLICT, "NAME_TAKEN", "a note `x` exists already")
        .hint("choose another name")
        .with("name", "x")
}

#[plugin_sdk::test]
async fn every_result_becomes_the_answer_it_says() {
    let plugin = testing::start::<Answers>(json!({})).await.unwrap();
    let text = Some("text/plain; charset=utf-8");
    let octets = Some("application/octet-stream");
    for (path, status, content_type, body) in [
        ("/static", 200, text, "text"),
        ("/string", 200, text, "text"),
        ("/vec", 200, octets, "bytes"),
        ("/bytes", 200, octets, "bytes"),
        ("/json", 200, Some("application/json"), "[1,2]"),
        ("/nothing", 204, None, ""),
        ("/status", 418, None, ""),
        ("/tuple", 201, text, "made"),
        ("/headers", 201, Some("text/x"), "made"),
        ("/ok", 200, text, "fine"),
    ] {
        let answer = plugin.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
        assert_eq!(answer.text().await, body, "{path}");
    }
    assert_eq!(plugin.get("/headers").await.header("location"), Some("/x"));
}

#[plugin_sdk::test]
async fn a_problem_is_a_document_for_programs_and_people() {
    let plugin = testing::start::<Answers>(json!({})).await.unwrap();
    let answer = plugin.get("/err").await;
    assert_eq!(answer.status(), 409);
    let document: Value = answer.json().await;
    let wanted = json!({
        "type": "/v1/problems/name-taken", "title": "Name taken", "status": 409,
        "code": "NAME_TAKEN", "detail": "a note `x` exists already",
        "message": "a note `x` exists already", "hint": "choose another name",
        "retryable": false, "name": "x",
    });
    assert_eq!(document, wanted);
}

//! The wait for an operation: its good end, its bad ends, and a daemon that is away for a moment.

use serde_json::json;

use super::*;
use crate::cli::client::stand_in::{Canned, StandIn};
use crate::cli::exit::Exit;
use crate::cli::output::{Format, Output};

const LONG: Duration = Duration::from_secs(60);

fn operation(state: &str, error: &Value) -> Canned {
    let done = !matches!(state, "PENDING" | "RUNNING");
    Canned::json(&json!({ "id": "op-1", "kind": "element.install", "state": state, "done": done,
        "target": { "type": "element", "name": "s3" }, "steps": [], "error": error }))
}

fn problem(status: u16) -> Value {
    json!({ "title": "Title", "status": status, "code": "CODE", "detail": "It is so." })
}

/// What waiting comes to when the daemon answers like this.
async fn waited(answers: Vec<Canned>, limit: Duration) -> (Result<Answer, Error>, usize) {
    let stand_in = StandIn::answering(answers);
    let output = Output { format: Format::Json };
    let session = Session { client: stand_in.client(), output };
    let waited = wait(&session, "op-1", limit).await;
    (waited, stand_in.asked().len())
}

#[tokio::test]
async fn the_good_end_is_waited_for_across_an_absence() {
    let answers = vec![
        operation("PENDING", &Value::Null),
        Canned::Silence,
        Canned::problem(&problem(503)),
        operation("RUNNING", &Value::Null),
        operation("SUCCEEDED", &Value::Null),
    ];
    let (waited, n_asked) = waited(answers, LONG).await;
    let document: Value = waited.unwrap().document().unwrap();
    assert_eq!((document["state"].as_str(), n_asked), (Some("SUCCEEDED"), 5));
}

#[tokio::test]
async fn a_bad_end_is_the_problem_of_the_operation() {
    let (waited, _) = waited(vec![operation("FAILED", &problem(422))], LONG).await;
    let error = waited.unwrap_err();
    assert!(error.to_string().starts_with("It is so."), "{error}");
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(serde_json::from_str::<Value>(&error.document()).unwrap(), problem(422));
}

#[tokio::test]
async fn an_end_without_a_problem_is_told_too() {
    let (waited, _) = waited(vec![operation("SUPERSEDED", &Value::Null)], LONG).await;
    let error = waited.unwrap_err();
    assert!(error.to_string().starts_with("operation op-1 ended as SUPERSEDED: "), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_the_question_is_told_at_once() {
    let (waited, n_asked) = waited(vec![Canned::problem(&problem(404))], LONG).await;
    assert_eq!((waited.unwrap_err().exit(), n_asked), (Exit::NotFound, 1));
}

#[tokio::test]
async fn the_wait_has_an_end_and_says_that_the_operation_has_none_yet() {
    // The listener takes the connection and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let target = crate::cli::client::Target { endpoint, credentials: None, ca: None };
    let output = Output { format: Format::Json };
    let session = Session { client: Client::new(target).unwrap(), output };
    let error = wait(&session, "op-1", Duration::from_millis(20)).await.unwrap_err();
    assert!(error.to_string().starts_with("operation op-1 goes on after 0 s: "), "{error}");
    assert_eq!(error.exit(), Exit::Unfinished);
}

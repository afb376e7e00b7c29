//! `/v1/operations` over a real socket.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::operation::{
    ElementKind, Failure, FieldFailure, Level, New, OperationId, Operations, Requester, Running,
    Target,
};
use crate::shutdown::Outcome;

const PATIENCE: Duration = Duration::from_secs(20);

impl Daemon {
    fn bearer(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.token)
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        self.ask_with("GET", path, &self.bearer()).await
    }

    pub(super) async fn create(&self, name: &str) -> OperationId {
        let new = New {
            kind: ElementKind::Install.into(),
            target: Target::element(&name.parse().unwrap()),
            details: json!({"from": null, "to": "0.1.0"}),
            requester: Requester {
                principal: "user:admin".to_owned(),
                request_id: Some("req-1".to_owned()),
                traceparent: None,
            },
        };
        self.operations().create(self.store.connection(), new).await.unwrap().id
    }

    pub(super) async fn run(&self, name: &str) -> (OperationId, Running) {
        let id = self.create(name).await;
        (id, self.operations().run(id, &["fetch", "start"]).await.unwrap())
    }

    fn operations(&self) -> &Operations {
        &self.state.operations
    }

    /// Begins to follow the log of an operation; the answer comes as far as `seen`.
    pub(super) async fn follow(&self, path: &str, headers: &str, seen: &str) -> Following {
        self.follow_as(path, &format!("{}{headers}", self.bearer()), seen).await
    }

    /// The same with what these headers present.
    pub(super) async fn follow_as(&self, path: &str, headers: &str, seen: &str) -> Following {
        let stream = self.send("GET", path, headers).await;
        let mut following = Following { stream, text: String::new() };
        following.until(seen).await;
        following
    }
}

/// An answer that does not end.
pub(super) struct Following {
    stream: TcpStream,
    pub(super) text: String,
}

impl Following {
    pub(super) async fn until(&mut self, seen: &str) {
        let reading = async {
            let mut buffer = [0; 4096];
            while !self.text.contains(seen) {
                let n_bytes = self.stream.read(&mut buffer).await.unwrap();
                assert_ne!(n_bytes, 0, "{} ended before {seen}", self.text);
                self.text.push_str(str::from_utf8(&buffer[..n_bytes]).unwrap());
            }
        };
        timeout(PATIENCE, reading).await.expect(seen);
    }

    /// What the chunks hold, without what differs from run to run; and whether the last chunk came.
    pub(super) async fn end(mut self) -> (String, bool) {
        timeout(PATIENCE, self.stream.read_to_string(&mut self.text)).await.unwrap().unwrap();
        let (_head, body) = self.text.split_once("\r\n\r\n").unwrap();
        let lines = body.split("\r\n").skip(1).step_by(2);
        (stripped(&lines.collect::<String>()), body.ends_with("0\r\n\r\n"))
    }
}

/// Without moments, ids and durations.
fn stripped(text: &str) -> String {
    let mut stripped = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(at);
        let end = digits.find(|c: char| !(c.is_ascii_hexdigit() || "-:TZ.".contains(c)));
        let (number, after) = digits.split_at(end.unwrap_or(digits.len()));
        stripped.push_str(before);
        stripped.push_str(if number.len() >= 20 {
            "…"
        } else if after.starts_with(" ms") {
            "N"
        } else {
            number
        });
        rest = after;
    }
    stripped + rest
}

fn pretty(answered: &Answered) -> String {
    stripped(&serde_json::to_string_pretty(&answered.json()).unwrap())
}

async fn fine() -> Result<(), std::io::Error> {
    Ok(())
}

#[tokio::test]
async fn nothing_is_told_without_the_token() {
    let daemon = start().await;
    let id = daemon.create("demo").await;
    let places = [
        ("GET", "/v1/operations".to_owned()),
        ("GET", format!("/v1/operations/{id}")),
        ("GET", format!("/v1/operations/{id}/logs?follow=true")),
        ("POST", format!("/v1/operations/{id}/actions/cancel")),
    ];
    for (method, path) in places {
        assert_eq!(daemon.ask(method, &path).await.status(), "401", "{path}");
    }
}

#[tokio::test]
async fn an_operation_is_shown_as_it_goes() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    running.step("fetch", fine()).await.unwrap();
    let answered = daemon.get(&format!("/v1/operations/{id}/")).await;
    expect![[r#"
        {
          "cancellable": false,
          "created_at": "…",
          "description": "fetch (1/2)",
          "details": {
            "from": null,
            "to": "0.1.0"
          },
          "done": false,
          "error": null,
          "finished_at": null,
          "id": "…",
          "kind": "element.install",
          "percent": 50,
          "request_id": "req-1",
          "requested_by": "user:admin",
          "result": null,
          "started_at": "…",
          "state": "RUNNING",
          "steps": [
            {
              "finished_at": "…",
              "message": "",
              "name": "fetch",
              "started_at": "…",
              "state": "SUCCEEDED"
            },
            {
              "finished_at": null,
              "message": "",
              "name": "start",
              "started_at": null,
              "state": "PENDING"
            }
          ],
          "target": {
            "id": null,
            "name": "demo",
            "project_id": null,
            "type": "element"
          },
          "traceparent": null
        }"#]]
    .assert_eq(&pretty(&answered));
    assert_eq!(answered.json()["id"], id.to_string());
}

#[tokio::test]
async fn a_failure_is_the_problem_that_an_answer_would_be() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    let mut failure = Failure::new("ROLLOUT_FAILED", "The plugin crashed. Nothing serves.");
    failure.hint = Some("Choose another version.".to_owned());
    failure.members.insert("element".to_owned(), "demo".into());
    failure.errors.push(FieldFailure {
        pointer: "/settings/x".to_owned(),
        code: "BAD_REQUEST".to_owned(),
        message: "too small".to_owned(),
    });
    running.fail(failure).await;
    let document = daemon.get(&format!("/v1/operations/{id}")).await.json();
    assert_eq!((&document["state"], &document["percent"]), (&json!("FAILED"), &json!(0)));
    expect![[r#"
        {
          "code": "ROLLOUT_FAILED",
          "detail": "The plugin crashed. Nothing serves.",
          "element": "demo",
          "errors": [
            {
              "code": "BAD_REQUEST",
              "message": "too small",
              "pointer": "/settings/x"
            }
          ],
          "hint": "Choose another version.",
          "instance": "/v1/operations/…",
          "message": "The plugin crashed. Nothing serves.",
          "operation_id": "…",
          "request_id": "req-1",
          "retryable": false,
          "status": 422,
          "title": "Rollout failed",
          "type": "/v1/problems/rollout-failed"
        }"#]]
    .assert_eq(&stripped(&serde_json::to_string_pretty(&document["error"]).unwrap()));
    assert_eq!(document["error"]["operation_id"], id.to_string());
}

#[tokio::test]
async fn a_wait_ends_with_the_operation() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    let path = format!("/v1/operations/{id}?wait=100s");
    let ends = async {
        daemon.watched(1).await;
        running.succeed("done", json!({"version": "0.1.0"})).await;
    };
    let (answered, ()) = tokio::join!(timeout(PATIENCE, daemon.get(&path)), ends);
    let document = answered.unwrap().json();
    assert_eq!((&document["state"], &document["done"]), (&json!("SUCCEEDED"), &json!(true)));
    assert_eq!(document["result"], json!({"version": "0.1.0"}));
    daemon.watched(0).await;
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_with_the_daemon() {
    let daemon = start().await;
    let (id, _running) = daemon.run("demo").await;
    let state = |answered: Answered| answered.json()["state"].clone();
    assert_eq!(state(daemon.get(&format!("/v1/operations/{id}?wait=0s")).await), "RUNNING");
    let path = format!("/v1/operations/{id}?wait=100s");
    let drained = async {
        daemon.watched(1).await;
        daemon.state.tasks.shut_down(PATIENCE).await
    };
    let (answered, outcome) = tokio::join!(daemon.get(&path), drained);
    assert_eq!((state(answered), outcome), (json!("RUNNING"), Outcome::Clean));
}

#[tokio::test]
async fn a_list_is_filtered_and_paged() {
    let daemon = start().await;
    let mut ids = Vec::new();
    for name in ["demo", "other", "demo", "demo"] {
        ids.push(daemon.create(name).await.to_string());
    }
    let running = daemon.operations().run(ids[0].parse().unwrap(), &[]).await.unwrap();
    let found = |answered: &Answered| {
        let items = answered.json()["items"].as_array().unwrap().clone();
        let index = |item: &Value| ids.iter().position(|id| *id == item["id"]).unwrap();
        items.iter().map(index).collect::<Vec<_>>()
    };
    let cases: [(&str, &[usize]); 5] = [
        ("", &[3, 2, 1, 0]),
        ("?order_by=created_at", &[0, 1, 2, 3]),
        ("?target=element/other", &[1]),
        ("?target=element/nobody", &[]),
        ("?state=RUNNING,FAILED&target=element/demo", &[0]),
    ];
    for (query, wanted) in cases {
        let answered = daemon.get(&format!("/v1/operations{query}")).await;
        assert_eq!(found(&answered), wanted, "{query}");
        assert_eq!(answered.json()["next_page_token"], Value::Null, "{query}");
    }
    drop(running);

    let first = daemon.get("/v1/operations?page_size=2&target=element/demo").await;
    assert_eq!(found(&first), [3, 2]);
    let token = first.json()["next_page_token"].as_str().unwrap().to_owned();
    let link = format!("/v1/operations?page_size=2&target=element%2Fdemo&page_token={token}");
    assert!(first.head.contains(&format!("link: <{link}>; rel=\"next\"")), "{}", first.head);
    assert_eq!(found(&daemon.get(&link).await), [0]);
    let other = daemon.get(&format!("/v1/operations?page_token={token}")).await;
    assert_eq!((other.status(), &other.json()["code"]), ("400", &json!("PAGE_TOKEN_MISMATCH")));

    let older = daemon.get(&format!("/v1/operations?page_limit=1&page_marker={}", ids[2])).await;
    assert_eq!(found(&older), [1]);
    assert!(older.head.contains("x-pagination-limit: 1"), "{}", older.head);
    assert!(older.head.contains(&format!("x-pagination-marker: {}", ids[1])), "{}", older.head);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let daemon = start().await;
    let (id, _running) = daemon.run("demo").await;
    let nobody = "01900000-0000-7000-8000-000000000000";
    let cases = [
        ("GET", "?state=running".to_owned(), "400", "BAD_REQUEST"),
        ("GET", "?target=demo".to_owned(), "400", "BAD_REQUEST"),
        ("GET", "?order_by=name".to_owned(), "400", "BAD_REQUEST"),
        ("GET", "?stat=RUNNING".to_owned(), "400", "BAD_REQUEST"),
        ("GET", "?page_size=-1".to_owned(), "400", "BAD_REQUEST"),
        ("GET", "?page_marker=demo".to_owned(), "400", "BAD_REQUEST"),
        ("GET", format!("/{id}?wait=soon"), "400", "BAD_REQUEST"),
        ("GET", format!("/{id}/logs?follow=yes"), "400", "BAD_REQUEST"),
        ("GET", format!("/{id}/logs?since=first"), "400", "BAD_REQUEST"),
        ("GET", format!("/{nobody}"), "404", "OPERATION_NOT_FOUND"),
        ("GET", "/demo".to_owned(), "404", "OPERATION_NOT_FOUND"),
        ("GET", format!("/{nobody}/logs"), "404", "OPERATION_NOT_FOUND"),
        ("GET", format!("/{id}/nothing"), "404", "ROUTE_NOT_FOUND"),
        ("POST", format!("/{nobody}/actions/cancel"), "404", "OPERATION_NOT_FOUND"),
        ("POST", format!("/{id}/actions/pause"), "404", "ACTION_NOT_FOUND"),
        ("POST", format!("/{id}/actions/cancel"), "409", "NOT_CANCELLABLE"),
        ("POST", String::new(), "405", "METHOD_NOT_ALLOWED"),
        ("DELETE", format!("/{id}"), "405", "METHOD_NOT_ALLOWED"),
        ("GET", format!("/{id}/actions/cancel"), "405", "METHOD_NOT_ALLOWED"),
    ];
    for (method, rest, status, code) in cases {
        let path = format!("/v1/operations{rest}");
        let answered = daemon.ask_with(method, &path, &daemon.bearer()).await;
        assert_eq!((answered.status(), &answered.json()["code"]), (status, &json!(code)), "{path}");
    }
}

#[tokio::test]
async fn what_is_over_cannot_be_canceled() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    running.succeed("done", Value::Null).await;
    let path = format!("/v1/operations/{id}/actions/cancel");
    let answered = daemon.ask_with("POST", &path, &daemon.bearer()).await;
    let problem = answered.json();
    assert_eq!((answered.status(), &problem["code"]), ("409", &json!("OPERATION_FINISHED")));
    assert_eq!(problem["detail"], format!("Operation {id} has ended as SUCCEEDED."));
    assert_eq!(
        (&problem["state"], &problem["operation_id"]),
        (&json!("SUCCEEDED"), &json!(id.to_string()))
    );
}

#[tokio::test]
async fn what_waits_is_canceled_at_once_and_what_runs_when_it_hears() {
    let daemon = start().await;
    let cancel = async |id: OperationId| {
        let path = format!("/v1/operations/{id}/actions/cancel");
        daemon.ask_with("POST", &path, &daemon.bearer()).await
    };
    let waiting = daemon.create("demo").await;
    let answered = cancel(waiting).await;
    let document = answered.json();
    assert_eq!((answered.status(), &document["state"]), ("202", &json!("CANCELED")));
    assert_eq!(document["error"]["code"], "OPERATION_CANCELED");
    assert_eq!(cancel(waiting).await.status(), "409");

    let (id, running) = daemon.run("demo").await;
    running.hear_calls();
    let shown = async || daemon.get(&format!("/v1/operations/{id}")).await.json();
    assert_eq!(shown().await["cancellable"], true);
    let answered = cancel(id).await;
    assert_eq!((answered.status(), &answered.json()["state"]), ("202", &json!("RUNNING")));
    assert_eq!(shown().await["cancellable"], false);
    running.called_off().await;
    running.end_canceled(Failure::canceled("It was called off.")).await;
    assert_eq!(shown().await["state"], "CANCELED");
}

#[tokio::test]
async fn a_log_is_a_list() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    running.step("fetch", fine()).await.unwrap();
    for n in 2..=4 {
        running.log(Level::Warn, format!("line {n}")).await;
    }
    let first = daemon.get(&format!("/v1/operations/{id}/logs?page_size=2")).await;
    expect![[r#"
        [
          {
            "at": "…",
            "level": "info",
            "message": "fetch: done in N ms",
            "seq": 1
          },
          {
            "at": "…",
            "level": "warn",
            "message": "line 2",
            "seq": 2
          }
        ]"#]]
    .assert_eq(&stripped(&serde_json::to_string_pretty(&first.json()["items"]).unwrap()));
    let token = first.json()["next_page_token"].as_str().unwrap().to_owned();
    let rest = [format!("page_size=2&page_token={token}"), "since=2".to_owned()];
    for query in rest {
        let answered = daemon.get(&format!("/v1/operations/{id}/logs?{query}")).await.json();
        let seqs: Vec<_> =
            answered["items"].as_array().unwrap().iter().map(|it| &it["seq"]).collect();
        assert_eq!(seqs, [3, 4], "{query}");
        assert_eq!(answered["next_page_token"], Value::Null, "{query}");
    }
}

#[tokio::test]
async fn a_log_is_followed_to_its_end() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    running.log(Level::Info, "before").await;
    let path = format!("/v1/operations/{id}/logs");
    let mut lines = daemon.follow(&format!("{path}?follow=true"), "", "before").await;
    let accept = "accept: text/event-stream\r\n";
    let mut events = daemon.follow(&path, accept, "before").await;
    for following in [&lines.text, &events.text] {
        assert!(following.contains("cache-control: no-store"), "{following}");
    }
    running.step("fetch", fine()).await.unwrap();
    lines.until("fetch: done").await;
    events.until("fetch: done").await;
    let late = daemon.follow(&path, &format!("{accept}last-event-id: 2\r\n"), "event-stream").await;
    running.succeed("it serves", Value::Null).await;

    expect![[r#"
        {"seq":1,"at":"…","level":"info","message":"before"}
        {"seq":2,"at":"…","level":"info","message":"fetch: done in N ms"}
        {"seq":3,"at":"…","level":"info","message":"it serves"}
    "#]]
    .assert_eq(&whole(lines.end().await));
    let events = whole(events.end().await);
    expect![[r#"
        id: 1
        event: log
        data: {"seq":1,"at":"…","level":"info","message":"before"}

        id: 2
        event: log
        data: {"seq":2,"at":"…","level":"info","message":"fetch: done in N ms"}

        id: 3
        event: log
        data: {"seq":3,"at":"…","level":"info","message":"it serves"}

        event: end
        data: {"state":"SUCCEEDED"}

    "#]]
    .assert_eq(&events);
    let from_third = events.find("id: 3").unwrap();
    assert_eq!(whole(late.end().await), &events[from_third..]);
    daemon.watched(0).await;
}

fn whole((text, is_whole): (String, bool)) -> String {
    assert!(is_whole, "the last chunk is missing after {text}");
    text
}

#[tokio::test]
async fn whoever_follows_is_let_go_and_leaves_nothing() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    running.log(Level::Info, "before").await;
    let path = format!("/v1/operations/{id}/logs?follow=true");
    let gone = daemon.follow(&path, "", "before").await;
    daemon.watched(1).await;
    drop(gone);
    daemon.watched(0).await;

    let cut_off = daemon.follow(&path, "", "before").await;
    assert_eq!(daemon.state.tasks.shut_down(PATIENCE).await, Outcome::Clean);
    let (text, is_whole) = cut_off.end().await;
    assert!(text.contains("before") && !is_whole, "{text}");
}

impl Daemon {
    /// Waits until so many operations are watched.
    async fn watched(&self, n_operations: usize) {
        let counted = async {
            while self.operations().n_watched() != n_operations {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, counted).await.expect("so many are watched");
    }
}

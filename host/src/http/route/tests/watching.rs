//! Watches and `/v1/events` over a real socket.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::shutdown::Outcome;

/// The token of the last event that a stream has told.
pub(super) fn last_id(text: &str) -> &str {
    let (_, rest) = text.rsplit_once("\nid: ").expect("something was told with a token");
    rest.split('\n').next().unwrap()
}

/// What was told, one word each, and of what.
pub(super) fn told(text: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut kind = "";
    for line in text.lines() {
        if let Some(word) = line.strip_prefix("event: ") {
            kind = word;
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).unwrap();
            all.push((kind.to_owned(), data["object"].clone()));
        }
    }
    all
}

#[tokio::test]
async fn a_watch_begins_with_what_there_is_and_goes_on_from_where_it_was() {
    let daemon = start().await;
    let first = daemon.create("first").await;
    let watch = "/v1/operations?watch=true";
    let mut following = daemon.follow(watch, "", "snapshot_complete").await;
    assert!(following.text.contains("content-type: text/event-stream"), "{}", following.text);
    let second = daemon.create("second").await;
    following.until(&second.to_string()).await;
    let running = daemon.state.operations.run(first, &["fetch"]).await.unwrap();
    following.until("MODIFIED").await;
    let all = told(&following.text);
    let words: Vec<_> = all.iter().map(|(word, object)| (&**word, &object["id"])).collect();
    let (one, two) = (json!(first.to_string()), json!(second.to_string()));
    assert_eq!(
        words,
        [("ADDED", &one), ("BOOKMARK", &Value::Null), ("ADDED", &two), ("MODIFIED", &one)]
    );
    assert_eq!(all[3].1["state"], "RUNNING");

    let token = last_id(&following.text).to_owned();
    drop(following);
    running.succeed("done", Value::Null).await;
    let resumed = daemon.follow(watch, &format!("last-event-id: {token}\r\n"), "SUCCEEDED").await;
    let all = told(&resumed.text);
    assert_eq!(all.iter().filter(|(word, _)| word != "BOOKMARK").count(), 1, "{}", resumed.text);

    for (path, since) in [("/v1/operations", "nonsense"), ("/v1/operations?state=FAILED", &*token)]
    {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}watch=true&since={since}");
        let (text, is_whole) = daemon.follow(&path, "", "ERROR").await.end().await;
        assert!(text.contains("RESUME_EXPIRED") && is_whole, "{text}");
    }
}

#[tokio::test]
async fn what_stops_passing_the_filter_is_deleted_for_its_watcher() {
    let daemon = start().await;
    let watch = "/v1/operations?watch=true&state=RUNNING";
    let waiting = daemon.create("demo").await;
    let mut following = daemon.follow(watch, "", "snapshot_complete").await;
    let running = daemon.state.operations.run(waiting, &[]).await.unwrap();
    following.until("event: ADDED").await;
    let token = last_id(&following.text).to_owned();
    running.succeed("done", Value::Null).await;
    following.until("event: DELETED").await;
    let words: Vec<_> = told(&following.text).into_iter().map(|(word, _)| word).collect();
    assert_eq!(words, ["BOOKMARK", "ADDED", "DELETED"]);
    let resumed = daemon.follow(&format!("{watch}&since={token}"), "", "event: DELETED").await;
    assert_eq!(told(&resumed.text).last().unwrap().1["state"], "SUCCEEDED");
}

#[tokio::test]
async fn one_can_be_watched_alone() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    let path = format!("/v1/operations/{id}");
    let accept = "accept: text/event-stream\r\n";
    let mut following = daemon.follow(&path, accept, "snapshot_complete").await;
    let other = daemon.create("other").await;
    running.succeed("done", Value::Null).await;
    following.until("SUCCEEDED").await;
    assert!(!following.text.contains(&other.to_string()), "{}", following.text);
}

#[tokio::test]
async fn a_daemon_that_ends_lets_its_watchers_go() {
    let daemon = start().await;
    let following = daemon.follow("/v1/operations?watch=true", "", "snapshot_complete").await;
    let events = daemon.follow("/v1/events?watch=true", "", "snapshot_complete").await;
    let ended = daemon.state.tasks.shut_down(Duration::from_secs(15)).await;
    assert_eq!(ended, Outcome::Clean);
    for following in [following, events] {
        let (text, is_whole) = following.end().await;
        assert!(text.contains("SHUTTING_DOWN") && is_whole, "{text}");
    }
}

#[tokio::test]
async fn what_happened_is_a_list_of_cloud_events() {
    let daemon = start().await;
    let (id, running) = daemon.run("demo").await;
    running.succeed("done", Value::Null).await;
    let page = daemon.get("/v1/events?page_size=2").await.json();
    let events = page["items"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    let first = &events[0];
    assert_eq!((&first["specversion"], &first["source"]), (&json!("1.0"), &json!("/v1")));
    assert_eq!(first["type"], "element.install.pending");
    assert_eq!(first["subject"], format!("operations/{id}"));
    assert_eq!((&first["requestid"], &first["actor"]), (&json!("req-1"), &json!("user:admin")));
    assert_eq!(first["data"]["object"]["target"]["name"], "demo");
    let token = page["next_page_token"].as_str().unwrap();
    let rest = daemon.get(&format!("/v1/events?page_size=2&page_token={token}")).await.json();
    assert_eq!(rest["items"][0]["type"], "element.install.succeeded");
    assert_eq!(rest["next_page_token"], Value::Null);

    let ended = daemon.get("/v1/events?type=element.install.succeeded&order_by=time%20desc").await;
    assert_eq!(ended.json()["items"].as_array().unwrap().len(), 1);
    let of = daemon.get(&format!("/v1/events?subject={id}&since=2020-01-01T00:00:00Z")).await;
    assert_eq!(of.json()["items"].as_array().unwrap().len(), 3);
    assert_eq!(daemon.get("/v1/events?since=soon").await.status(), "400");
    assert_eq!(daemon.ask("GET", "/v1/events").await.status(), "401");

    let path = "/v1/events?type=element.*&since=2020-01-01T00:00:00Z";
    let accept = "accept: text/event-stream\r\n";
    let following = daemon.follow(path, accept, "element.install.succeeded").await;
    assert_eq!(told(&following.text).iter().filter(|(word, _)| word == "ADDED").count(), 3);
}

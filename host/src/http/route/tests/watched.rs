//! Watching declared resources, over a socket. Who writes them here is the engine itself: no plugin answers.

use serde_json::{Value, json};
use uuid::Uuid;

use super::resources::{INSTANCES, Land};
use super::watching::{last_id, told};
use crate::identity::ProjectId;
use crate::operation::Requester;
use crate::resource::testing::full_row;
use crate::resource::write::change::Change;
use crate::resource::write::delete::{Children, Delete};
use crate::resource::write::patch::Patch;
use crate::resource::write::precondition::Precondition;
use crate::resource::write::wanted::Unsaid;
use crate::resource::write::{Ask, Collection, Mode, New};

impl Land {
    fn by_the_engine(&self) -> Ask {
        let table = self.daemon.state.plugins.tables.load();
        let served = table.type_of("demo").unwrap();
        let collection = Collection::of(served, served.model.resource("instances").unwrap());
        let principal = "user:ann".to_owned();
        let requester = Requester { principal, request_id: None, traceparent: None };
        Ask { collection, requester, mode: Mode::Do, kept: None }
    }

    async fn create(&self, project: ProjectId, name: &str, size: u32) -> Uuid {
        let members = json!({"name": name, "size": size}).as_object().cloned().unwrap();
        let new = New { project, parent: None, members };
        let made = self.daemon.state.writes.create(self.by_the_engine(), new).await;
        made.unwrap().shown.id
    }

    async fn resize(&self, id: Uuid, size: u32) {
        let change = Change {
            patch: Patch::Merge {
                members: [("size".to_owned(), json!(size))].into_iter().collect(),
                mask: None,
            },
            unsaid: Unsaid::Stays,
            precondition: Precondition::default(),
        };
        let writes = &self.daemon.state.writes;
        writes.change(self.by_the_engine(), id, id, change).await.unwrap();
    }

    async fn delete(&self, id: Uuid) {
        let delete = Delete { children: Children::Keep, precondition: Precondition::default() };
        self.daemon.state.writes.delete(self.by_the_engine(), id, id, delete).await.unwrap();
    }
}

/// What was told, in words, and the names of what.
fn words(text: &str) -> Vec<String> {
    let all = told(text).into_iter();
    all.map(|(word, object)| format!("{word} {}", object["name"].as_str().unwrap_or("-"))).collect()
}

#[tokio::test]
async fn a_watch_tells_what_there_is_and_then_what_becomes_of_it() {
    let land = Land::start().await;
    land.insert("instances", &full_row("first", land.own)).await;
    let watch = format!("{INSTANCES}?watch=true");
    let mut following = land.daemon.follow(&watch, "", "snapshot_complete").await;
    let second = land.create(land.own, "second", 1).await;
    following.until("\"name\":\"second\"").await;
    land.resize(second, 2).await;
    following.until("event: MODIFIED").await;
    let token = last_id(&following.text).to_owned();
    let told_so_far = words(&following.text);
    assert_eq!(told_so_far, ["ADDED first", "BOOKMARK -", "ADDED second", "MODIFIED second"]);
    let last = told(&following.text).pop().unwrap().1;
    assert_eq!(last, land.ask(&format!("{INSTANCES}/second")).await.json(), "as it is read");
    drop(following);
    land.delete(second).await;
    let resumed = land.daemon.follow(&format!("{watch}&since={token}"), "", "DELETING").await;
    let told_then = words(&resumed.text);
    assert_eq!(told_then, ["BOOKMARK -", "MODIFIED second"], "what was told is not repeated");
}

#[tokio::test]
async fn a_watch_is_narrowed_like_the_list() {
    let land = Land::start().await;
    let small = format!("{INSTANCES}?watch=true&filter=size%20%3C%203&fields=name,size");
    let mut following = land.daemon.follow(&small, "", "snapshot_complete").await;
    let one = land.create(land.own, "one", 1).await;
    land.create(land.own, "large", 9).await;
    following.until("event: ADDED").await;
    land.resize(one, 8).await;
    following.until("event: DELETED").await;
    assert_eq!(words(&following.text), ["BOOKMARK -", "ADDED one", "DELETED one"]);
    assert_eq!(told(&following.text)[1].1, json!({"name": "one", "size": 1}));
    let alone = format!("{INSTANCES}/large");
    let accept = "accept: text/event-stream\r\n";
    let mut following = land.daemon.follow(&alone, accept, "snapshot_complete").await;
    land.resize(one, 7).await;
    let large = told(&following.text)[0].1["id"].as_str().unwrap().parse().unwrap();
    land.resize(large, 10).await;
    following.until("event: MODIFIED").await;
    assert_eq!(words(&following.text), ["ADDED large", "BOOKMARK -", "MODIFIED large"]);
}

#[tokio::test]
async fn a_watcher_is_told_what_it_may_read_and_no_more() {
    let land = Land::start().await;
    let made = land.daemon.post("/v1/iam/projects", r#"{"name": "other"}"#).await;
    let other: ProjectId = made["id"].as_str().unwrap().parse().unwrap();
    let key = land.account("of-other", r#"{"project": "other"}"#).await;
    let key = format!("x-api-key: {key}\r\n");
    let watch = format!("{INSTANCES}?watch=true");
    let mut following = land.daemon.follow_as(&watch, &key, "snapshot_complete").await;
    land.create(land.own, "own", 1).await;
    land.create(other, "foreign", 1).await;
    following.until("foreign").await;
    assert_eq!(words(&following.text), ["BOOKMARK -", "ADDED foreign"]);
    land.bind("of-other", "viewer", r#"{"project": "default"}"#).await;
    following.until("event: ERROR").await;
    assert!(following.text.contains("RESUME_EXPIRED"), "{}", following.text);
    let nobody = land.account("of-none", "").await;
    let refused = land.ask_as(&nobody, &watch).await;
    assert_eq!(refused.status(), "403");
    assert_eq!(Value::Null, refused.json()["items"]);
}

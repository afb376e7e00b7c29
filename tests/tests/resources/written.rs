//! The life of a resource: made, changed, acted on, deleted.

use std::time::Duration;

use http::Method;
use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};

use super::{INSTANCES, header, send, volume, volumes};
use crate::eventually::eventually;

on_each_database![
    one_is_made_changed_acted_on_and_deleted,
    what_is_put_twice_is_the_same,
    what_takes_its_time_is_told_by_its_operation,
    what_is_being_made_can_be_changed_and_deleted,
    a_deletion_waits_for_what_hangs_under_it,
    writes_go_on_while_the_plugin_is_replaced,
    what_was_acknowledged_survives_a_crash,
];

/// Sooner than `Retry-After` says, so that a test does not take as long.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

async fn one_is_made_changed_acted_on_and_deleted(database: Database) {
    let daemon = volumes(database).await;
    let document = json!({"name": "a", "size_gb": 5, "labels": {"env": "dev"}, "password": "x"});
    let made = daemon.client.post(INSTANCES, &[], &document).await.expect(201);
    let volume: Value = made.json();
    let id = volume["id"].as_str().unwrap();
    let one = format!("{INSTANCES}/{id}");
    assert_eq!(header(&made, "location"), one);
    assert_eq!(volume["etag"], header(&made, "etag"));
    assert_eq!(header(&made, "cache-control"), "no-store", "its token is shown now");
    assert_eq!((&volume["token"], volume.get("password")), (&json!("token-of-a"), None));
    let operation = header(&made, "operation-location");
    let ended: Value = daemon.get(&format!("{operation}?wait=30s")).await.expect(200).json();
    assert_eq!(
        (&ended["state"], &ended["kind"]),
        (&json!("SUCCEEDED"), &json!("volume.instance.create"))
    );
    let shown: Value = daemon.get(&one).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["address"]), (&json!("ACTIVE"), &json!("/dev/volumes/a")));
    assert_eq!((shown.get("token"), shown.get("password")), (None, None));
    assert_eq!(shown["last_operation"]["state"], "SUCCEEDED");

    let patch = json!({"size_gb": 9, "labels": {"env": null, "tier": "1"}});
    let changed = send(&daemon, Method::PATCH, &format!("{one}?wait=30s"), &[], &patch).await;
    let changed: Value = changed.expect(200).json();
    assert_eq!((&changed["size_gb"], &changed["labels"]), (&json!(9), &json!({"tier": "1"})));
    assert_eq!((&changed["status"], &changed["generation"]), (&json!("ACTIVE"), &json!(2)));

    let acting = format!("{one}/actions/grow?wait=30s");
    let grown = daemon.client.post(&acting, &[], &json!({"by": 3})).await.expect(200);
    let grown: Value = grown.json();
    assert_eq!((&grown["state"], &grown["result"]), (&json!("SUCCEEDED"), &json!(3)));
    let found = daemon.client.post(&format!("{one}/actions/diagnose"), &[], &Value::Null).await;
    assert_eq!(found.expect(200).json::<Value>(), json!({"actual_gb": 12, "opens": true}));

    let gone = daemon.client.delete(&format!("{one}?wait=30s"), &[]).await.expect(204);
    assert_eq!(gone.text(), "");
    let again: Value = daemon.client.delete(&one, &[]).await.expect(404).json();
    assert_eq!(again["code"], "NOT_FOUND");
    let _gone = daemon.client.delete(&format!("{one}?allow_missing=true"), &[]).await.expect(204);
}

async fn what_is_put_twice_is_the_same(database: Database) {
    let daemon = volumes(database).await;
    let (path, document) = (format!("{INSTANCES}/b"), json!({"size_gb": 2, "mount_path": "/b"}));
    let put = async |path: &str, fields: &[(&str, &str)], document: &Value| {
        send(&daemon, Method::PUT, path, fields, document).await
    };
    let made = put(&format!("{path}?wait=30s"), &[], &document).await.expect(201);
    assert_eq!(made.json::<Value>()["name"], "b");
    let (before, events) = (daemon.get(&path).await.text(), daemon.get("/v1/events").await.text());
    let _same = put(&path, &[], &document).await.expect(200);
    assert_eq!(daemon.get(&path).await.text(), before);
    assert_eq!(daemon.get("/v1/events").await.text(), events);
    let read: Value = serde_json::from_str(&before).unwrap();
    let _sent_back = put(&path, &[], &read).await.expect(200);
    let there = put(&path, &[("if-none-match", "*")], &document).await.expect(412);
    assert_eq!(there.json::<Value>()["code"], "PRECONDITION_FAILED");
    let reset = put(&format!("{path}?wait=30s"), &[], &json!({"size_gb": 2})).await.expect(200);
    assert_eq!(reset.json::<Value>()["mount_path"], Value::Null, "what is not said goes");
    let nowhere = format!("{INSTANCES}/0197f2a0-0000-7000-8000-000000000000");
    let _missing = put(&nowhere, &[], &document).await.expect(404);
    let unmatched = put(&format!("{INSTANCES}/c"), &[("if-match", "*")], &document).await;
    let _unmatched = unmatched.expect(412);
}

async fn what_takes_its_time_is_told_by_its_operation(database: Database) {
    let daemon = volumes(database).await;
    let slow = json!({"name": "slow", "size_gb": 1, "labels": {"pace": "slow"}});
    let made = daemon.client.post(&format!("{INSTANCES}?wait=30s"), &[], &slow).await;
    assert_eq!(made.expect(201).json::<Value>()["status"], "ACTIVE");
    let fated = json!({"name": "fated", "size_gb": 1, "labels": {"fate": "fails"}});
    let failed = daemon.client.post(&format!("{INSTANCES}?wait=30s"), &[], &fated).await;
    let problem: Value = failed.expect(422).json();
    assert_eq!(problem["code"], "PROVISION_FAILED");
    assert!(problem["operation_id"].is_string(), "{problem}");
    let path = format!("{INSTANCES}/fated");
    let shown: Value = daemon.get(&path).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["instance_usable"]), (&json!("ERROR"), &json!(false)));
    let retry = format!("{path}/actions/retry?wait=30s");
    let again = daemon.client.post(&retry, &[], &Value::Null).await.expect(422);
    assert_eq!(again.json::<Value>()["code"], "PROVISION_FAILED");
    let mended = json!({"labels": {"fate": null}});
    let mended = send(&daemon, Method::PATCH, &format!("{path}?wait=30s"), &[], &mended).await;
    assert_eq!(mended.expect(200).json::<Value>()["status"], "ACTIVE");
}

async fn what_is_being_made_can_be_changed_and_deleted(database: Database) {
    let daemon = volumes(database).await;
    let slow = json!({"name": "slow", "size_gb": 1, "labels": {"pace": "slow"}});
    let made = daemon.client.post(INSTANCES, &[], &slow).await.expect(201);
    let path = format!("{INSTANCES}/slow");
    let patch = json!({"size_gb": 7});
    let changed = send(&daemon, Method::PATCH, &path, &[], &patch).await.expect(202);
    let create = format!("{}?wait=30s", header(&made, "operation-location"));
    let create: Value = daemon.get(&create).await.expect(200).json();
    assert_eq!(create["state"], "SUPERSEDED");
    let update = format!("{}?wait=30s", header(&changed, "operation-location"));
    let update: Value = daemon.get(&update).await.expect(200).json();
    assert_eq!(update["state"], "SUCCEEDED");
    let _changed = send(&daemon, Method::PATCH, &path, &[], &json!({"size_gb": 8})).await;
    let _gone = daemon.client.delete(&format!("{path}?wait=30s"), &[]).await.expect(204);
}

async fn a_deletion_waits_for_what_hangs_under_it(database: Database) {
    let daemon = volumes(database).await;
    volume(&daemon, "a").await;
    let below = format!("{INSTANCES}/a/snapshots");
    let snapshot = daemon.client.post(&below, &[], &json!({"name": "s"})).await.expect(201);
    assert_eq!(snapshot.json::<Value>()["status"], "ACTIVE", "nobody brings it about");
    let path = format!("{INSTANCES}/a");
    let kept: Value = daemon.client.delete(&path, &[]).await.expect(409).json();
    assert_eq!((&kept["code"], &kept["collection"]), (&json!("NOT_EMPTY"), &json!("snapshots")));
    let cascade = format!("{path}?cascade=true&wait=30s");
    let _gone = daemon.client.delete(&cascade, &[]).await.expect(204);
    let _gone = daemon.get(&below).await.expect(404);
}

/// The plugin moves to a process of its own and back while resources are made.
async fn writes_go_on_while_the_plugin_is_replaced(database: Database) {
    const N: usize = 60;
    let daemon = volumes(database).await;
    let plugin = Plugin::built(Workspace::Fixtures, "volumes");
    let swaps = async {
        for isolation in ["process", "none", "process", "none"] {
            let wanted = Wanted::of(&plugin).with("isolation", json!(isolation));
            let _element = daemon.install(wanted).await;
        }
    };
    let writes = async {
        for n in 0..N {
            make_despite_swaps(&daemon, &format!("v{n}")).await;
        }
    };
    tokio::join!(swaps, writes);
    are_active(&daemon, N).await;
}

/// Says it again where that is what the answer says.
async fn make_despite_swaps(daemon: &Daemon, name: &str) {
    let document = json!({"name": name, "size_gb": 1});
    let fields = [("idempotency-key", name)];
    loop {
        let made = daemon.client.post(INSTANCES, &fields, &document).await;
        match made.status.as_u16() {
            201 => return,
            503 => assert!(!header(&made, "retry-after").is_empty(), "{}", made.text()),
            _other => panic!("{}: {}", made.status, made.text()),
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Waits until so many are as they are wanted.
async fn are_active(daemon: &Daemon, n: usize) {
    let path = format!("{INSTANCES}?status=ACTIVE&page_size=1&total_size=true");
    let what = format!("{n} are ACTIVE");
    let is_so = async || daemon.get(&path).await.json::<Value>()["total_size"] == json!(n);
    eventually(&what, is_so).await;
}

async fn what_was_acknowledged_survives_a_crash(database: Database) {
    let mut daemon = volumes(database).await;
    let names: Vec<_> = (0..20).map(|n| format!("v{n}")).collect();
    for name in &names {
        let document = json!({"name": name, "size_gb": 1});
        let _made = daemon.client.post(INSTANCES, &[], &document).await.expect(201);
    }
    let last = format!("{INSTANCES}/v19");
    let _deleted = daemon.client.delete(&last, &[]).await.expect(202);
    daemon.crash().await;
    are_active(&daemon, 19).await;
    let is_gone = async || daemon.get(&last).await.status == 404;
    eventually("what was to be deleted is gone", is_gone).await;
}

//! What is refused, and by which problem.

use http::Method;
use metapaas_tests::client::Client;
use metapaas_tests::daemon::Daemon;
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use serde_json::{Value, json};

use super::{INSTANCES, header, send, volume, volumes};

on_each_database![
    a_document_that_is_wrong_is_told_by_its_field,
    a_change_that_may_not_be_is_refused,
    what_the_plugin_does_not_take_is_not_written,
    what_is_only_rehearsed_changes_nothing,
    an_action_that_there_is_not_is_told_with_those_that_there_are,
];

/// The status, the code and the pointers of the refusal of a create.
async fn refusal(daemon: &Daemon, document: &Value) -> (u16, String, Vec<String>) {
    let refused = daemon.client.post(INSTANCES, &[], document).await;
    let problem: Value = refused.json();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let pointers = errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned());
    let code = problem["code"].as_str().unwrap().to_owned();
    (refused.status.as_u16(), code, pointers.collect())
}

async fn a_document_that_is_wrong_is_told_by_its_field(database: Database) {
    let daemon = volumes(database).await;
    let uuid = "0197f2a0-0000-7000-8000-000000000000";
    for (document, status, code, pointer) in [
        (json!({"name": "a"}), 422, "FIELD_REQUIRED", "/size_gb"),
        (json!({"size_gb": 1}), 422, "FIELD_REQUIRED", "/name"),
        (json!({"name": "a", "size_gb": "1"}), 422, "VALIDATION_FAILED", "/size_gb"),
        (json!({"name": "a", "size_gb": 1e300}), 422, "VALIDATION_FAILED", "/size_gb"),
        (json!({"name": "a", "size_gb": 0}), 422, "VALIDATION_FAILED", "/size_gb"),
        (json!({"name": "a", "size_gb": 1, "size_gbs": 1}), 400, "UNKNOWN_FIELD", "/size_gbs"),
        (json!({"name": "a", "size_gb": 1, "address": "x"}), 400, "FIELD_READ_ONLY", "/address"),
        (json!({"name": "a", "size_gb": 1, "status": "ACTIVE"}), 400, "FIELD_READ_ONLY", "/status"),
        (json!({"name": "a", "size_gb": 1, "steps": 1}), 400, "UNKNOWN_FIELD", "/steps"),
        (json!({"name": uuid, "size_gb": 1}), 400, "NAME_INVALID", "/name"),
        (json!({"name": "A", "size_gb": 1}), 400, "NAME_INVALID", "/name"),
        (json!({"name": "a", "size_gb": 1, "medium": "\u{0}"}), 400, "INVALID_JSON", "/medium"),
    ] {
        let wanted = (status, code.to_owned(), vec![pointer.to_owned()]);
        assert_eq!(refusal(&daemon, &document).await, wanted, "{document}");
    }
    let deep = "[".repeat(200);
    for body in ["{", "[]", "7", &deep, "{\"a\":1,\"a\":2}"] {
        let fields = [("content-type", "application/json")];
        let request = Client::request(Method::POST, INSTANCES, &fields, body.to_owned().into());
        let refused: Value = daemon.client.send(request).await.expect(400).json();
        assert_eq!(refused["code"], "INVALID_JSON", "{body}");
    }
    let fields = [("content-type", "text/plain")];
    let request = Client::request(Method::POST, INSTANCES, &fields, "{}".into());
    let _refused = daemon.client.send(request).await.expect(415);
    let large = json!({"name": "a", "size_gb": 1, "description": "x".repeat(1024 * 1024)});
    let _refused = daemon.client.post(INSTANCES, &[], &large).await.expect(413);
    let list: Value = daemon.get(INSTANCES).await.expect(200).json();
    assert_eq!(list["items"], json!([]));
}

async fn a_change_that_may_not_be_is_refused(database: Database) {
    let daemon = volumes(database).await;
    let made = volume(&daemon, "a").await;
    let path = format!("{INSTANCES}/a");
    for (patch, status, code) in [
        (json!({"medium": "tape"}), 400, "FIELD_IMMUTABLE"),
        (json!({"name": "b"}), 400, "FIELD_IMMUTABLE"),
        (json!({"address": "x"}), 400, "FIELD_READ_ONLY"),
        (json!({"status": "ERROR"}), 400, "FIELD_READ_ONLY"),
        (json!({"size_gb": null}), 422, "FIELD_REQUIRED"),
        (json!({"etag": "\"9-1\"", "size_gb": 2}), 412, "PRECONDITION_FAILED"),
    ] {
        let refused = send(&daemon, Method::PATCH, &path, &[], &patch).await.expect(status);
        assert_eq!(refused.json::<Value>()["code"], code, "{patch}");
    }
    let same = json!({"medium": "ssd", "address": made["address"], "status": "ACTIVE"});
    let _tolerated = send(&daemon, Method::PATCH, &path, &[], &same).await.expect(200);
    let steps = json!([{"op": "test", "path": "/size_gb", "value": 5}]);
    let fields = [("content-type", "application/json-patch+json")];
    let body = steps.to_string().into();
    let unfit = daemon.client.send(Client::request(Method::PATCH, &path, &fields, body)).await;
    assert_eq!(unfit.expect(409).json::<Value>()["code"], "PATCH_UNFIT");
    let steps = json!([{"op": "replace", "path": "/size_gb", "value": 5}]);
    let body = steps.to_string().into();
    let fit = daemon.client.send(Client::request(Method::PATCH, &path, &fields, body)).await;
    assert_eq!(fit.expect(202).json::<Value>()["size_gb"], 5);
    let taken = json!({"name": "a", "size_gb": 1});
    let taken: Value = daemon.client.post(INSTANCES, &[], &taken).await.expect(409).json();
    assert_eq!(taken["code"], "NAME_TAKEN");
    let one = json!({"name": "b", "size_gb": 1, "mount_path": "/data"});
    let _made = daemon.client.post(INSTANCES, &[], &one).await.expect(201);
    let other = json!({"name": "c", "size_gb": 1, "mount_path": "/data"});
    let taken: Value = daemon.client.post(INSTANCES, &[], &other).await.expect(409).json();
    assert_eq!((&taken["code"], &taken["field"]), (&json!("VALUE_TAKEN"), &json!("mount_path")));
    let protect = json!({"deletion_protection": true});
    let _protected = send(&daemon, Method::PATCH, &path, &[], &protect).await;
    let kept: Value = daemon.client.delete(&path, &[]).await.expect(409).json();
    assert_eq!(kept["code"], "DELETION_PROTECTED");
}

async fn what_the_plugin_does_not_take_is_not_written(database: Database) {
    let daemon = volumes(database).await;
    let unlucky = json!({"name": "a", "size_gb": 13});
    let refused: Value = daemon.client.post(INSTANCES, &[], &unlucky).await.expect(422).json();
    assert_eq!(refused["code"], "VALIDATION_FAILED");
    let error =
        json!({"pointer": "/size_gb", "code": "UNLUCKY", "message": "13 GB bring bad luck"});
    assert_eq!(refused["errors"], json!([error]));
    let panics = json!({"name": "panics", "size_gb": 1});
    let panicked: Value = daemon.client.post(INSTANCES, &[], &panics).await.expect(500).json();
    assert_eq!(panicked["code"], "PLUGIN_PANIC");
    volume(&daemon, "b").await;
    let list: Value = daemon.get(INSTANCES).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

async fn what_is_only_rehearsed_changes_nothing(database: Database) {
    let daemon = volumes(database).await;
    let path = format!("{INSTANCES}?validate_only=true");
    let before = daemon.get("/v1/events").await.text();
    let document = json!({"name": "a", "size_gb": 3});
    let key = [("idempotency-key", "k")];
    let would: Value = daemon.client.post(&path, &key, &document).await.expect(200).json();
    assert_eq!((&would["name"], &would["status"]), (&json!("a"), &json!("PENDING")));
    assert_eq!(would["plan"][0]["action"], "allocate");
    let unlucky = json!({"name": "a", "size_gb": 13});
    let _refused = daemon.client.post(&path, &[], &unlucky).await.expect(422);
    assert_eq!(daemon.get("/v1/events").await.text(), before);
    let _first = daemon.client.post(INSTANCES, &key, &document).await.expect(201);
}

async fn an_action_that_there_is_not_is_told_with_those_that_there_are(database: Database) {
    let daemon = volumes(database).await;
    volume(&daemon, "a").await;
    let path = |verb: &str| format!("{INSTANCES}/a/actions/{verb}");
    let unknown = daemon.client.post(&path("shrink"), &[], &Value::Null).await.expect(404);
    let unknown: Value = unknown.json();
    assert_eq!(unknown["code"], "ACTION_NOT_FOUND");
    assert_eq!(unknown["actions"], json!(["grow", "diagnose", "retry"]));
    let empty = daemon.client.post(&path("grow"), &[], &json!({})).await.expect(422);
    assert_eq!(empty.json::<Value>()["code"], "VALIDATION_FAILED");
    let wrong = daemon.get(&path("grow")).await.expect(405);
    assert_eq!(header(&wrong, "allow"), "POST");
}

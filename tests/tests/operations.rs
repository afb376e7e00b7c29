//! Operations as somebody sees them who waits for one, looks one up, or reads what it said.

use std::time::Instant;

use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use serde_json::{Value, json};

use crate::migrating::{ELEMENT, daemon, install};

on_each_database![
    an_operation_is_told_from_its_beginning_to_its_end,
    operations_are_listed_by_target_and_state,
    what_is_not_there_or_not_possible_is_a_problem,
];

async fn an_operation_is_told_from_its_beginning_to_its_end(database: Database) {
    let daemon = daemon(database).await;
    let path = format!("/v1/elements/{ELEMENT}");
    let accepted = daemon.client.put(&path, &[], &json!({ "version": "0.1.0" })).await.expect(202);
    let location = accepted.headers["operation-location"].to_str().unwrap().to_owned();
    let began = Instant::now();
    let operation: Value = daemon.get(&format!("{location}?wait=30s")).await.expect(200).json();
    assert!(began.elapsed().as_secs() < 30, "it answers when the operation ends");
    assert_eq!((&operation["state"], &operation["percent"]), (&json!("SUCCEEDED"), &json!(100)));
    assert_eq!(operation["target"]["name"], ELEMENT, "{operation}");
    assert_eq!(operation["kind"], "element.install", "{operation}");
    let steps = operation["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().filter_map(|step| step["name"].as_str()).collect();
    for wanted in ["fetch", "verify", "probe", "migrate", "start", "check"] {
        assert!(names.contains(&wanted), "no step `{wanted}` in {names:?}");
    }
    for step in steps {
        let [began, ended] = ["started_at", "finished_at"].map(|at| step[at].as_str());
        assert!(step["state"] == "SUCCEEDED" && began.is_some() && began <= ended, "{step}");
    }
    let logs: Value = daemon.get(&format!("{location}/logs")).await.expect(200).json();
    assert!(!logs["items"].as_array().unwrap().is_empty(), "{logs}");
    assert_eq!(daemon.history(ELEMENT).await, [operation]);
}

async fn operations_are_listed_by_target_and_state(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.1.0").await;
    let refused = json!({ "version": "0.1.0", "settings": { "greeting": 7 } });
    let path = format!("/v1/elements/{ELEMENT}");
    let _problem = daemon.client.put(&path, &[("prefer", "wait=60")], &refused).await.expect(422);
    for (query, wanted) in [
        ("", vec!["FAILED", "SUCCEEDED"]),
        ("?state=FAILED", vec!["FAILED"]),
        ("?target=element/migrates", vec!["FAILED", "SUCCEEDED"]),
        ("?target=element/migrates&state=SUCCEEDED", vec!["SUCCEEDED"]),
        ("?target=element/other", vec![]),
        ("?page_size=1", vec!["FAILED"]),
    ] {
        let page: Value = daemon.get(&format!("/v1/operations{query}")).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        let states: Vec<_> = items.iter().filter_map(|item| item["state"].as_str()).collect();
        assert_eq!(states, wanted, "{query}");
    }
}

async fn what_is_not_there_or_not_possible_is_a_problem(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.1.0").await;
    let id = daemon.history(ELEMENT).await[0]["id"].as_str().unwrap().to_owned();
    let nobody = "0190a5d0-0000-7000-8000-000000000000";
    for path in [format!("/v1/operations/{nobody}"), format!("/v1/operations/{nobody}/logs")] {
        let problem: Value = daemon.get(&path).await.expect(404).json();
        assert_eq!(problem["status"], 404, "{problem}");
    }
    let nothing = json!({});
    let cancel = format!("/v1/operations/{id}/actions/cancel");
    let _finished = daemon.client.post(&cancel, &[], &nothing).await.expect(409);
    let unknown = format!("/v1/operations/{id}/actions/undo");
    let _unknown = daemon.client.post(&unknown, &[], &nothing).await.expect(404);
    let _unknown = daemon.act(ELEMENT, "upgarde", &nothing).await.expect(404);
}

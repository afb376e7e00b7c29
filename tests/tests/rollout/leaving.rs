//! Uninstalling: its routes are gone at once, its data only if that is asked for.

use metapaas_tests::daemon::Daemon;
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use serde_json::{Value, json};

use crate::migrating::{ELEMENT, ROOT, assert_serves, daemon, install, row_ids, schema};

on_each_database![
    what_is_uninstalled_is_not_found,
    instances_keep_an_element_from_being_uninstalled,
    data_is_kept_unless_it_is_purged,
];

async fn uninstall(daemon: &Daemon, query: &str) {
    let path = format!("/v1/elements/{ELEMENT}{query}");
    let _gone = daemon.client.delete(&path, &[("prefer", "wait=60")]).await.expect(204);
}

async fn add(daemon: &Daemon, what: &str, id: &str) {
    let path = format!("{ROOT}/{what}");
    let _added = daemon.client.post(&path, &[], &json!({ "id": id })).await.expect(201);
}

async fn what_is_uninstalled_is_not_found(database: Database) {
    let mut daemon = daemon(database).await;
    let _document = install(&daemon, "0.1.0").await;
    uninstall(&daemon, "").await;
    for _before_and_after_a_restart in 0..2 {
        for (path, code) in [
            (format!("{ROOT}/hello/you"), "TYPE_NOT_FOUND"),
            (format!("{ROOT}/-/health"), "TYPE_NOT_FOUND"),
            (format!("/v1/elements/{ELEMENT}"), "ELEMENT_NOT_FOUND"),
        ] {
            let problem: Value = daemon.get(&path).await.expect(404).json();
            assert_eq!(problem["code"], code, "{path}: {problem}");
        }
        assert_eq!(daemon.proc().plugin_mappings(), Vec::<String>::new());
        let _clean = daemon.restart().await;
        daemon.ready().await;
    }
    let path = format!("/v1/elements/{ELEMENT}");
    let _none = daemon.client.delete(&path, &[("prefer", "wait=60")]).await.expect(404);
}

async fn instances_keep_an_element_from_being_uninstalled(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.1.0").await;
    add(&daemon, "instances", "mine").await;
    let path = format!("/v1/elements/{ELEMENT}");
    let refused = daemon.client.delete(&path, &[("prefer", "wait=60")]).await.expect(409);
    let problem: Value = refused.json();
    assert_eq!(problem["code"], "INSTANCES_EXIST", "{problem}");
    assert_serves(&daemon, "0.1.0").await;
    uninstall(&daemon, "?cascade=true").await;
    let _gone = daemon.get(&path).await.expect(404);
}

async fn data_is_kept_unless_it_is_purged(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.2.0").await;
    add(&daemon, "rows", "kept").await;
    let before = schema(&daemon).await;
    uninstall(&daemon, "").await;
    assert_eq!(schema(&daemon).await, before);
    let _document = install(&daemon, "0.2.0").await;
    assert_eq!(row_ids(&mut daemon.look().await).await, ["kept"]);
    uninstall(&daemon, "?purge=true").await;
    let purged = schema(&daemon).await;
    purged.assert_is(&[]);
    if let Some(own) = daemon.own_database() {
        assert_eq!(own.roles_of_elements().await, Vec::<String>::new());
    }
    let _document = install(&daemon, "0.1.0").await;
    assert_eq!(row_ids(&mut daemon.look().await).await, Vec::<String>::new());
}

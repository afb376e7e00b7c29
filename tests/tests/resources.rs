//! Declared resources of a real plugin, the element `volumes`: what the daemon tells of them and serves by itself.

use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};

const ROOT: &str = "/v1/types/volume";

on_each_database![a_type_says_what_it_declares_and_its_lists_are_empty_at_first];

/// A daemon that has the type `volume`.
async fn volumes(database: Database) -> Daemon {
    let plugin = Plugin::built(Workspace::Fixtures, "volumes");
    let daemon = Daemon::on(database).await;
    daemon.offer(&plugin);
    let element = daemon.install(Wanted::of(&plugin)).await;
    assert_eq!(element["status"], "ACTIVE", "{element}");
    daemon
}

async fn a_type_says_what_it_declares_and_its_lists_are_empty_at_first(database: Database) {
    let daemon = volumes(database).await;
    let declared: Value = daemon.get(ROOT).await.expect(200).json();
    let collections = declared["collections"].as_array().unwrap();
    let of_each =
        |member: &str| collections.iter().map(|it| it[member].clone()).collect::<Vec<_>>();
    assert_eq!(of_each("collection"), ["instances", "snapshots", "tag-sets"]);
    assert_eq!(of_each("parent"), [Value::Null, json!("instances"), Value::Null]);
    for collection in ["instances", "tag-sets"] {
        let list: Value = daemon.get(&format!("{ROOT}/{collection}")).await.expect(200).json();
        assert_eq!(list, json!({"items": [], "next_page_token": null}));
    }
}

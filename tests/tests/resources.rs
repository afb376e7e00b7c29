//! Declared resources of a real plugin, the element `volumes`: what the daemon tells of them and serves by itself.

use http::Method;
use metapaas_tests::client::{Client, Reply};
use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};

const ROOT: &str = "/v1/types/volume";

mod refused;
mod retried;
mod written;

on_each_database![a_type_says_what_it_declares_and_its_lists_are_empty_at_first];

pub(crate) const INSTANCES: &str = "/v1/types/volume/instances";

/// Asks for something with a document.
pub(crate) async fn send(
    daemon: &Daemon,
    method: Method,
    path: &str,
    fields: &[(&str, &str)],
    document: &Value,
) -> Reply {
    daemon.client.send(Client::document(method, path, fields, document)).await
}

/// A volume of 1 GB, which is there when this returns.
pub(crate) async fn volume(daemon: &Daemon, name: &str) -> Value {
    let path = format!("{INSTANCES}?wait=30s");
    let document = json!({"name": name, "size_gb": 1});
    daemon.client.post(&path, &[], &document).await.expect(201).json()
}

/// A header of an answer.
pub(crate) fn header<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// A daemon that has the type `volume`.
pub(crate) async fn volumes(database: Database) -> Daemon {
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

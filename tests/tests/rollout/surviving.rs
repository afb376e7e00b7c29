//! What outlives the daemon: all that was wanted, all that was written, and what served last without a fault.

use metapaas_tests::daemon::{Daemon, Options, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};

use crate::migrating::{ELEMENT, ROOT, assert_serves, daemon, install, row_ids, schema};

on_each_database![
    a_restart_keeps_everything,
    a_version_that_ends_the_daemon_is_left_for_the_one_before,
];

/// What must be the same after a restart.
async fn kept(daemon: &Daemon) -> Value {
    let mut element = daemon.element(ELEMENT).await;
    for differs in ["generation", "last_rollout", "last_operation", "conditions", "restarts"] {
        element.as_object_mut().unwrap().remove(differs);
    }
    element
}

async fn a_restart_keeps_everything(database: Database) {
    let mut daemon = daemon(database).await;
    let _document = install(&daemon, "0.1.0").await;
    let greeting = json!({ "greeting": "hello" });
    let _document = daemon.install(Wanted::new(ELEMENT, "0.2.0").with("settings", greeting)).await;
    let row = json!({ "id": "kept" });
    let _row = daemon.client.post(&format!("{ROOT}/rows"), &[], &row).await.expect(201);
    let (element, history) = (kept(&daemon).await, daemon.history(ELEMENT).await);
    let before = schema(&daemon).await;
    for ends_well in [true, false] {
        if ends_well {
            assert!(daemon.restart().await.success())
        } else {
            daemon.crash().await
        }
        daemon.ready().await;
        assert_serves(&daemon, "0.2.0").await;
        assert_eq!(kept(&daemon).await, element);
        assert_eq!(schema(&daemon).await, before);
        assert_eq!(row_ids(&mut daemon.look().await).await, ["kept"]);
        assert_eq!(daemon.get(&format!("{ROOT}/greeting")).await.expect(200).text(), "hello");
        let now = daemon.history(ELEMENT).await;
        assert_eq!(now[now.len() - history.len()..], history, "history grows and never changes");
    }
}

/// It takes the daemon with it, once: the next one returns to what served, and says why.
async fn a_version_that_ends_the_daemon_is_left_for_the_one_before(database: Database) {
    let mut daemon = Daemon::start_with(Options::on(database)).await;
    for package in ["healthy", "start-aborts"] {
        daemon.offer(&Plugin::built(Workspace::Fixtures, package));
    }
    let _document = daemon.install(Wanted::new("broken", "0.1.0")).await;
    let deadly = Wanted::new("broken", "0.2.0").with("settings", json!({ "spares_probe": true }));
    assert!(deadly.try_put(&daemon.client).await.is_err(), "the daemon has survived");
    daemon.crash().await;
    daemon.ready().await;
    let health = daemon.health("broken").await;
    assert_eq!(health["version"], "0.1.0", "{health}");
    let element = daemon.element("broken").await;
    let words = ["status", "version", "serving_version"].map(|member| element[member].as_str());
    assert_eq!(words, ["ERROR", "0.2.0", "0.1.0"].map(Some), "{element}");
    assert!(element["error"]["message"].as_str().unwrap().contains("quarantined"), "{element}");
}

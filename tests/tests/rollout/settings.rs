//! Settings: a change of them is a rollout of the same version, what does not fit is refused, secrets stay out of sight.

use std::fs;

use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use serde_json::{Value, json};

use super::traffic::Traffic;
use crate::migrating::{ELEMENT, ROOT, daemon, install};

on_each_database![
    a_change_of_settings_is_a_rollout,
    settings_that_do_not_fit_are_refused,
    a_secret_reaches_the_plugin_and_nobody_else,
];

fn wanted(settings: Value) -> Wanted {
    Wanted::new(ELEMENT, "0.1.0").with("settings", settings)
}

async fn greeting(daemon: &Daemon) -> String {
    daemon.get(&format!("{ROOT}/greeting")).await.expect(200).text()
}

async fn a_change_of_settings_is_a_rollout(database: Database) {
    let daemon = daemon(database).await;
    let first = install(&daemon, "0.1.0").await;
    let traffic = Traffic::start(&daemon, "0.1.0");
    for said in ["good morning", "good night"] {
        let document = daemon.install(wanted(json!({ "greeting": said }))).await;
        assert_ne!(document["generation"], first["generation"], "{document}");
        assert_eq!(document["settings"]["greeting"], said, "{document}");
        assert_eq!(document["last_operation"]["kind"], "element.configure", "{document}");
        assert_eq!(greeting(&daemon).await, said);
    }
    // What is left out stays as it is.
    let (path, fields) = (format!("/v1/elements/{ELEMENT}"), [("prefer", "wait=60")]);
    let document = json!({ "version": "0.1.0" });
    let next: Value = daemon.client.put(&path, &fields, &document).await.expect(200).json();
    assert_eq!(next["settings"]["greeting"], "good night", "{next}");
    let _written = traffic.finish().await;
}

async fn settings_that_do_not_fit_are_refused(database: Database) {
    let daemon = daemon(database).await;
    let _document = daemon.install(wanted(json!({ "greeting": "hello" }))).await;
    for (settings, pointer) in
        [(json!({ "greeting": 7 }), "/settings/greeting"), (json!({ "greting": "x" }), "/settings")]
    {
        let problem: Value = daemon.put(&wanted(settings)).await.expect(422).json();
        assert_eq!(problem["code"], "SETTINGS_INVALID", "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert_eq!(greeting(&daemon).await, "hello");
    }
}

async fn a_secret_reaches_the_plugin_and_nobody_else(database: Database) {
    const SECRET: &str = "to-be-seen-by-nobody";
    let daemon = daemon(database).await;
    let secrets = daemon.data().join("secrets");
    fs::create_dir_all(&secrets).unwrap();
    fs::write(secrets.join("greeting"), format!("{SECRET}\n")).unwrap();
    let reference = json!({ "$secret": "file:greeting" });
    let document = daemon.install(wanted(json!({ "greeting": reference }))).await;
    assert_eq!(document["settings"]["greeting"], reference, "{document}");
    assert_eq!(greeting(&daemon).await, SECRET, "the plugin has it");
    let problem: Value = daemon
        .put(&wanted(json!({ "greeting": { "$secret": "file:none" } })))
        .await
        .expect(422)
        .json();
    let mut look = daemon.look().await;
    let mut seen = format!("{problem} {document} {}", daemon.log());
    for table in look.tables().await {
        seen.extend(
            look.rows(&format!("SELECT * FROM {table}")).await.iter().map(|row| format!("{row:?}")),
        );
    }
    assert!(!seen.contains(SECRET), "{seen}");
}

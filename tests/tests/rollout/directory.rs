//! The directory of elements: what lies in it is wanted, and nothing else may say otherwise.

use std::fs;

use metapaas_tests::daemon::{Daemon, Options};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::plugins::Plugin;
use serde_json::{Value, json};

use crate::eventually::eventually;
use crate::migrating::{ELEMENT, ROOT, assert_serves, plugins, put, schema};

on_each_database![
    a_bundle_that_is_dropped_in_serves,
    a_manifest_is_followed,
    a_manifest_that_cannot_be_understood_changes_nothing,
    what_a_manifest_says_is_not_changed_by_the_api,
];

async fn watching(database: Database) -> Daemon {
    Daemon::start_with(Options::on(database).watching()).await
}

fn drop_in(daemon: &Daemon, plugin: &Plugin) {
    let name = format!("{}-{}.bundle", plugin.element, plugin.version);
    daemon.drop_in(&name, fs::read(&plugin.bundle).unwrap());
}

async fn until_it_serves(daemon: &Daemon, version: &str) {
    eventually(&format!("{version} serves"), async || {
        let health = daemon.get(&format!("{ROOT}/-/health")).await;
        health.status == 200 && health.json::<Value>()["version"] == version
    })
    .await;
    eventually("the element says so", async || daemon.element(ELEMENT).await["status"] == "ACTIVE")
        .await;
    assert_serves(daemon, version).await;
}

async fn until_it_is_gone(daemon: &Daemon) {
    eventually("it is gone", async || {
        daemon.get(&format!("/v1/elements/{ELEMENT}")).await.status == 404
    })
    .await;
    let _problem = daemon.get(&format!("{ROOT}/-/health")).await.expect(404);
}

async fn a_bundle_that_is_dropped_in_serves(database: Database) {
    let mut daemon = watching(database).await;
    let [first, next, ..] = plugins();
    drop_in(&daemon, &first);
    until_it_serves(&daemon, "0.1.0").await;
    drop_in(&daemon, &next);
    until_it_serves(&daemon, "0.2.0").await;
    assert_eq!(daemon.element(ELEMENT).await["managed_by"], "bundles");
    let _clean = daemon.restart().await;
    daemon.ready().await;
    assert_serves(&daemon, "0.2.0").await;
}

async fn a_manifest_is_followed(database: Database) {
    let daemon = watching(database).await;
    let [first, next, ..] = plugins();
    let manifest = |version: &str| {
        format!("name: {ELEMENT}\nversion: {version}\nsettings: {{greeting: hi}}\n")
    };
    daemon.drop_in("it.yaml", manifest("0.1.0"));
    drop_in(&daemon, &first);
    until_it_serves(&daemon, "0.1.0").await;
    assert_eq!(daemon.get(&format!("{ROOT}/greeting")).await.expect(200).text(), "hi");
    drop_in(&daemon, &next);
    daemon.drop_in("it.yaml", manifest("0.2.0"));
    until_it_serves(&daemon, "0.2.0").await;
    daemon.drop_in("it.yaml", manifest("0.1.0"));
    until_it_serves(&daemon, "0.1.0").await;
    let before = schema(&daemon).await;
    for bundle in ["migrates-0.1.0.bundle", "migrates-0.2.0.bundle"] {
        daemon.take_out(bundle);
    }
    daemon.take_out("it.yaml");
    until_it_is_gone(&daemon).await;
    assert_eq!(schema(&daemon).await, before, "its data stays");
}

async fn a_manifest_that_cannot_be_understood_changes_nothing(database: Database) {
    let daemon = watching(database).await;
    let [first, ..] = plugins();
    daemon.drop_in("it.yaml", format!("name: {ELEMENT}\nversion: 0.1.0\n"));
    drop_in(&daemon, &first);
    until_it_serves(&daemon, "0.1.0").await;
    for nonsense in
        ["name: [", "name: migrates\nverison: 0.2.0\n", "name: migrates\nversion: soon\n"]
    {
        daemon.drop_in("it.yaml", nonsense);
        eventually("it is told", async || daemon.log().contains("it.yaml")).await;
        assert_serves(&daemon, "0.1.0").await;
    }
    daemon.drop_in(
        "it.yaml",
        format!("name: {ELEMENT}\nversion: 0.1.0\nsettings: {{greeting: mended}}\n"),
    );
    eventually("it is followed again", async || {
        daemon.get(&format!("{ROOT}/greeting")).await.text() == "mended"
    })
    .await;
}

async fn what_a_manifest_says_is_not_changed_by_the_api(database: Database) {
    let daemon = watching(database).await;
    let [first, next, ..] = plugins();
    daemon.drop_in("it.yaml", format!("name: {ELEMENT}\nversion: 0.1.0\n"));
    drop_in(&daemon, &first);
    drop_in(&daemon, &next);
    until_it_serves(&daemon, "0.1.0").await;
    let deleted =
        daemon.client.delete(&format!("/v1/elements/{ELEMENT}"), &[("prefer", "wait=60")]).await;
    let acted = daemon.act(ELEMENT, "upgrade", &json!({})).await;
    for refused in [put(&daemon, "0.2.0").await, deleted, acted] {
        let problem: Value = refused.expect(409).json();
        assert_eq!(problem["code"], "MANAGED_BY_FILE", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("it.yaml"), "{problem}");
    }
    assert_serves(&daemon, "0.1.0").await;
}

//! What takes the daemon with it when it is loaded: the next daemon knows it and leaves it alone.

use expect_test::expect;
use metapaas_tests::swaps::Lane;

use crate::eventually::eventually;

use super::bundles::{BROKEN, ELEMENT, HEALTHY, packed};
use super::scene::Scene;

#[tokio::test]
async fn what_ended_the_daemon_at_its_start_is_quarantined_by_the_next() {
    let mut scene = Scene::set(Lane::InProcess).await;
    let offer = packed("start-aborts");
    scene.daemon.offer(&offer.plugin);
    let wanted = scene.wanted_past_the_probe();
    wants_in_vain(&scene).await;
    // It has ended by itself already.
    scene.daemon.crash().await;
    eventually("the next daemon is ready", async || {
        scene.daemon.get("/readyz").await.status == 200
    })
    .await;
    scene.assert_neighbor_serves().await;
    let element = scene.daemon.element(ELEMENT).await;
    assert_eq!((&element["status"], &element["version"]), (&"ERROR".into(), &BROKEN.into()));
    let quarantined = expect![
        "loading `sha256:DIGEST` ended the daemon before, so it is quarantined; install another version, or run it with `isolation: process`"
    ];
    quarantined.assert_eq(&scene.tidy(element["error"]["message"].as_str().unwrap()));
    scene.is_refused(&offer, &wanted, &quarantined).await;
    let _document = scene.daemon.install(scene.wanted(HEALTHY)).await;
    scene.assert_serves(HEALTHY).await;
    // A worker risks nothing but itself.
    let killed = expect!["the plugin did not start: its worker process ended by signal 6"];
    scene.is_refused(&offer, &wanted.isolated(), &killed).await;
    scene.assert_serves(HEALTHY).await;
    scene.assert_neighbor_serves().await;
}

/// Wants what ends the daemon: there is no answer.
async fn wants_in_vain(scene: &Scene) {
    let document = serde_json::json!({ "version": BROKEN, "settings": { "spares_probe": true } });
    let path = format!("/v1/elements/{ELEMENT}");
    let fields = [("prefer", "wait=60"), ("content-type", "application/json")];
    let request = metapaas_tests::client::Client::request(
        http::Method::PUT,
        &path,
        &fields,
        document.to_string().into(),
    );
    let answered = scene.daemon.client.try_send(request).await;
    assert!(answered.is_err(), "the daemon has survived: {answered:?}");
}

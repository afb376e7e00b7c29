//! What takes the daemon with it when it is loaded: the next daemon knows it and leaves it alone.

use expect_test::expect;
use metapaas_tests::swaps::Lane;

use crate::eventually::eventually;

use super::bundles::{BROKEN, ELEMENT, HEALTHY, packed};
use super::scene::{Scene, assert_problem};

#[tokio::test]
async fn what_ended_the_daemon_at_its_start_is_quarantined_by_the_next() {
    let mut scene = Scene::set(Lane::InProcess).await;
    scene.daemon.offer(&packed("start-aborts").plugin);
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
    expect!["loading `sha256:DIGEST` ended the daemon before, so it is quarantined; install another version, or run it with `isolation: process`"].assert_eq(&scene.tidy(element["error"]["message"].as_str().unwrap()));
    let reply = scene.daemon.put(&wanted).await;
    assert_problem(&reply, 422, "ROLLOUT_FAILED");
    expect!["loading `sha256:DIGEST` ended the daemon before, so it is quarantined; install another version, or run it with `isolation: process`. Generation 2 (0.1.0) keeps serving."].assert_eq(&scene.detail(&reply));
    let _document = scene.daemon.install(scene.wanted(HEALTHY)).await;
    scene.assert_serves(HEALTHY).await;
    // A worker risks nothing but itself.
    let reply = scene.daemon.put(&wanted.isolated()).await;
    assert_problem(&reply, 422, "ROLLOUT_FAILED");
    expect!["the plugin did not start: its worker process ended by signal 6. Generation 5 (0.1.0) keeps serving."].assert_eq(&scene.detail(&reply));
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

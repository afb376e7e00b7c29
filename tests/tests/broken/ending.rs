//! What breaks a promise when it goes: what it keeps is counted and told, and what comes after it serves.

use expect_test::expect;
use metapaas_tests::swaps::Lane;
use serde_json::json;
use tempfile::TempDir;

use crate::eventually::eventually;

use super::bundles::{BROKEN, ELEMENT, HEALTHY, Offer, packed};
use super::scene::{LANES, Scene, assert_problem};

#[tokio::test]
async fn a_panic_in_drop_is_told_and_keeps_nothing() {
    for lane in LANES {
        let scene = Scene::set(lane).await;
        let before = scene.holdings();
        scene.install(&packed("drop-panics"), scene.wanted_past_the_probe()).await;
        scene.return_to_healthy().await;
        scene.assert_nothing_is_left(&before).await;
        let text = "the plugin panicked: nobody may drop it";
        eventually(text, async || scene.daemon.log().contains(text)).await;
        scene.assert_neighbor_serves().await;
    }
}

/// The retained part of a version that broke its promise at its end in the daemon's own process.
async fn retained_after(offer: Offer) -> String {
    let scene = Scene::set(Lane::InProcess).await;
    scene.install(&offer, scene.wanted_past_the_probe()).await;
    scene.return_to_healthy().await;
    scene.assert_neighbor_serves().await;
    format!("{:?}", scene.retained().await)
}

#[tokio::test]
async fn what_cannot_be_unloaded_is_retained_and_says_why() {
    expect![[r#"[("0.2.0", "its thread did not return within 1000 ms of being told to stop; it may be blocked or busy")]"#]].assert_eq(&retained_after(packed("stop-hangs")).await);
    expect![[r#"[("0.2.0", "threads that the plugin started are still running (1); end them when the plugin is stopped")]"#]].assert_eq(&retained_after(packed("leaks-thread")).await);
}

#[tokio::test]
async fn a_worker_keeps_nothing_whatever_its_plugin_leaves_behind() {
    for fixture in ["stop-hangs", "leaks-thread", "leaks-fds"] {
        let scene = Scene::set(Lane::Worker).await;
        let before = scene.holdings();
        scene.install(&packed(fixture), scene.wanted_past_the_probe()).await;
        scene.return_to_healthy().await;
        scene.assert_nothing_is_left(&before).await;
        scene.assert_neighbor_serves().await;
    }
}

#[tokio::test]
async fn what_is_retained_is_unloaded_as_soon_as_its_thread_has_ended() {
    let folder = TempDir::new().unwrap();
    let until = folder.path().join("end");
    let scene = Scene::set(Lane::InProcess).await;
    let before = scene.holdings();
    let settings = json!({ "spares_probe": true, "until": until });
    let wanted = scene.wanted(BROKEN).with("settings", settings);
    scene.install(&packed("leaks-thread"), wanted).await;
    scene.return_to_healthy().await;
    assert_eq!(scene.retained().await.len(), 1);
    assert_ne!(scene.holdings(), before);
    std::fs::write(&until, "").unwrap();
    eventually("it is unloaded after all", async || scene.retained().await.is_empty()).await;
    eventually("no byte is retained", async || {
        scene.daemon.metric("retained_bytes").await == Some(0.0)
    })
    .await;
    scene.assert_nothing_is_left(&before).await;
}

#[tokio::test]
async fn an_uninstalled_element_is_unmapped_unless_a_thread_of_it_lives() {
    let cases = [("handler-panics", json!({}), false)];
    let leaking = ("leaks-thread", json!({ "spares_probe": true }), true);
    for (fixture, settings, is_kept) in cases.into_iter().chain([leaking]) {
        let scene = Scene::with_neighbor(Lane::InProcess, &[]).await;
        let before = scene.holdings();
        let wanted = scene.wanted(BROKEN).with("settings", settings);
        scene.install(&packed(fixture), wanted).await;
        scene.daemon.uninstall(ELEMENT).await;
        assert_problem(&scene.ask("/-/health").await, 404, "TYPE_NOT_FOUND");
        scene.assert_neighbor_serves().await;
        if is_kept {
            eventually("the retained bytes are exported", async || {
                scene.daemon.metric("retained_bytes").await > Some(0.0)
            })
            .await;
            assert_ne!(scene.holdings(), before);
        } else {
            eventually("it is gone", async || scene.holdings() == before).await;
            assert_eq!(scene.daemon.metric("retained_bytes").await, Some(0.0));
        }
    }
}

/// Beyond the cap nothing more is loaded into the daemon; a worker still is.
#[tokio::test]
async fn what_is_retained_is_capped() {
    let cap = [("METAPAAS__PLUGIN__RETAINED_BYTES_MAX", "1")];
    let scene = Scene::set_with(Lane::InProcess, &cap).await;
    scene.install(&packed("leaks-thread"), scene.wanted_past_the_probe()).await;
    scene.return_to_healthy().await;
    let reply = scene.daemon.put(&scene.wanted_past_the_probe()).await;
    assert_problem(&reply, 503, "GENERATIONS_FULL");
    let detail = scene.detail(&reply);
    let (n_bytes, rest) = detail.split_once(' ').unwrap();
    assert!(n_bytes.parse::<u64>().unwrap() > 1, "{detail}");
    expect!["bytes of ended plugins could not be unloaded, which is the limit; see their reasons at `GET /v1/elements`, and restart the daemon or run the element with `isolation: process`. Generation 4 (0.1.0) keeps serving."].assert_eq(rest);
    scene.assert_serves(HEALTHY).await;
    let _document = scene.daemon.install(scene.wanted_past_the_probe().isolated()).await;
    scene.assert_serves(BROKEN).await;
}

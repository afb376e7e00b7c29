//! What breaks a promise while it serves: it costs its own requests, and an answer says so.

use std::time::Instant;

use expect_test::{Expect, expect};
use http::header::RETRY_AFTER;
use metapaas_tests::client::Reply;
use metapaas_tests::swaps::Lane;
use tokio::task::JoinSet;

use crate::eventually::eventually;

use super::bundles::{BROKEN, ELEMENT, HEALTHY, packed};
use super::scene::{LANES, Scene, assert_problem};

/// So many faults within a minute and a version is given up.
const FAULTS_MAX: usize = 3;

#[tokio::test]
async fn a_panic_in_a_handler_costs_that_request() {
    for lane in LANES {
        let scene = Scene::set(lane).await;
        let before = scene.holdings();
        scene.install(&packed("handler-panics"), scene.wanted(BROKEN)).await;
        let serving = scene.daemon.health(ELEMENT).await;
        for _ in 0..2 {
            let reply = scene.ask("/panic").await;
            assert_problem(&reply, 500, "PLUGIN_PANIC");
            expect!["The plugin panicked while it worked on this request."]
                .assert_eq(&scene.detail(&reply));
        }
        assert_eq!(scene.daemon.health(ELEMENT).await, serving, "the generation goes on");
        scene.assert_neighbor_serves().await;
        assert_eq!(scene.daemon.metric("plugin_panics_total").await, Some(2.0));
        assert_logged(&scene, "the plugin panicked: one is not two").await;
        assert_logged(&scene, "handler_panics::panics").await;
        scene.return_to_healthy().await;
        scene.assert_nothing_is_left(&before).await;
    }
}

/// Whatever the panic left half done, so the generation is replaced; and a version that goes on like this is left.
#[tokio::test]
async fn a_panic_in_shared_state_replaces_the_generation() {
    for lane in LANES {
        let scene = Scene::set(lane).await;
        let before = scene.holdings();
        scene.install(&packed("handler-panics"), scene.wanted(BROKEN)).await;
        for n_faults in 1..FAULTS_MAX {
            let _accepted = scene.ask("/background").await.expect(202);
            wait_for_restart(&scene, n_faults).await;
        }
        let _accepted = scene.ask("/background").await.expect(202);
        assert_given_up(&scene, &expect!["it ended 3 times within a minute, the last time because it panicked outside a request: two is not three (handler-panics/src/lib.rs:24:41)"]).await;
        scene.assert_nothing_is_left(&before).await;
    }
}

/// In the daemon's own process it would take the daemon along: that is what workers are for.
#[tokio::test]
async fn a_crash_of_a_worker_costs_its_requests_in_flight() {
    let cases = [
        (
            "aborts",
            "/abort",
            expect![
                "it ended 3 times within a minute, the last time because its worker process ended by signal 6"
            ],
        ),
        (
            "segfaults",
            "/segfault",
            expect![
                "it ended 3 times within a minute, the last time because its worker process ended by signal 11"
            ],
        ),
    ];
    for (fixture, path, given_up) in cases {
        let scene = Scene::set(Lane::Worker).await;
        let before = scene.holdings();
        scene.install(&packed(fixture), scene.wanted(BROKEN)).await;
        for n_faults in 1..=FAULTS_MAX {
            let reply = scene.ask(path).await;
            assert_problem(&reply, 502, "PLUGIN_CRASHED");
            assert!(reply.headers.contains_key(RETRY_AFTER), "{:?}", reply.headers);
            expect!["The plugin ended while it worked on this request."]
                .assert_eq(&scene.detail(&reply));
            scene.assert_neighbor_serves().await;
            if n_faults < FAULTS_MAX {
                wait_for_restart(&scene, n_faults).await;
            }
        }
        assert_given_up(&scene, &given_up).await;
        scene.assert_nothing_is_left(&before).await;
    }
}

#[tokio::test]
async fn without_a_version_to_return_to_nothing_serves() {
    let scene = Scene::with_neighbor(Lane::Worker, &[]).await;
    let before = scene.holdings();
    scene.install(&packed("aborts"), scene.wanted(BROKEN)).await;
    for n_faults in 1..=FAULTS_MAX {
        assert_problem(&scene.ask("/abort").await, 502, "PLUGIN_CRASHED");
        if n_faults < FAULTS_MAX {
            wait_for_restart(&scene, n_faults).await;
        }
    }
    eventually("it is given up", async || is_in_error(&scene).await).await;
    let element = scene.daemon.element(ELEMENT).await;
    assert_eq!(element["serving_version"], serde_json::Value::Null, "{element}");
    assert_problem(&scene.ask("/-/health").await, 404, "TYPE_NOT_FOUND");
    scene.assert_neighbor_serves().await;
    scene.assert_nothing_is_left(&before).await;
    // The operator may insist.
    let _document = scene.daemon.install(scene.wanted(BROKEN)).await;
    scene.assert_serves(BROKEN).await;
}

/// A handler that keeps the generation's only thread: its requests are late, its thread cannot be taken from it.
async fn keeps_its_thread(fixture: &str, path: &str) {
    for lane in LANES {
        let scene = Scene::set(lane).await;
        let before = scene.holdings();
        scene.install(&packed(fixture), scene.wanted(BROKEN)).await;
        for reply in asked_twice_beside_the_neighbor(&scene, path).await {
            assert_problem(&reply, 504, "DEADLINE_EXCEEDED");
            assert!(reply.headers.contains_key(RETRY_AFTER), "{:?}", reply.headers);
            expect!["The plugin did not answer within the deadline of this route."]
                .assert_eq(&scene.detail(&reply));
        }
        scene.return_to_healthy().await;
        scene.assert_neighbor_serves().await;
        match lane {
            Lane::Worker => scene.assert_nothing_is_left(&before).await,
            Lane::InProcess => {
                expect![[r#"[("0.2.0", "its thread did not return within 1000 ms of being told to stop; it may be blocked or busy")]"#]].assert_eq(&format!("{:?}", scene.retained().await));
                eventually("the retained bytes are exported", async || {
                    scene.daemon.metric("retained_bytes").await > Some(0.0)
                })
                .await;
            }
        }
    }
}

#[tokio::test]
async fn a_busy_loop_keeps_nobody_else_waiting() {
    keeps_its_thread("busy-loops", "/busy").await;
}

#[tokio::test]
async fn a_blocked_runtime_keeps_nobody_else_waiting() {
    keeps_its_thread("blocks-runtime", "/block").await;
}

#[tokio::test]
async fn what_never_answers_is_cancelled_at_its_deadline() {
    for lane in LANES {
        let scene = Scene::set(lane).await;
        let before = scene.holdings();
        scene.install(&packed("never-answers"), scene.wanted(BROKEN)).await;
        for reply in asked_twice_beside_the_neighbor(&scene, "/never").await {
            assert_problem(&reply, 504, "DEADLINE_EXCEEDED");
        }
        eventually("the cancelled give their places back", async || {
            scene.daemon.metric("plugin_requests_in_flight").await == Some(0.0)
        })
        .await;
        scene.assert_serves(BROKEN).await;
        scene.return_to_healthy().await;
        scene.assert_nothing_is_left(&before).await;
    }
}

/// What is never told to be over keeps its place: those who come later are told at once, and nothing queues.
#[tokio::test]
async fn what_ignores_cancellation_uses_up_its_own_places_only() {
    for lane in LANES {
        let places = [("METAPAAS__PLUGIN__REQUESTS_IN_FLIGHT_MAX", "2")];
        let scene = Scene::set_with(lane, &places).await;
        let before = scene.holdings();
        scene.install(&packed("ignores-cancel"), scene.wanted(BROKEN)).await;
        for reply in asked_twice_beside_the_neighbor(&scene, "/ask").await {
            assert_problem(&reply, 504, "DEADLINE_EXCEEDED");
        }
        let busy = scene.ask("/ask").await;
        assert_problem(&busy, 503, "PLUGIN_BUSY");
        assert!(busy.headers.contains_key(RETRY_AFTER), "{:?}", busy.headers);
        expect!["The plugin works on 2 requests, as many as it may."]
            .assert_eq(&scene.detail(&busy));
        scene.assert_neighbor_serves().await;
        scene.return_to_healthy().await;
        scene.assert_nothing_is_left(&before).await;
    }
}

#[tokio::test]
async fn a_second_answer_changes_nothing_and_is_told() {
    for lane in LANES {
        let scene = Scene::set(lane).await;
        let before = scene.holdings();
        scene.install(&packed("answers-twice"), scene.wanted(BROKEN)).await;
        for n_breaches in 1..=3 {
            assert_eq!(scene.ask("/ask").await.expect(200).text(), r#""first""#);
            eventually("the breach is counted", async || {
                scene.daemon.metric("plugin_breaches_total").await == Some(f64::from(n_breaches))
            })
            .await;
        }
        assert_logged(&scene, "the plugin broke the contract: said `answer` for request").await;
        scene.return_to_healthy().await;
        scene.assert_nothing_is_left(&before).await;
    }
}

/// Two such requests at once, during which the neighbor answers.
async fn asked_twice_beside_the_neighbor(scene: &Scene, path: &str) -> Vec<Reply> {
    let path = format!("/v1/types/{ELEMENT}{path}");
    let asked = JoinSet::from_iter((0..2).map(|_| {
        let (client, path) = (scene.daemon.client.clone(), path.clone());
        async move { client.get(&path).await }
    }));
    eventually("they are in flight", async || {
        scene.daemon.metric("plugin_requests_in_flight").await == Some(2.0)
    })
    .await;
    let began = Instant::now();
    scene.assert_neighbor_serves().await;
    assert!(began.elapsed() < super::scene::SOON, "the neighbor took {:?}", began.elapsed());
    asked.join_all().await
}

/// Waits until the generation that failed is replaced by another of the same version.
async fn wait_for_restart(scene: &Scene, n_restarts: usize) {
    eventually("it is started again", async || {
        let element = scene.daemon.element(ELEMENT).await;
        element["restarts"] == n_restarts && element["status"] == "ACTIVE"
    })
    .await;
    scene.assert_serves(BROKEN).await;
}

async fn is_in_error(scene: &Scene) -> bool {
    scene.daemon.element(ELEMENT).await["status"] == "ERROR"
}

/// The version was left for the one before it, and the element says why.
async fn assert_given_up(scene: &Scene, text: &Expect) {
    eventually("it is given up", async || is_in_error(scene).await).await;
    let element = scene.daemon.element(ELEMENT).await;
    assert_eq!(element["serving_version"], HEALTHY, "{element}");
    text.assert_eq(&scene.tidy(element["error"]["message"].as_str().unwrap()));
    scene.assert_serves(HEALTHY).await;
    scene.assert_neighbor_serves().await;
}

async fn assert_logged(scene: &Scene, text: &str) {
    eventually(text, async || scene.daemon.log().contains(text)).await;
}

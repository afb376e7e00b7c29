//! The daemon's own life: start, stop, restart, crash, and what of it outlives it.

use std::time::Duration;

use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::load::{Crew, Load, Pace, Plan, Script, Serving};
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::Value;

const ROOT: &str = "/v1/types/swap";

async fn installed() -> (Daemon, Plugin) {
    let plugin = Plugin::built(Workspace::Fixtures, "swap");
    let daemon = Daemon::start().await;
    daemon.offer(&plugin);
    let _document = daemon.install(Wanted::of(&plugin)).await;
    (daemon, plugin)
}

async fn assert_serves(daemon: &Daemon, version: &str) {
    let hello: Value = daemon.get(&format!("{ROOT}/hello/you")).await.expect(200).json();
    assert_eq!(hello, serde_json::json!({ "hello": "you", "version": version }));
}

#[tokio::test]
async fn an_element_is_installed_served_and_uninstalled() {
    let (daemon, plugin) = installed().await;
    assert_serves(&daemon, "0.1.0").await;
    let health = daemon.health("swap").await;
    assert_eq!((&health["status"], &health["version"]), (&"ok".into(), &"0.1.0".into()));
    daemon.uninstall(&plugin.element).await;
    let _gone = daemon.get(&format!("{ROOT}/hello/you")).await.expect(404);
    assert_eq!(daemon.proc().plugin_mappings(), Vec::<String>::new());
}

#[tokio::test]
async fn a_restart_keeps_what_is_installed() {
    let (mut daemon, plugin) = installed().await;
    let status = daemon.restart().await;
    assert!(status.success(), "{status}");
    daemon.ready().await;
    assert_serves(&daemon, "0.1.0").await;
    assert_eq!(daemon.element(&plugin.element).await["status"], "ACTIVE");
}

#[tokio::test]
async fn a_crash_keeps_what_is_installed() {
    let (mut daemon, _plugin) = installed().await;
    daemon.crash().await;
    daemon.ready().await;
    assert_serves(&daemon, "0.1.0").await;
}

#[tokio::test]
async fn an_order_to_end_lets_requests_under_way_come_to_their_end() {
    let (daemon, _plugin) = installed().await;
    let client = daemon.client.clone();
    let slow = tokio::task::JoinSet::from_iter((0..8).map(|_| {
        let client = client.clone();
        async move { client.get(&format!("{ROOT}/sleep/500")).await.status.as_u16() }
    }));
    while daemon.metric("plugin_requests_in_flight").await != Some(8.0) {}
    let ended = daemon.terminate().await;
    assert_eq!(slow.join_all().await, [200; 8]);
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn many_requests_at_once_get_their_own_answers() {
    let (daemon, _plugin) = installed().await;
    let crews = vec![
        Crew::new(Script::small(ROOT, &["0.1.0"]), 32),
        Crew::new(Script::streamed(ROOT, &["0.1.0"], 50), 16),
        Crew::new(Script::upgraded(ROOT, &["0.1.0"]), 16),
    ];
    let serving = std::sync::Arc::new(Serving::new(&[0]));
    let (address, time_max) = (daemon.client.address, Duration::from_secs(2));
    let plan = Plan { address, crews, serving, pace: Pace::Saturating, n_threads: 1, time_max };
    Load::start(plan).run_out().await.assert_faultless();
}

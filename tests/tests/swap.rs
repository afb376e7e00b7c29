//! A version comes, a version goes, and nobody who asks meanwhile notices.

use std::time::Duration;

use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::plugins::{Plugin, Workspace};
use metapaas_tests::swaps::{Lane, Swaps, holds_no_more};
use tokio::time::timeout;

/// The longest that the swaps of one test may take.
const TIME_MAX: Duration = Duration::from_secs(300);
/// What the first swaps make once and for all: the allocator's pools, the runtime's buffers.
const N_WARM_UP: usize = 10;

#[tokio::test]
async fn swaps_in_the_daemon_disturb_nobody_and_leave_nothing() {
    swap_under_load(Lane::InProcess, n_swaps(150)).await;
}

#[tokio::test]
async fn swaps_of_workers_disturb_nobody_and_leave_nothing() {
    swap_under_load(Lane::Worker, n_swaps(40)).await;
}

/// As many as `SWAPS` says, or `usually`. Always an even number: before and after, the same version serves.
fn n_swaps(usually: usize) -> usize {
    let wanted = std::env::var("SWAPS").ok().and_then(|wanted| wanted.parse().ok());
    wanted.unwrap_or(usually).next_multiple_of(2)
}

async fn swap_under_load(lane: Lane, n_swaps: usize) {
    let mut swaps = Swaps::start(Daemon::start().await, lane).await;
    let warm_up = swap_so_often(&mut swaps, N_WARM_UP).await;
    let before = swaps.settled(None).await;
    let keys_before = swaps.daemon.metric("free_keys").await;
    let report = swap_so_often(&mut swaps, n_swaps).await;
    let after = swaps.settled(Some(before)).await;
    warm_up.assert_faultless();
    report.assert_faultless();
    assert!(
        holds_no_more(after, before),
        "kept after {n_swaps} swaps: {after:#?}, before {before:#?}"
    );
    assert_eq!(swaps.daemon.metric("retained_bytes").await, Some(0.0));
    // The daemon counts its keys every now and then, so the last ones given back show a moment later.
    let given_back = async { while swaps.daemon.metric("free_keys").await < keys_before {} };
    let kept = timeout(Duration::from_secs(10), given_back).await;
    kept.expect("as many thread-local keys are free as before");
}

async fn swap_so_often(swaps: &mut Swaps, n_swaps: usize) -> metapaas_tests::load::Report {
    let load = swaps.load(TIME_MAX);
    for _ in 0..n_swaps {
        let _swap = swaps.swap().await;
    }
    load.finish().await
}

#[tokio::test]
async fn switching_the_lane_disturbs_nobody() {
    let plugin = Plugin::built(Workspace::Fixtures, "swap");
    let swaps = Swaps::start(Daemon::start().await, Lane::InProcess).await;
    let load = swaps.load(TIME_MAX);
    for _ in 0..5 {
        let worker = swaps.daemon.install(Wanted::of(&plugin).isolated()).await;
        assert_eq!(worker["isolation"], "process");
        assert!(!swaps.daemon.proc().children().is_empty(), "a worker is a child of the daemon");
        let in_process = swaps.daemon.install(Wanted::of(&plugin)).await;
        assert_eq!(in_process["isolation"], "none");
    }
    load.finish().await.assert_faultless();
}

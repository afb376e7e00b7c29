//! What rollouts cost: from a bundle that is dropped in to its first answer, a thousand of them under load, and the
//! reconciler when there is nothing to do.
//!
//! Flags: `--drops N` (default 30), `--rollouts N` (default 1000), `--elements N` (default 300), `--database sqlite`.

#![expect(clippy::print_stderr, reason = "tells how far it is; the table goes to standard output")]

use std::fs;
use std::time::{Duration, Instant};

use metapaas_tests::bench::{Book, Target, argument};
use metapaas_tests::daemon::{Daemon, Options};
use metapaas_tests::plugins::Plugin;
use metapaas_tests::schema::Schema;
use metapaas_tests::swaps::{Lane, Swaps, stages};

const TELL_EVERY: usize = 100;
/// What the first rollouts make once and for all.
const N_WARM_UP: usize = 50;
const TIME_MAX: Duration = Duration::from_secs(3600);
/// How long the daemon is watched while there is nothing to do, and how often it is made to look in that time.
const WATCHED: Duration = Duration::from_secs(20);
const N_LOOKS: u32 = 50;
const LOOK_AGAIN: Duration = Duration::from_millis(1);

#[tokio::main]
async fn main() {
    let mut book = Book::new("rollouts");
    tell_drops(&mut book, argument("--drops", 30)).await;
    tell_rollouts(&mut book, argument("--rollouts", 1_000)).await;
    tell_reconciling(&mut book, argument("--elements", 300)).await;
    book.close();
}

/// A bundle with a migration appears in the directory of elements: until its type answers.
async fn tell_drops(book: &mut Book, n_drops: usize) {
    let daemon = Daemon::start_with(Options::quiet().watching()).await;
    daemon.ready().await;
    let mut took = Vec::with_capacity(n_drops);
    for number in 1..=n_drops {
        let element = format!("dropped-{number:03}");
        let table = format!("dropped{number:03}_things");
        let make = format!("CREATE TABLE {table} (id bigint PRIMARY KEY, name text)");
        let packed = Schema::new(&element, "0.1.0")
            .expand(1, &[&make], &[&format!("DROP TABLE {table}")])
            .pack();
        let bundle = fs::read(&packed.plugin.bundle).expect("it was just packed");
        let started = Instant::now();
        daemon.drop_in(&format!("{element}-0.1.0.bundle"), bundle);
        until_it_answers(&daemon, &format!("/v1/types/dropped{number:03}/-/health")).await;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let what = "bundle dropped in until its first answer, probe and migration included";
    book.median(what, took, "ms", Some(Target::AtMost(150.0)));
}

async fn until_it_answers(daemon: &Daemon, path: &str) {
    let started = Instant::now();
    while daemon.get(path).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(30), "{path} does not answer");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whole rollouts through the API, from one version to the other, while clients ask.
async fn tell_rollouts(book: &mut Book, n_rollouts: usize) {
    let mut swaps = Swaps::start(Daemon::start_with(Options::quiet()).await, Lane::InProcess).await;
    let load = swaps.load(TIME_MAX);
    for _ in 0..N_WARM_UP {
        let _swap = swaps.swap().await;
    }
    let before = swaps.daemon.proc().holdings();
    let mut took = Vec::with_capacity(n_rollouts);
    let started = Instant::now();
    for n_done in 1..=n_rollouts.next_multiple_of(2) {
        took.push(swaps.swap().await.whole.as_secs_f64() * 1000.0);
        if n_done % TELL_EVERY == 0 {
            eprintln!("{n_done} of {n_rollouts}; {:?}", swaps.daemon.proc().holdings());
        }
    }
    let elapsed = started.elapsed();
    let total = load.finish().await.total();
    total.faults.iter().for_each(|fault| eprintln!("{fault}"));
    let after = swaps.settled(Some(before)).await;
    let per_rollout = |kib: u64| kib as f64 / took.len() as f64;
    let (now, then) = (per_rollout(after.rss_kib), per_rollout(before.rss_kib));
    let document = swaps.daemon.element("swap").await;
    stages(&document).iter().for_each(|(stage, ms)| eprintln!("the last one: {stage} {ms:.3} ms"));
    let n_failed = (total.n_failed + total.n_wrong) as f64;
    book.once("rollouts: requests answered rightly", total.n_right as f64, "", None);
    book.once(
        "rollouts: requests failed or answered wrongly",
        n_failed,
        "",
        Some(Target::AtMost(0.0)),
    );
    book.once("rollouts: RSS kept by each", now - then, "KiB", Some(Target::AtMost(2.0)));
    book.once("rollouts: per second", took.len() as f64 / elapsed.as_secs_f64(), "1/s", None);
    book.median("rollouts: whole, as the operator sees it, under load", took, "ms", None);
}

/// What the daemon uses of a processor while nothing changes, for each look at what is wanted.
async fn tell_reconciling(book: &mut Book, n_elements: usize) {
    let daemon = Daemon::start_with(Options::quiet().watching()).await;
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    for plugin in Plugin::crowd(n_elements, folder.path()) {
        let bundle = fs::read(&plugin.bundle).expect("it was just packed");
        daemon.drop_in(&format!("{}-0.1.0.bundle", plugin.element), bundle);
    }
    let last = metapaas_tests::plugins::crowd_slug(n_elements);
    while daemon.get(&format!("/v1/types/{last}/hello")).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    daemon.ready().await;
    eprintln!("{n_elements} elements serve");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = used_while_looking(&daemon, 0).await;
    let used = used_while_looking(&daemon, N_LOOKS).await;
    let each = (used.as_secs_f64() - idle.as_secs_f64()) * 1000.0 / f64::from(N_LOOKS);
    let what = |rest: &str| format!("{n_elements} elements and nothing to do: {rest}");
    book.once(&what("CPU of one reconciliation"), each, "ms", Some(Target::AtMost(30.0)));
    let per_minute = idle.as_secs_f64() * 1000.0 * 60.0 / WATCHED.as_secs_f64();
    book.once(&what("CPU in a minute without any"), per_minute, "ms", None);
}

/// What the daemon uses of a processor while it is made to look so often at what is wanted, evenly spread.
async fn used_while_looking(daemon: &Daemon, n_looks: u32) -> Duration {
    let before = daemon.proc().cpu();
    let end = Instant::now() + WATCHED;
    for _ in 0..n_looks {
        // No manifest and no bundle: the reconciler is woken, reads everything, and finds nothing new.
        fs::write(daemon.elements().join("nothing.txt"), "").expect("an own folder can be written");
        tokio::time::sleep(WATCHED / n_looks).await;
    }
    tokio::time::sleep_until(end.into()).await;
    daemon.proc().cpu() - before
}

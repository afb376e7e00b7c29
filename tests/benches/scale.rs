//! What the daemon takes when it is idle, to start, and with hundreds of plugins.
//!
//! Flags: `--plugins N` (default 300, at most 999), `--starts N`.

#![expect(clippy::print_stderr, reason = "tells how far it is; the table goes to standard output")]

use std::time::{Duration, Instant};

use metapaas_tests::bench::{Book, Target, argument};
use metapaas_tests::daemon::{Daemon, Options, Wanted};
use metapaas_tests::plugins::{Plugin, crowd_slug};
use tokio::task::JoinSet;

/// How many elements are installed at a time.
const N_AT_A_TIME: usize = 8;
/// How long a daemon rests before its memory is looked at.
const REST: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() {
    let n_plugins: usize = argument("--plugins", 300);
    let mut book = Book::new("scale");
    tell_starts(&mut book, argument("--starts", 10)).await;
    let mut daemon = daemon().await;
    daemon.ready().await;
    tokio::time::sleep(REST).await;
    let idle = daemon.proc().holdings();
    let at_most = |most| Some(Target::AtMost(most));
    let mib = |kib: u64| kib as f64 / 1024.0;
    book.once("idle: RSS", mib(idle.rss_kib), "MiB", at_most(30.0));
    book.once("idle: private dirty", mib(idle.private_dirty_kib), "MiB", None);
    book.once("idle: threads", idle.n_threads as f64, "", None);

    let installed = install_all(&daemon, n_plugins).await;
    let what = |rest: &str| format!("{n_plugins} plugins: {rest}");
    book.once(&what("probed and installed"), installed.as_secs_f64(), "s", None);
    let started = Instant::now();
    let ended = daemon.restart().await;
    assert!(ended.success(), "{ended}");
    let restarted = daemon.started_at();
    daemon.ready().await;
    let start = restarted.elapsed();
    book.once(&what("stop"), (restarted - started).as_secs_f64(), "s", None);
    book.once(&what("start with cached verdicts"), start.as_secs_f64(), "s", at_most(3.0));
    assert_all_serve(&daemon, n_plugins).await;
    tokio::time::sleep(REST).await;
    let full = daemon.proc().holdings();
    let each = |now: u64, then: u64| now.saturating_sub(then) as f64 / n_plugins as f64;
    let dirty = each(full.private_dirty_kib, idle.private_dirty_kib);
    book.once(&what("private dirty, each"), dirty, "KiB", at_most(250.0));
    book.once(&what("RSS, each"), each(full.rss_kib, idle.rss_kib), "KiB", None);
    book.close();
}

async fn daemon() -> Daemon {
    Daemon::start_with(Options::quiet()).await
}

async fn tell_starts(book: &mut Book, n_starts: usize) {
    let mut first = Vec::new();
    let mut again = Vec::new();
    for _ in 0..n_starts {
        let mut daemon = daemon().await;
        daemon.ready().await;
        first.push(daemon.started_at().elapsed().as_secs_f64() * 1000.0);
        let _ended = daemon.restart().await;
        daemon.ready().await;
        again.push(daemon.started_at().elapsed().as_secs_f64() * 1000.0);
    }
    book.median("cold start to ready, first time", first, "ms", Some(Target::AtMost(200.0)));
    book.median("cold start to ready, again", again, "ms", Some(Target::AtMost(200.0)));
}

async fn install_all(daemon: &Daemon, n_plugins: usize) -> Duration {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let crowd = Plugin::crowd(n_plugins, folder.path());
    crowd.iter().for_each(|plugin| daemon.offer(plugin));
    eprintln!("{n_plugins} bundles packed");
    let started = Instant::now();
    let mut under_way = JoinSet::new();
    for plugin in &crowd {
        if under_way.len() == N_AT_A_TIME {
            under_way.join_next().await.expect("some are under way").expect("it installs");
        }
        let (client, wanted) = (daemon.client.clone(), Wanted::of(plugin));
        under_way.spawn(async move {
            let _document = wanted.put(&client).await.expect(200);
        });
    }
    under_way.join_all().await;
    started.elapsed()
}

async fn assert_all_serve(daemon: &Daemon, n_plugins: usize) {
    for number in 1..=n_plugins {
        let reply = daemon.get(&format!("/v1/types/{}/hello", crowd_slug(number))).await;
        assert_eq!(reply.expect(200).text(), "hello");
    }
}

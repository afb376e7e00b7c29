//! Thousands of swaps under a mixed load: what failed, what was left behind, how long it took.
//!
//! Flags: `--swaps N` (in the daemon, default 10000), `--worker-swaps N` (default 1000). Zero leaves one out.

#![expect(clippy::print_stderr, reason = "tells how far it is; the table goes to standard output")]

use std::time::{Duration, Instant};

use metapaas_tests::bench::{Book, Target, argument};
use metapaas_tests::daemon::{Daemon, Options};
use metapaas_tests::load::Report;
use metapaas_tests::proc::Holdings;
use metapaas_tests::swaps::{Lane, STORE_FDS_MAX, Swap, Swaps};

const N_WARM_UP: usize = 50;
const TIME_MAX: Duration = Duration::from_secs(3600);
const TELL_EVERY: usize = 500;

#[tokio::main]
async fn main() {
    let lanes = [
        (Lane::InProcess, "in-process", argument("--swaps", 10_000)),
        (Lane::Worker, "worker", argument("--worker-swaps", 1_000)),
    ];
    let mut book = Book::new("swaps");
    for (lane, name, n_swaps) in lanes.into_iter().filter(|(_, _, n_swaps)| *n_swaps > 0) {
        measure(&mut book, lane, name, n_swaps).await;
    }
    book.close();
}

async fn measure(book: &mut Book, lane: Lane, name: &str, n_swaps: usize) {
    let daemon = Daemon::start_with(Options::quiet()).await;
    let mut swaps = Swaps::start(daemon, lane).await;
    let (_warm_up, _times) = swap_so_often(&mut swaps, N_WARM_UP, name).await;
    let before = swaps.settled(None).await;
    let started = Instant::now();
    // An even number, so that the same version is mapped before and after.
    let (report, times) = swap_so_often(&mut swaps, n_swaps.next_multiple_of(2), name).await;
    let elapsed = started.elapsed();
    let after = swaps.settled(Some(before)).await;
    eprintln!("{name}: {report}");
    tell_load(book, name, &report);
    tell_holdings(book, name, before, after, times.len());
    tell_times(book, name, &times);
    book.once(
        &format!("{name}: swaps per second"),
        times.len() as f64 / elapsed.as_secs_f64(),
        "1/s",
        None,
    );
    let retained = swaps.daemon.metric("retained_bytes").await.unwrap_or(f64::NAN);
    book.once(
        &format!("{name}: bytes of libraries still mapped"),
        retained,
        "B",
        Some(Target::AtMost(0.0)),
    );
}

async fn swap_so_often(swaps: &mut Swaps, n_swaps: usize, name: &str) -> (Report, Vec<Swap>) {
    let load = swaps.load(TIME_MAX);
    let mut times = Vec::with_capacity(n_swaps);
    for n_done in 1..=n_swaps {
        times.push(swaps.swap().await);
        if n_done % TELL_EVERY == 0 {
            eprintln!("{name}: {n_done} of {n_swaps} swaps; {:?}", swaps.daemon.proc().holdings());
        }
    }
    (load.finish().await, times)
}

fn tell_load(book: &mut Book, name: &str, report: &Report) {
    let total = report.total();
    let none = Some(Target::AtMost(0.0));
    book.once(&format!("{name}: requests answered rightly"), total.n_right as f64, "", None);
    book.once(&format!("{name}: requests failed"), total.n_failed as f64, "", none);
    book.once(&format!("{name}: answers wrong"), total.n_wrong as f64, "", none);
    for fault in &total.faults {
        eprintln!("{name}: {fault}");
    }
}

fn tell_holdings(book: &mut Book, name: &str, before: Holdings, after: Holdings, n_swaps: usize) {
    let Holdings { rss_kib, private_dirty_kib, n_fds, n_threads, n_plugin_mappings } = after;
    let mut kept = |what: &str, now: f64, then: f64, unit, target| {
        book.once(&format!("{name}: {what}"), now - then, unit, Some(Target::AtMost(target)));
    };
    let per_swap = |kib: u64| kib as f64 / n_swaps as f64;
    kept("RSS kept per swap", per_swap(rss_kib), per_swap(before.rss_kib), "KiB", 2.0);
    let (now, then) = (per_swap(private_dirty_kib), per_swap(before.private_dirty_kib));
    kept("private dirty kept per swap", now, then, "KiB", 2.0);
    let at_most = STORE_FDS_MAX as f64;
    kept("fds kept", n_fds as f64, before.n_fds as f64, "", at_most);
    kept("threads kept", n_threads as f64, before.n_threads as f64, "", 0.0);
    let (now, then) = (n_plugin_mappings as f64, before.n_plugin_mappings as f64);
    kept("mappings of libraries kept", now, then, "", 0.0);
}

fn tell_times(book: &mut Book, name: &str, times: &[Swap]) {
    let whole: Vec<f64> = times.iter().map(|swap| swap.whole.as_secs_f64() * 1000.0).collect();
    tell_worst(book, name, times);
    book.median(&format!("{name}: swap, as the operator sees it"), whole, "ms", None);
    let of = |stage: &str| -> Vec<f64> {
        let of_stage =
            |swap: &Swap| swap.stages.iter().find(|(name, _)| name == stage).map(|(_, ms)| *ms);
        times.iter().filter_map(of_stage).collect()
    };
    for (stage, _) in times.first().map_or(&[][..], |swap| &swap.stages) {
        let target = (stage == "switch").then_some(Target::AtMost(1.0));
        book.median(&format!("{name}: stage `{stage}`"), of(stage), "ms", target);
    }
    let sums = of("start").into_iter().zip(of("switch")).zip(of("check"));
    let to_first_answer = sums.map(|((start, switch), check)| start + switch + check).collect();
    let target = if name == "worker" { 60.0 } else { 5.0 };
    let what = format!("{name}: load of a probed bundle to the first answer");
    book.median(&what, to_first_answer, "ms", Some(Target::AtMost(target)));
}

fn tell_worst(book: &mut Book, name: &str, times: &[Swap]) {
    let mut sorted: Vec<&Swap> = times.iter().collect();
    sorted.sort_by_key(|swap| swap.whole);
    let ms = |swap: Option<&&Swap>| swap.map_or(f64::NAN, |swap| swap.whole.as_secs_f64() * 1e3);
    book.once(&format!("{name}: swap, p99"), ms(sorted.get(sorted.len() * 99 / 100)), "ms", None);
    book.once(&format!("{name}: swap, the slowest"), ms(sorted.last()), "ms", None);
    for swap in sorted.iter().rev().take(3) {
        eprintln!("{name}: one of the slowest: {swap:?}");
    }
}

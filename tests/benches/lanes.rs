//! What the way through a lane costs, against the same handler linked statically in hyper and in axum.
//!
//! All contenders run side by side, each in a process of its own, and are loaded in turn, round after round; a
//! result is the median of the rounds' ratios, so a machine that gets slower makes them all slower. Flags:
//! `--rounds N`, `--seconds S` (of each saturated load).

#![expect(clippy::print_stderr, reason = "tells how far it is; the table goes to standard output")]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use metapaas_tests::bench::{Book, Target, argument};
use metapaas_tests::daemon::{Daemon, Options, Wanted};
use metapaas_tests::load::{Crew, Load, Pace, Plan, Report, Script, Serving};
use metapaas_tests::places;
use metapaas_tests::plugins::{Plugin, Workspace};
use metapaas_tests::proc::Proc;
use metapaas_tests::process::Server;

const ROOT: &str = "/v1/types/swap";
const N_CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_millis(300);
/// How often a worker is made to measure how long that takes.
const N_SPAWNS: usize = 10;

/// The lanes and what they are measured against, in the order in which they are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Hyper,
    Axum,
    InProcess,
    Worker,
}

const CONTENDERS: [Contender; 4] =
    [Contender::Hyper, Contender::Axum, Contender::InProcess, Contender::Worker];

/// A contender that runs.
struct Running {
    contender: Contender,
    address: SocketAddr,
    /// Its process and those it made.
    processes: Vec<Proc>,
    version: String,
}

/// What one contender did in one round.
#[derive(Debug, Clone, Copy)]
struct Round {
    contender: Contender,
    per_second: f64,
    cpu_us: f64,
    /// What the load generator spent: shares the cores with the server, so it bounds the throughput.
    own_cpu_us: f64,
    saturated_p99_us: f64,
    half_p99_us: f64,
    alone_p50_us: f64,
}

#[tokio::main]
async fn main() {
    let n_rounds: usize = argument("--rounds", 10);
    let time = Duration::from_secs_f64(argument("--seconds", 1.5));
    let plugin = Plugin::built(Workspace::Fixtures, "swap");
    let hyper = baseline("hyper").await;
    let axum = baseline("axum").await;
    let in_process = daemon().await;
    in_process.offer(&plugin);
    let _installed = in_process.install(Wanted::of(&plugin)).await;
    let isolated = daemon().await;
    isolated.offer(&plugin);
    let spawns = spawns(&isolated, &plugin).await;
    let running = [
        running(Contender::Hyper, hyper.address, &hyper.proc(), "0.1.0"),
        running(Contender::Axum, axum.address, &axum.proc(), "0.1.0"),
        running(
            Contender::InProcess,
            in_process.client.address,
            &in_process.proc(),
            &plugin.version,
        ),
        running(Contender::Worker, isolated.client.address, &isolated.proc(), &plugin.version),
    ];
    let mut rounds = Vec::new();
    for round in 1..=n_rounds {
        rounds.extend(measure(&running, time).await);
        eprintln!("round {round} of {n_rounds} done");
    }
    let mut book = Book::new("lanes");
    tell_each(&mut book, &rounds);
    tell_ratios(&mut book, &rounds);
    book.median("worker: asked for to serving", spawns, "ms", None);
    book.close();
}

async fn baseline(which: &str) -> Server {
    Server::start(Command::new(places::binary("baseline")).arg(which)).await
}

async fn daemon() -> Daemon {
    Daemon::start_with(Options::quiet()).await
}

fn running(contender: Contender, address: SocketAddr, process: &Proc, version: &str) -> Running {
    let mut processes = process.children();
    processes.push(process.clone());
    Running { contender, address, processes, version: version.to_owned() }
}

/// Installs the plugin in a worker several times: milliseconds of the stage that starts it.
async fn spawns(daemon: &Daemon, plugin: &Plugin) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..N_SPAWNS {
        let _in_process = daemon.install(Wanted::of(plugin)).await;
        let document = daemon.install(Wanted::of(plugin).isolated()).await;
        let stages = document["last_rollout"]["stages"].as_array();
        let start = stages.into_iter().flatten().find(|stage| stage["name"] == "start");
        times.extend(start.and_then(|stage| Some(stage["duration_us"].as_f64()? / 1000.0)));
    }
    times
}

/// One round: each kind of load for each contender in turn.
async fn measure(running: &[Running], time: Duration) -> Vec<Round> {
    let mut rounds = Vec::new();
    for contender in running {
        rounds.push(saturate(contender, time).await);
    }
    // Paced by what static reached in this very round, because the machine is not equally fast in all.
    let half = Pace::PerSecond(rounds[0].per_second / 2.0);
    for (round, contender) in rounds.iter_mut().zip(running) {
        let report = load(contender, N_CONNECTIONS, half, time / 2).await;
        round.half_p99_us = us(report.total().quantile(0.99));
    }
    for (round, contender) in rounds.iter_mut().zip(running) {
        let report = load(contender, 1, Pace::Saturating, time / 2).await;
        round.alone_p50_us = us(report.total().quantile(0.5));
    }
    rounds
}

/// The first load of a contender's round; the others are not measured yet.
async fn saturate(running: &Running, time: Duration) -> Round {
    let _warm_up = load(running, N_CONNECTIONS, Pace::Saturating, WARM_UP).await;
    let cpu = || running.processes.iter().map(Proc::cpu).sum::<Duration>();
    let (before, own_before) = (cpu(), Proc::own().cpu());
    let report = load(running, N_CONNECTIONS, Pace::Saturating, time).await;
    let (spent, own) = (cpu() - before, Proc::own().cpu() - own_before);
    let total = report.total();
    Round {
        contender: running.contender,
        per_second: report.per_second(),
        cpu_us: us(spent) / total.n_right as f64,
        own_cpu_us: us(own) / total.n_right as f64,
        saturated_p99_us: us(total.quantile(0.99)),
        half_p99_us: f64::NAN,
        alone_p50_us: f64::NAN,
    }
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn load(running: &Running, n_connections: usize, pace: Pace, time: Duration) -> Report {
    let script = Script::small(ROOT, &[&running.version]);
    let plan = Plan {
        address: running.address,
        crews: vec![Crew::new(script, n_connections)],
        serving: Arc::new(Serving::new(&[0])),
        pace,
        // As many as cores, so that the server is what is saturated; one connection has one thread.
        n_threads: n_connections.min(2),
        time_max: time,
    };
    let report = Load::start(plan).run_out().await;
    report.assert_faultless();
    report
}

fn tell_each(book: &mut Book, rounds: &[Round]) {
    for contender in CONTENDERS {
        let of = |what: fn(&Round) -> f64| samples(rounds, contender, what);
        let name = contender.name();
        book.median(
            &format!("{name}: throughput, 32 connections"),
            of(|r| r.per_second),
            "1/s",
            None,
        );
        book.median(&format!("{name}: server time per request"), of(|r| r.cpu_us), "µs", None);
        let own = of(|r| r.own_cpu_us);
        book.median(&format!("{name}: load generator's time per request"), own, "µs", None);
        book.median(&format!("{name}: p50, 1 connection"), of(|r| r.alone_p50_us), "µs", None);
        let p99 = of(|r| r.saturated_p99_us);
        book.median(&format!("{name}: p99, 32 connections, saturated"), p99, "µs", None);
        book.median(
            &format!("{name}: p99, 32 connections, half load"),
            of(|r| r.half_p99_us),
            "µs",
            None,
        );
    }
}

fn tell_ratios(book: &mut Book, rounds: &[Round]) {
    use Contender::{Axum, Hyper, InProcess, Worker};
    let ratio = |one, other, what| ratios(rounds, one, other, what);
    let mut tell = |what: &str, samples, target| book.median(what, samples, "×", target);
    let throughput = |r: &Round| r.per_second;
    tell("axum / static: throughput", ratio(Axum, Hyper, throughput), None);
    let at_least = |least| Some(Target::AtLeast(least));
    let at_most = |most| Some(Target::AtMost(most));
    tell("in-process / static: throughput", ratio(InProcess, Hyper, throughput), at_least(0.80));
    tell("in-process / axum: throughput", ratio(InProcess, Axum, throughput), at_least(0.95));
    tell("in-process / static: server time", ratio(InProcess, Hyper, |r| r.cpu_us), at_most(1.35));
    let saturated = ratio(InProcess, Hyper, |r| r.saturated_p99_us);
    tell("in-process / static: p99, saturated", saturated, at_most(1.3));
    let half = ratio(InProcess, Hyper, |r| r.half_p99_us);
    tell("in-process / static: p99, half load", half, at_most(1.3));
    tell("worker / static: throughput", ratio(Worker, Hyper, throughput), at_least(0.45));
    tell("worker / static: server time", ratio(Worker, Hyper, |r| r.cpu_us), None);
    let alone = |contender| samples(rounds, contender, |r| r.alone_p50_us);
    let more = |one, other| -> Vec<f64> {
        alone(one).iter().zip(alone(other)).map(|(one, other)| one - other).collect()
    };
    book.median(
        "in-process − static: p50, 1 connection",
        more(InProcess, Hyper),
        "µs",
        at_most(15.0),
    );
    book.median("worker − static: p50, 1 connection", more(Worker, Hyper), "µs", None);
}

fn samples(rounds: &[Round], contender: Contender, what: fn(&Round) -> f64) -> Vec<f64> {
    rounds.iter().filter(|round| round.contender == contender).map(what).collect()
}

fn ratios(rounds: &[Round], one: Contender, other: Contender, what: fn(&Round) -> f64) -> Vec<f64> {
    let (one, other) = (samples(rounds, one, what), samples(rounds, other, what));
    one.into_iter().zip(other).map(|(one, other)| one / other).collect()
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Hyper => "static",
            Self::Axum => "axum",
            Self::InProcess => "in-process",
            Self::Worker => "worker",
        }
    }
}

//! A load generator: many kept connections, every answer checked to its last byte, little CPU of its own.
//!
//! A [`Plan`] says who asks what, how fast and until when; [`Load::start`] carries it out on threads of its
//! own, so the caller is free to swap, kill and restart what is asked meanwhile. Guarantees: it speaks to
//! loopback only; each exchange and each run has an end; an answer counts only when its status, framing and
//! whole body are those of a version that [`Serving`] admits between sending and receiving; what fails is
//! counted and the first few are kept as text. It deliberately knows no HTTP beyond what the daemon answers.

mod candidates;
mod connection;
mod fault;
mod head;
mod pace;
mod script;
mod serving;
mod tally;
mod websocket;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use self::fault::Fault;
pub use self::pace::Pace;
pub use self::script::Script;
pub use self::serving::{Moment, Serving};
pub use self::tally::{Report, Tally};

use self::pace::Pacer;
use self::worker::Worker;

/// What to do.
#[derive(Debug)]
pub struct Plan {
    /// The server; must be on loopback.
    pub address: SocketAddr,
    /// Who asks what.
    pub crews: Vec<Crew>,
    /// Which versions may answer at this moment.
    pub serving: Arc<Serving>,
    /// How fast.
    pub pace: Pace,
    /// How many threads ask. One is bound by its own core: more of them are needed to saturate a server.
    pub n_threads: usize,
    /// The longest the run may take; [`Load::finish`] ends it earlier.
    pub time_max: Duration,
}

/// Connections that do the same again and again.
#[derive(Debug)]
pub struct Crew {
    /// What they do.
    pub script: Arc<Script>,
    /// How many of them.
    pub n_connections: usize,
}

/// A run that is going on.
#[derive(Debug)]
pub struct Load {
    /// Set by [`Load::finish`] and on drop, read by every connection before each request.
    stop: Arc<AtomicBool>,
    /// One from each thread.
    reports: Vec<oneshot::Receiver<Report>>,
}

impl Load {
    /// Starts `plan` on threads of its own.
    ///
    /// # Panics
    /// When the address is not on loopback.
    #[must_use]
    pub fn start(plan: Plan) -> Self {
        assert!(plan.address.ip().is_loopback(), "`{}` is not on loopback", plan.address);
        let stop = Arc::new(AtomicBool::new(false));
        let shares = plan.shares();
        let reports = shares.into_iter().map(|share| start_thread(share, Arc::clone(&stop)));
        Self { reports: reports.collect(), stop }
    }

    /// Lets the exchanges under way come to their end and tells how it went.
    ///
    /// # Panics
    /// When the generator itself panicked.
    pub async fn finish(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.run_out().await
    }

    /// Waits until the plan's time is over and tells how it went.
    ///
    /// # Panics
    /// When the generator itself panicked.
    pub async fn run_out(mut self) -> Report {
        let mut whole = Report::default();
        for report in &mut self.reports {
            whole.add(report.await.expect("the load generator does not panic"));
        }
        whole
    }
}

impl Plan {
    /// What each thread does.
    fn shares(self) -> Vec<Self> {
        let Self { address, crews, serving, pace, n_threads, time_max } = self;
        let share = |idx| {
            let crew = |crew: &Crew| Crew {
                script: Arc::clone(&crew.script),
                n_connections: (crew.n_connections + idx) / n_threads,
            };
            let crews = crews.iter().map(crew).collect();
            let (serving, pace) = (Arc::clone(&serving), pace.divided_by(n_threads));
            Self { address, crews, serving, pace, n_threads: 1, time_max }
        };
        (0..n_threads).map(share).collect()
    }
}

fn start_thread(plan: Plan, stop: Arc<AtomicBool>) -> oneshot::Receiver<Report> {
    let (done, report) = oneshot::channel();
    let run = move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime needs an epoll instance and an eventfd");
        // The receiver is gone when the test has failed already.
        let _ = done.send(runtime.block_on(carry_out(plan, &stop)));
    };
    let thread = thread::Builder::new().name("load".to_owned()).spawn(run);
    let _detached = thread.expect("the system has room for one more thread");
    report
}

impl Crew {
    /// So many connections that do this.
    #[must_use]
    pub fn new(script: Script, n_connections: usize) -> Self {
        Self { script: Arc::new(script), n_connections }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn carry_out(plan: Plan, stop: &Arc<AtomicBool>) -> Report {
    let Plan { address, crews, serving, pace, n_threads: _, time_max } = plan;
    let started = Instant::now();
    let pacer = Arc::new(Pacer::new(pace, started + time_max, Arc::clone(stop)));
    let mut tasks = JoinSet::new();
    for Crew { script, n_connections } in crews {
        for _ in 0..n_connections {
            let (script, serving) = (Arc::clone(&script), Arc::clone(&serving));
            let worker = Worker { address, script, serving, pacer: Arc::clone(&pacer) };
            tasks.spawn(async move { Some(worker.work().await) });
        }
    }
    tasks.spawn(async move {
        pacer.tick().await;
        None
    });
    let tallies = tasks.join_all().await;
    Report::new(tallies.into_iter().flatten(), started.elapsed())
}

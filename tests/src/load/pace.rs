//! When the next request is due, and when there is none any more.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;

/// How often due requests are let go. The runtime's own timers are ten times coarser.
const TICK: Duration = Duration::from_micros(100);

/// How fast requests follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection asks again as soon as it is answered.
    Saturating,
    /// So many in a second over all connections, whether or not the server keeps up: a request that finds no
    /// free connection waits, and its wait counts.
    PerSecond(f64),
}

impl Pace {
    /// The share of one of `n_threads`.
    pub(super) fn divided_by(self, n_threads: usize) -> Self {
        match self {
            Self::Saturating => Self::Saturating,
            Self::PerSecond(rate) => Self::PerSecond(rate / n_threads as f64),
        }
    }
}

/// Lets the connections of one run go on, until its end.
#[derive(Debug)]
pub(super) struct Pacer {
    pace: Pace,
    end: Instant,
    stop: Arc<AtomicBool>,
    /// When the requests that were let go were due by the pace, however late that was noticed: what a busy machine
    /// keeps back counts as waiting. Written by [`Pacer::tick`], taken by connections.
    due: Mutex<VecDeque<Instant>>,
    /// One permit for each entry of `due`.
    n_due: Semaphore,
}

impl Pacer {
    pub(super) fn new(pace: Pace, end: Instant, stop: Arc<AtomicBool>) -> Self {
        Self { pace, end, stop, due: Mutex::default(), n_due: Semaphore::new(0) }
    }

    /// When the next request of a connection is due; `None` at the end of the run.
    pub(super) async fn next(&self) -> Option<Instant> {
        match self.pace {
            Pace::Saturating => {
                let now = Instant::now();
                (now < self.end && !self.stop.load(Ordering::Relaxed)).then_some(now)
            }
            Pace::PerSecond(_) => {
                // An error says that the semaphore is closed: the run is over.
                self.n_due.acquire().await.ok()?.forget();
                self.due.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
            }
        }
    }

    /// Makes requests due, if the pace asks for it, until the end of the run.
    pub(super) async fn tick(&self) {
        let Pace::PerSecond(rate) = self.pace else { return };
        let timer = timer().expect("the system has timers");
        let started = Instant::now();
        let mut n_let_go: usize = 0;
        loop {
            let mut ready = timer.readable().await.expect("a timer stays readable");
            let mut count = [0_u8; 8];
            let _ = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut count)?));
            let now = Instant::now();
            if now >= self.end || self.stop.load(Ordering::Relaxed) {
                return self.n_due.close();
            }
            let n_wanted = n_due_within(now.duration_since(started), rate);
            let due = (n_let_go..n_wanted).map(|idx| started + due_after(idx, rate));
            self.due.lock().unwrap_or_else(PoisonError::into_inner).extend(due);
            self.n_due.add_permits(n_wanted - n_let_go);
            n_let_go = n_wanted;
        }
    }
}

/// How many requests are due in so much time.
fn n_due_within(time: Duration, rate: f64) -> usize {
    let n_due = time.as_secs_f64() * rate;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole count, not negative, far below 2^53"
    )]
    let n_due = if n_due.is_finite() { n_due.floor() as usize } else { 0 };
    n_due
}

/// When the request of this index is due, from the start of the run.
fn due_after(idx: usize, rate: f64) -> Duration {
    Duration::from_secs_f64((idx + 1) as f64 / rate)
}

fn timer() -> io::Result<AsyncFd<OwnedFd>> {
    let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    let every_tick = Itimerspec { it_interval: tick, it_value: tick };
    timerfd_settime(&fd, TimerfdTimerFlags::empty(), &every_tick)?;
    #[expect(deprecated, reason = "its successor is unsafe, for types that are no `OwnedFd`")]
    AsyncFd::new(fd)
}

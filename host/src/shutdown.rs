//! The owner of every spawned task, and the signals that end the daemon.
//!
//! Guarantees: every task has a name and an owner ([`Tasks`]), is told to stop by one token, and is waited for
//! until a deadline; what is left then is aborted and named. Nothing else in the host spawns tasks. Not here:
//! the threads of generations, which their generation joins.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// How long an aborted task may take to be dropped; only one that blocks its thread takes longer.
const ABORT_GRACE: Duration = Duration::from_millis(500);

/// A group of tasks that end together. Clones are the same group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    /// Cancelled by [`Tasks::shut_down`], seen by every task of the group.
    stop: CancellationToken,
    running: Arc<Mutex<Running>>,
}

/// How a group of tasks ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Each task ended by itself.
    Clean,
    /// The deadline came first; these were aborted: name and how many.
    Abandoned(BTreeMap<&'static str, usize>),
}

/// The tasks that have not ended, by the order in which they were spawned.
#[derive(Debug, Default)]
struct Running {
    spawned: u64,
    tasks: BTreeMap<u64, Task>,
}

#[derive(Debug)]
struct Task {
    name: &'static str,
    /// `None` in the moment between being listed and being spawned.
    abort: Option<AbortHandle>,
}

/// Takes its task off the list, however it ends.
struct Listed {
    id: u64,
    running: Arc<Mutex<Running>>,
}

impl Tasks {
    /// Runs `task` as a part of this group.
    pub(crate) fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listed = self.list(name);
        let id = listed.id;
        let handle = self.tracker.spawn(async move {
            let _listed = listed;
            task.await;
        });
        if let Some(task) = lock(&self.running).tasks.get_mut(&id) {
            task.abort = Some(handle.abort_handle());
        }
    }

    /// Ends when the group is told to stop. Cancel-safe.
    pub(crate) fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }

    /// A token of one task's own, cancelled with the group: polling it does not contend with other tasks.
    pub(crate) fn child(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Tells every task to stop and waits for them until `deadline`, then aborts what is left.
    pub(crate) async fn shut_down(&self, deadline: Duration) -> Outcome {
        self.stop.cancel();
        self.tracker.close();
        if timeout(deadline, self.tracker.wait()).await.is_ok() {
            return Outcome::Clean;
        }
        let abandoned = self.abort_all();
        if timeout(ABORT_GRACE, self.tracker.wait()).await.is_err() {
            tracing::warn!(n_tasks = self.tracker.len(), "aborted tasks block their threads");
        }
        Outcome::Abandoned(abandoned)
    }

    fn list(&self, name: &'static str) -> Listed {
        let mut running = lock(&self.running);
        running.spawned += 1;
        let id = running.spawned;
        running.tasks.insert(id, Task { name, abort: None });
        Listed { id, running: Arc::clone(&self.running) }
    }

    fn abort_all(&self) -> BTreeMap<&'static str, usize> {
        let mut abandoned = BTreeMap::new();
        for task in lock(&self.running).tasks.values() {
            *abandoned.entry(task.name).or_default() += 1;
            if let Some(abort) = &task.abort {
                abort.abort();
            }
        }
        abandoned
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        lock(&self.running).tasks.remove(&self.id);
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signals that ask the daemon to end.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Stream,
    interrupt: Stream,
}

/// Which signal it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// `SIGTERM`.
    Terminate,
    /// `SIGINT`.
    Interrupt,
}

impl Signals {
    /// From now on these signals do not kill the process.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal. Cancel-safe: a signal is only lost when it came while nobody listened.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }

    /// The next signal, which ends `work` if that has not come to its end. Then it is dropped.
    pub(crate) async fn next_beside(&mut self, work: impl Future<Output = ()>) -> Signal {
        let then_nothing = async {
            work.await;
            pending::<Infallible>().await
        };
        tokio::select! {
            signal = self.next() => signal,
            never = then_nothing => match never {},
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn tasks_that_listen_end_cleanly() {
        let tasks = Tasks::default();
        let stop = tasks.child();
        tasks.spawn("listener", async move { stop.cancelled().await });
        assert_eq!(tasks.shut_down(LONG).await, Outcome::Clean);
    }

    #[tokio::test]
    async fn what_does_not_listen_is_named_and_dropped() {
        let tasks = Tasks::default();
        let (held, dropped) = oneshot::channel::<()>();
        tasks.spawn("deaf", async move {
            let _held = held;
            pending().await
        });
        let outcome = tasks.shut_down(SOON).await;
        assert_eq!(outcome, Outcome::Abandoned(BTreeMap::from([("deaf", 1)])));
        assert!(dropped.await.is_err(), "an aborted task drops what it holds");
    }

    #[tokio::test]
    async fn an_ended_task_leaves_the_list() {
        let tasks = Tasks::default();
        let (say, heard) = oneshot::channel();
        tasks.spawn("short", async move { say.send(()).unwrap() });
        heard.await.unwrap();
        assert_eq!(tasks.shut_down(LONG).await, Outcome::Clean);
        assert!(lock(&tasks.running).tasks.is_empty());
    }
}

//! Writes that end together: on SQLite those that come at the same time share a transaction, and so one wait for
//! the disk.
//!
//! Each write has a savepoint of its own, and is acknowledged when the transaction is committed: it is as lasting
//! and as separate as if it were alone. PostgreSQL makes its writers wait together by itself; there each has a
//! transaction of its own.
//!
//! Invariants:
//! - A write is done whole or not at all, whatever becomes of who asked: a client that leaves ends no write.
//! - A write waits for nothing but the database, because others wait for it.
//! - One that fails undoes itself and nothing of the others.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr, TransactionTrait};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Backend, Store, Transaction};
use crate::shutdown::Tasks;

/// So many wait for their turn; who comes then waits for a place.
const QUEUE_MAX: usize = 1024;
/// So many share a transaction.
const TOGETHER_MAX: usize = 64;
/// After so long a transaction takes no further write: the first is waiting for its acknowledgement.
const TOGETHER_WITHIN: Duration = Duration::from_millis(10);

/// The way for writes that may be many. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    /// To the one task that writes.
    Together(mpsc::Sender<Box<dyn Job>>),
    /// In a task of its own.
    Apart(Store, Tasks),
}

/// Something to be written.
pub(crate) trait Work: Send + 'static {
    /// What it comes to.
    type Done: Send + 'static;
    /// Why it does not.
    type Refused: From<DbErr> + Send + 'static;

    /// Writes it, and waits for nothing but the database. Called once; what fails is undone.
    fn write(
        &mut self,
        db: &DatabaseTransaction,
    ) -> impl Future<Output = Result<Self::Done, Self::Refused>> + Send;

    /// Called after the commit, at once and whether or not anybody still waits; must not block.
    fn committed(self, done: &Self::Done);
}

/// Work of any kind, with somebody who asked for it.
trait Job: Send {
    /// Does it; says whether it is to be kept.
    fn run<'t>(&'t mut self, db: &'t DatabaseTransaction) -> BoxFuture<'t, Outcome>;

    /// Tells who asked.
    fn end(self: Box<Self>, committed: Result<(), DbErr>);
}

/// What is to be done with what a write has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Keep,
    Undo,
}

/// What became of a write that came to a transaction with others in it.
enum Further {
    /// It waits for the commit.
    Written(Box<dyn Job>),
    /// It has failed, and left the transaction as it was.
    Undone,
    /// The transaction is lost.
    Broken,
}

/// Work that was asked for.
struct Asked<W: Work> {
    work: W,
    /// `None` before it is done.
    came_to: Option<Result<W::Done, W::Refused>>,
    asker: oneshot::Sender<Result<W::Done, W::Refused>>,
}

impl Writer {
    /// The writer of `store`; what it does for others runs in `tasks`, and ends when all that was asked is done.
    pub(crate) fn start(store: &Store, tasks: &Tasks) -> Self {
        let way = match store.backend() {
            Backend::Postgres => Way::Apart(store.clone(), tasks.clone()),
            Backend::Sqlite => {
                let (sender, asked) = mpsc::channel(QUEUE_MAX);
                tasks.spawn("store writer", write_all(store.clone(), asked, tasks.child()));
                Way::Together(sender)
            }
        };
        Self { way }
    }

    /// Does `work` in a transaction.
    ///
    /// # Errors
    /// What `work` came to, or that the database did not take it. What fails has written nothing.
    ///
    /// # Cancellation
    /// The write goes on.
    pub(crate) async fn write<W: Work>(&self, work: W) -> Result<W::Done, W::Refused> {
        let (asker, answer) = oneshot::channel();
        let job = Box::new(Asked { work, came_to: None, asker });
        match &self.way {
            Way::Together(sender) => {
                // One that is not taken is dropped, and its asker with it.
                let _taken = sender.send(job).await;
            }
            Way::Apart(store, tasks) => {
                let store = store.clone();
                tasks.spawn("write", async move { write_apart(&store, job).await });
            }
        }
        answer.await.unwrap_or_else(|_dropped| Err(not_done().into()))
    }
}

impl<W: Work> Job for Asked<W> {
    fn run<'t>(&'t mut self, db: &'t DatabaseTransaction) -> BoxFuture<'t, Outcome> {
        Box::pin(async move {
            // The others of its transaction are not to pay for a bug in it; the panic is in the log already.
            let came_to = AssertUnwindSafe(self.work.write(db)).catch_unwind().await;
            let came_to = came_to.unwrap_or_else(|_panic| Err(not_done().into()));
            let outcome = if came_to.is_ok() { Outcome::Keep } else { Outcome::Undo };
            self.came_to = Some(came_to);
            outcome
        })
    }

    fn end(self: Box<Self>, committed: Result<(), DbErr>) {
        let Self { work, came_to, asker } = *self;
        let came_to = match (committed, came_to) {
            (Ok(()), Some(Ok(done))) => {
                work.committed(&done);
                Ok(done)
            }
            (_, Some(Err(refused))) => Err(refused),
            (Err(error), Some(Ok(_)) | None) => Err(error.into()),
            (Ok(()), None) => Err(not_done().into()),
        };
        // Whoever asked may have left.
        let _heard = asker.send(came_to);
    }
}

/// The writer has ended, or failed.
fn not_done() -> DbErr {
    DbErr::Custom("the write was given up before it was done".to_owned())
}

/// Writes what is asked until nobody can ask any more, or until `stop` and what was asked before it.
async fn write_all(store: Store, mut asked: mpsc::Receiver<Box<dyn Job>>, stop: CancellationToken) {
    loop {
        let job = match stop.run_until_cancelled(asked.recv()).await {
            Some(job) => job,
            None => {
                asked.close();
                asked.recv().await
            }
        };
        let Some(job) = job else { return };
        write_together(&store, job, &mut asked).await;
    }
}

/// Writes `first`, and whatever is there by then, in one transaction.
async fn write_together(
    store: &Store,
    first: Box<dyn Job>,
    asked: &mut mpsc::Receiver<Box<dyn Job>>,
) {
    let begun = Instant::now();
    let Some((transaction, first)) = write_first(store, first).await else { return };
    let mut written = vec![first];
    while written.len() < TOGETHER_MAX && begun.elapsed() < TOGETHER_WITHIN {
        let Ok(job) = asked.try_recv() else { break };
        match write_further(&transaction, job).await {
            Further::Written(job) => written.push(job),
            Further::Undone => {}
            // The database has given up the transaction, which the commit will tell.
            Further::Broken => break,
        }
    }
    let committed = transaction.commit().await;
    for job in written {
        job.end(committed.clone());
    }
}

/// Does the first write of a transaction, which needs no savepoint: nothing is undone with it.
async fn write_first(store: &Store, mut job: Box<dyn Job>) -> Option<(Transaction, Box<dyn Job>)> {
    let transaction = match store.begin().await {
        Ok(transaction) => transaction,
        Err(error) => {
            job.end(Err(error));
            return None;
        }
    };
    match job.run(&transaction).await {
        Outcome::Keep => Some((transaction, job)),
        Outcome::Undo => {
            job.end(transaction.rollback().await);
            None
        }
    }
}

/// Does a further one, after a savepoint. One that is not kept is told so at once.
async fn write_further(transaction: &Transaction, mut job: Box<dyn Job>) -> Further {
    let savepoint = match transaction.begin().await {
        Ok(savepoint) => savepoint,
        Err(error) => {
            job.end(Err(error));
            return Further::Broken;
        }
    };
    let (outcome, ended) = match job.run(&savepoint).await {
        Outcome::Keep => (Outcome::Keep, savepoint.commit().await),
        Outcome::Undo => (Outcome::Undo, savepoint.rollback().await),
    };
    match (outcome, ended) {
        (Outcome::Keep, Ok(())) => Further::Written(job),
        (Outcome::Undo, Ok(())) => {
            job.end(Ok(()));
            Further::Undone
        }
        (Outcome::Keep | Outcome::Undo, Err(error)) => {
            job.end(Err(error));
            Further::Broken
        }
    }
}

async fn write_apart(store: &Store, job: Box<dyn Job>) {
    let Some((transaction, job)) = write_first(store, job).await else { return };
    job.end(transaction.commit().await);
}

#[cfg(test)]
mod tests;

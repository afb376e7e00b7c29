//! A transaction that a plugin has open: the task that holds its connection.
//!
//! Guarantees: it ends by the plugin's word, by its limit, or with its generation, and unless the word was `Commit` it
//! is taken back; a commit is acknowledged only when the database kept everything since the beginning.

use std::sync::Arc;
use std::time::Instant;

use plugin_abi::database::answer::{self, FaultKind};
use plugin_abi::database::{Request, TransactionId};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::desk::Limits;
use super::fault::Trouble;
use super::statement;
use crate::store::fence::{Control, Fence, Lease, Session, Use};

/// See the module.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    pub(super) fence: Arc<Fence>,
    pub(super) limits: Limits,
    pub(super) ended: CancellationToken,
}

/// Where a transaction is after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It takes the next step.
    Open,
    /// PostgreSQL takes nothing but a way back, and would answer a commit by taking everything back.
    Failed,
    /// It is over, and the connection in order.
    Over,
    /// It is over because its connection is in no known state.
    Broken,
}

/// Begins a transaction for `begin`, carries out what comes of `steps`, and tells its number when it is over.
pub(super) async fn hold(
    transaction: Transaction,
    begin: Call,
    mut steps: mpsc::UnboundedReceiver<Call>,
) -> TransactionId {
    let id = transaction.id;
    let limit = transaction.limits.transaction;
    if let Some(lease) = open(&transaction, begin).await {
        carry_out(transaction, lease, &mut steps).await;
    }
    steps.close();
    while let Some(late) = steps.recv().await {
        late.answer(Err(Trouble::over(limit)));
    }
    id
}

/// A connection in which a transaction was begun.
async fn open(transaction: &Transaction, begin: Call) -> Option<Lease> {
    let Transaction { id, fence, limits, ended } = transaction;
    let until = Instant::now() + limits.statement;
    let lease = tokio::select! {
        () = ended.cancelled() => return None,
        lease = fence.lease(Use::Transaction, until) => lease,
    };
    let mut lease = match lease {
        Ok(lease) => lease,
        Err(error) => {
            begin.answer(Err(Trouble::of_fence(&error)));
            return None;
        }
    };
    let begun = tokio::select! {
        () = ended.cancelled() => None,
        begun = lease.session().control(Control::Begin) => Some(begun),
    };
    match begun {
        Some(Ok(())) => {
            begin.answer(Ok(answer::begun(*id)));
            Some(lease)
        }
        Some(Err(error)) => {
            begin.answer(Err(Trouble::of_database(&error, lease.session(), fence)));
            lease.end().await;
            None
        }
        None => {
            lease.end().await;
            None
        }
    }
}

/// Takes steps until the transaction is over, and leaves the connection in order.
async fn carry_out(
    transaction: Transaction,
    mut lease: Lease,
    steps: &mut mpsc::UnboundedReceiver<Call>,
) {
    let Transaction { id: _, fence: _, limits, ended } = transaction;
    let end = Instant::now() + limits.transaction;
    lease.session().run_until(end);
    let mut standing = Standing::Open;
    while matches!(standing, Standing::Open | Standing::Failed) {
        let step = tokio::select! {
            biased;
            () = ended.cancelled() => break,
            () = sleep_until(end.into()) => break,
            step = steps.recv() => step,
        };
        let Some(call) = step else { break };
        if is_commit(&call) {
            standing = commit(&mut lease, limits, call, standing).await;
            continue;
        }
        standing = tokio::select! {
            biased;
            () = ended.cancelled() => Standing::Broken,
            () = sleep_until(end.into()) => {
                call.answer(Err(Trouble::too_long(limits.transaction)));
                Standing::Broken
            }
            done = take_step(&mut lease, call.payload(), standing) => {
                let (answer, standing) = done;
                call.answer(answer);
                standing
            }
        };
    }
    let in_order = match standing {
        Standing::Open | Standing::Failed => {
            lease.session().control(Control::Rollback).await.is_ok()
        }
        Standing::Over => true,
        Standing::Broken => false,
    };
    if in_order { lease.give_back().await } else { lease.end().await }
}

fn is_commit(call: &Call) -> bool {
    matches!(Request::decode(call.payload()), Ok(Request::Commit(_)))
}

/// Commits. Nothing interrupts it, neither the limit of the transaction nor the end of the generation: what was said
/// of a commit that was cut short would be a guess.
async fn commit(lease: &mut Lease, limits: Limits, call: Call, standing: Standing) -> Standing {
    let done = timeout(limits.statement, take_step(lease, call.payload(), standing)).await;
    let (answer, standing) = done.unwrap_or_else(|_elapsed| {
        let message = "the database did not say whether it kept the transaction";
        (Err(Trouble::of_host(FaultKind::Unavailable, message)), Standing::Broken)
    });
    call.answer(answer);
    standing
}

type Step = (Result<Vec<u8>, Trouble>, Standing);

async fn take_step(lease: &mut Lease, payload: &[u8], standing: Standing) -> Step {
    let request = Request::decode(payload).expect("the desk has read it");
    match request {
        Request::Begin => (Ok(answer::done()), standing),
        Request::Commit(_) if standing == Standing::Failed => taken_back(lease).await,
        Request::Commit(_) => end(lease, Control::Commit).await,
        Request::Rollback(_) => end(lease, Control::Rollback).await,
        Request::Savepoint(_, id) => control(lease, Control::Savepoint(id), standing).await,
        Request::Release(_, id) => control(lease, Control::Release(id), standing).await,
        // The one way back from a failure.
        Request::RollbackTo(_, id) => {
            match control(lease, Control::RollbackTo(id), standing).await {
                (Ok(done), _standing) => (Ok(done), Standing::Open),
                refused => refused,
            }
        }
        Request::Query(statement) => {
            let done = statement::run(lease, statement::Wanted::Rows, &statement).await;
            after_statement(lease, done, standing).await
        }
        Request::Execute(statement) => {
            let done = statement::run(lease, statement::Wanted::Touched, &statement).await;
            after_statement(lease, done, standing).await
        }
    }
}

async fn after_statement(
    lease: &mut Lease,
    done: Result<Vec<u8>, statement::Failure>,
    standing: Standing,
) -> Step {
    match done {
        Ok(answer) => (Ok(answer), standing),
        Err(statement::Failure::Host(trouble)) => (Err(trouble), standing),
        Err(statement::Failure::Database(trouble)) => {
            let standing = after_failure(lease, &trouble).await;
            (Err(trouble), standing)
        }
    }
}

async fn control(lease: &mut Lease, control: Control, standing: Standing) -> Step {
    match lease.session().control(control).await {
        Ok(()) => (Ok(answer::done()), standing),
        Err(error) => {
            let trouble = trouble(lease, &error);
            let standing = after_failure(lease, &trouble).await;
            (Err(trouble), standing)
        }
    }
}

/// Where a transaction is after the database refused something.
async fn after_failure(lease: &mut Lease, trouble: &Trouble) -> Standing {
    if matches!(trouble.kind, FaultKind::Timeout | FaultKind::Unavailable) {
        return Standing::Broken;
    }
    match lease.session() {
        Session::Postgres(_) => Standing::Failed,
        // Some failures end the whole transaction there (`INSERT OR ROLLBACK`, a full disk), and what came after
        // would be a transaction of its own.
        Session::Sqlite(session) => match session.is_in_transaction().await {
            Ok(true) => Standing::Open,
            Ok(false) => Standing::Over,
            Err(_lost) => Standing::Broken,
        },
    }
}

async fn end(lease: &mut Lease, how: Control) -> Step {
    match lease.session().control(how).await {
        Ok(()) => (Ok(answer::done()), Standing::Over),
        // SQLite keeps a transaction open whose commit it refused.
        Err(error) => (Err(trouble(lease, &error)), Standing::Broken),
    }
}

/// A commit of what has failed.
async fn taken_back(lease: &mut Lease) -> Step {
    let (_answer, standing) = end(lease, Control::Rollback).await;
    let message = "a statement of the transaction had failed, so all of it was taken back; \
        go back to a savepoint to go on after a failure";
    (Err(Trouble::of_host(FaultKind::Other, message)), standing)
}

fn trouble(lease: &mut Lease, error: &sqlx::Error) -> Trouble {
    let fence = Arc::clone(lease.fence());
    Trouble::of_database(error, lease.session(), &fence)
}

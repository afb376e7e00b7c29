//! The task that takes a generation's calls: each to a task of its own, or to its transaction's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packer::bundle::ElementName;
use plugin_abi::database::{Request, TransactionId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::fault::Trouble;
use super::statement;
use super::transaction::{self, Transaction};
use crate::store::fence::{Fence, Fences, Use};

/// How long tasks may take to stop what they are doing when the generation has ended.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// The database keeps the limit of a statement itself, and knows whether the statement was done. So much later the
/// host does.
const GRACE: Duration = Duration::from_millis(500);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) statement: Duration,
    pub(super) transaction: Duration,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    fence: Arc<Fence>,
    limits: Limits,
    ended: CancellationToken,
    /// The transactions that are open, or were a moment ago.
    open: HashMap<TransactionId, mpsc::UnboundedSender<Call>>,
    n_begun: TransactionId,
    /// Each ends with the number of the transaction that it held, if it held one.
    work: JoinSet<Option<TransactionId>>,
}

impl Desk {
    pub(super) fn new(fences: &Fences, element: &ElementName, ended: CancellationToken) -> Self {
        let config = fences.config();
        Self {
            fence: fences.of(element),
            limits: Limits {
                statement: config.plugin_statement_limit(),
                transaction: config.plugin_transaction_limit(),
            },
            ended,
            open: HashMap::new(),
            n_begun: 0,
            work: JoinSet::new(),
        }
    }

    /// Takes calls until the generation has ended, and then stops what is left of them.
    pub(super) async fn serve(mut self, mut calls: mpsc::UnboundedReceiver<Call>) {
        let ended = self.ended.clone();
        loop {
            tokio::select! {
                biased;
                () = ended.cancelled() => break,
                Some(done) = self.work.join_next(), if !self.work.is_empty() => self.forget(done),
                call = calls.recv() => match call {
                    Some(call) => self.take(call),
                    None => break,
                },
            }
        }
        ended.cancel();
        drop(calls);
        let Self { mut work, open, .. } = self;
        drop(open);
        let stopping = async { while work.join_next().await.is_some() {} };
        if timeout(STOP_WITHIN, stopping).await.is_err() {
            // What is left is aborted; its connections are closed, which takes everything back.
            tracing::warn!(
                n_calls = work.len(),
                "the database did not stop what a plugin had asked for"
            );
        }
    }

    fn take(&mut self, call: Call) {
        let transaction = match Request::decode(call.payload()) {
            Err(error) => return call.unreadable(error),
            Ok(Request::Begin) => return self.begin(call),
            Ok(request) => transaction_of(&request),
        };
        match transaction {
            None => {
                let (fence, limits) = (Arc::clone(&self.fence), self.limits);
                let ended = self.ended.clone();
                self.work.spawn(async move {
                    alone(&fence, limits, &ended, call).await;
                    None
                });
            }
            Some(id) => match self.open.get(&id) {
                None => call.answer(Err(Trouble::over(self.limits.transaction))),
                Some(steps) => {
                    if let Err(mpsc::error::SendError(call)) = steps.send(call) {
                        call.answer(Err(Trouble::over(self.limits.transaction)));
                    }
                }
            },
        }
    }

    fn begin(&mut self, call: Call) {
        self.n_begun += 1;
        let (steps, to_do) = mpsc::unbounded_channel();
        self.open.insert(self.n_begun, steps);
        let transaction = Transaction {
            id: self.n_begun,
            fence: Arc::clone(&self.fence),
            limits: self.limits,
            ended: self.ended.clone(),
        };
        self.work.spawn(async move { Some(transaction::hold(transaction, call, to_do).await) });
    }

    fn forget(&mut self, done: Result<Option<TransactionId>, tokio::task::JoinError>) {
        match done {
            Ok(Some(transaction)) => {
                self.open.remove(&transaction);
            }
            Ok(None) => {}
            // Its call said so to the plugin; a panic of ours is in the log already.
            Err(error) => tracing::error!(%error, "a call of a plugin was not carried out"),
        }
    }
}

/// A statement that stands alone.
async fn alone(fence: &Arc<Fence>, limits: Limits, ended: &CancellationToken, call: Call) {
    let until = Instant::now() + limits.statement;
    let lease = tokio::select! {
        () = ended.cancelled() => return,
        lease = fence.lease(Use::Statement, until) => lease,
    };
    let mut lease = match lease {
        Ok(lease) => lease,
        Err(error) => return call.answer(Err(Trouble::of_fence(&error))),
    };
    lease.session().run_until(until);
    let answer = tokio::select! {
        () = ended.cancelled() => None,
        () = tokio::time::sleep_until((until + GRACE).into()) => Some(Err(Trouble::too_slow(limits.statement))),
        answer = statement::run_alone(&mut lease, call.payload()) => {
            call.answer(answer);
            return lease.give_back().await;
        }
    };
    if let Some(answer) = answer {
        call.answer(answer);
    }
    lease.end().await;
}

/// The transaction that a request is about.
fn transaction_of(request: &Request<'_>) -> Option<TransactionId> {
    match request {
        Request::Query(statement) | Request::Execute(statement) => statement.transaction,
        Request::Begin => None,
        Request::Commit(id)
        | Request::Rollback(id)
        | Request::Savepoint(id, _)
        | Request::Release(id, _)
        | Request::RollbackTo(id, _) => Some(*id),
    }
}

//! A transaction that may write, and the queue before it.
//!
//! SQLite has one writer at a time and makes the others sleep and try again, which is slow and unfair. So the
//! writers of this daemon take turns here, in the order in which they came; what still has to be waited for then
//! are plugins. PostgreSQL has many writers and no queue. Not here: several writes in one transaction
//! ([`super::writer`]).

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement,
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

/// Whose turn it is to write.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    /// Fair: who asks first is first.
    queue: Arc<Mutex<()>>,
    /// How long it is waited for.
    limit: Duration,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _held: OwnedMutexGuard<()>,
}

/// A transaction that may write. Dropped without an end, it is rolled back.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// Dropped before the turn: the next one must not meet it.
    inner: DatabaseTransaction,
    /// `None` where everybody writes at once.
    turn: Option<Turn>,
}

impl Turns {
    pub(super) fn new(limit: Duration) -> Self {
        Self { queue: Arc::default(), limit }
    }

    /// Waits for a turn, not for ever.
    ///
    /// # Cancellation
    /// Cancel-safe; the place in the queue is lost.
    pub(super) async fn take(&self) -> Result<Turn, DbErr> {
        match timeout(self.limit, Arc::clone(&self.queue).lock_owned()).await {
            Ok(held) => Ok(Turn { _held: held }),
            Err(_late) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        }
    }
}

impl Transaction {
    pub(super) fn new(inner: DatabaseTransaction, turn: Option<Turn>) -> Self {
        Self { inner, turn }
    }

    /// Makes it lasting, and lets the next one write.
    ///
    /// # Errors
    /// The database did not say that it is lasting; it may be.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, turn } = self;
        let committed = inner.commit().await;
        drop(turn);
        committed
    }

    /// Undoes it, and lets the next one write.
    ///
    /// # Errors
    /// The database did not say that it is undone; it will be, with the connection.
    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        let Self { inner, turn } = self;
        let undone = inner.rollback().await;
        drop(turn);
        undone
    }
}

impl Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}

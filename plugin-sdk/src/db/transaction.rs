//! Transactions, and savepoints inside of them.
//!
//! Invariants: a scope that is dropped before its end has been asked for takes its work back; the end is
//! asked for once. Requests about one transaction are carried out in the order in which they are sent, so a
//! drop need not wait: what is asked after it finds the work taken back.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use plugin_abi::database::answer::Answer;
use plugin_abi::database::{Request, SavepointId, TransactionId};
use tokio::sync::oneshot;

use super::{DbError, DbErrorKind, Link, Linked};
use crate::tasks::spawn_background;

/// A transaction. Its statements are methods of [`Queries`](super::Queries); dropping it takes them back.
///
/// After an error go back to a savepoint, or give the transaction up: PostgreSQL refuses all else.
#[derive(Debug)]
#[must_use = "a transaction that is dropped takes its work back"]
pub struct Transaction {
    scope: Scope,
}

impl Transaction {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope }
    }

    /// Makes its work lasting.
    ///
    /// # Errors
    /// When the database refuses, or the transaction took too long; its work is taken back then. With
    /// [`DbErrorKind::Unavailable`] it may be either.
    pub async fn commit(self) -> Result<(), DbError> {
        self.scope.end(Ending::Keep).await
    }

    /// Takes its work back, as dropping it does, and waits until that is done.
    ///
    /// # Errors
    /// When the host cannot be asked; the work is taken back all the same.
    pub async fn rollback(self) -> Result<(), DbError> {
        self.scope.end(Ending::TakeBack).await
    }

    /// Opens a savepoint: a part that can be taken back alone. Until it ends, all statements go through it.
    ///
    /// # Errors
    /// When the transaction is over.
    pub async fn savepoint(&mut self) -> Result<Savepoint<'_>, DbError> {
        self.scope.nested().await.map(Savepoint::new)
    }
}

impl Linked for Transaction {
    fn link(&self) -> &Link {
        &self.scope.link
    }
}

/// A part of a transaction. Dropping it takes its work back and leaves the rest of the transaction.
#[derive(Debug)]
#[must_use = "a savepoint that is dropped takes its work back"]
pub struct Savepoint<'outer> {
    scope: Scope,
    outer: PhantomData<&'outer mut Scope>,
}

impl Savepoint<'_> {
    fn new(scope: Scope) -> Self {
        Self { scope, outer: PhantomData }
    }

    /// Keeps its work, as part of the transaction around it.
    ///
    /// # Errors
    /// When the transaction is over.
    pub async fn release(self) -> Result<(), DbError> {
        self.scope.end(Ending::Keep).await
    }

    /// Takes its work back, as dropping it does, and waits until that is done.
    ///
    /// # Errors
    /// When the transaction is over.
    pub async fn rollback(self) -> Result<(), DbError> {
        self.scope.end(Ending::TakeBack).await
    }

    /// Opens a savepoint inside of this one.
    ///
    /// # Errors
    /// When the transaction is over.
    pub async fn savepoint(&mut self) -> Result<Savepoint<'_>, DbError> {
        self.scope.nested().await.map(Savepoint::new)
    }
}

impl Linked for Savepoint<'_> {
    fn link(&self) -> &Link {
        &self.scope.link
    }
}

/// A transaction or a savepoint in it, without the borrow that keeps the outer one still.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) link: Link,
    transaction: TransactionId,
    /// `None` for the transaction as a whole.
    savepoint: Option<SavepointId>,
    /// How many savepoints the transaction had so far.
    n_savepoints: Arc<AtomicU32>,
    /// Whether its end has been asked for.
    is_over: bool,
}

/// What becomes of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Keep,
    TakeBack,
}

/// Opens a transaction. It is a task of its own, so that a caller who stops waiting leaves nothing open: the
/// task goes on, finds nobody to give the scope to, and drops it.
pub(super) async fn begin(link: &Link) -> Result<Scope, DbError> {
    let (give, given) = oneshot::channel();
    let (generation, link) = (Arc::clone(&link.generation), link.clone());
    spawn_background(&generation, "begin of a transaction".to_owned(), async move {
        // Nobody waits any more: the scope comes back with the error, and its drop is the rollback.
        let _unwanted = give.send(open(link).await);
    });
    given.await.unwrap_or_else(|_dropped| {
        Err(DbError::new(DbErrorKind::Unavailable, "the plugin is being stopped"))
    })
}

async fn open(mut link: Link) -> Result<Scope, DbError> {
    let answer = link.ask(Request::Begin.encode()).await?;
    let transaction = match Answer::decode(&answer) {
        Ok(Answer::Begun(transaction)) => transaction,
        other => return Err(DbError::unexpected(other)),
    };
    link.transaction = Some(transaction);
    let n_savepoints = Arc::new(AtomicU32::new(0));
    Ok(Scope { link, transaction, savepoint: None, n_savepoints, is_over: false })
}

impl Scope {
    /// Opens a savepoint in it.
    ///
    /// # Cancellation
    /// Dropping the future takes nothing back and leaves no savepoint behind.
    pub(super) async fn nested(&self) -> Result<Self, DbError> {
        let savepoint = self.n_savepoints.fetch_add(1, Ordering::Relaxed) + 1;
        // The scope is there before the savepoint is: whatever happens while it is asked for, its drop comes
        // after that in the order of the transaction.
        let scope = Self {
            link: self.link.clone(),
            transaction: self.transaction,
            savepoint: Some(savepoint),
            n_savepoints: Arc::clone(&self.n_savepoints),
            is_over: false,
        };
        scope.link.ask(Request::Savepoint(self.transaction, savepoint).encode()).await?;
        Ok(scope)
    }

    /// Ends it. What a savepoint takes back it also forgets.
    pub(super) async fn end(mut self, ending: Ending) -> Result<(), DbError> {
        self.is_over = true;
        let Self { transaction, savepoint, .. } = self;
        let request = match (savepoint, ending) {
            (None, Ending::Keep) => Request::Commit(transaction),
            (None, Ending::TakeBack) => Request::Rollback(transaction),
            (Some(savepoint), Ending::Keep) => Request::Release(transaction, savepoint),
            (Some(savepoint), Ending::TakeBack) => {
                self.link.tell(&Request::RollbackTo(transaction, savepoint).encode());
                Request::Release(transaction, savepoint)
            }
        };
        self.link.ask(request.encode()).await.map(|_done| ())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let transaction = self.transaction;
        match self.savepoint {
            None => self.link.tell(&Request::Rollback(transaction).encode()),
            Some(savepoint) => {
                self.link.tell(&Request::RollbackTo(transaction, savepoint).encode());
                self.link.tell(&Request::Release(transaction, savepoint).encode());
            }
        }
    }
}

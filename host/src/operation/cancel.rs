//! Calling an operation off.
//!
//! Guarantees: one that can be called off ends as canceled or goes on past the point up to which it could, never
//! both; nobody is told that it will end when it will not. What has not begun ends at once, what runs when whoever
//! does it comes to look. There is an entry for each operation that can be called off, while it can be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::ActiveValue::Set;
use tokio_util::sync::CancellationToken;

use super::changes::Change;
use super::journal::{Entry, Written};
use super::logs::{Level, Line};
use super::{Error, Failure, Operation, OperationId, Operations, State};
use crate::store::entity::operation as row;
use crate::timestamp::Timestamp;

/// The code of what was called off.
const CODE: &str = "OPERATION_CANCELED";

/// The running operations that can be called off. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<Mutex<HashMap<OperationId, CancellationToken>>>);

/// Where a running operation hears that it was called off.
#[derive(Debug)]
pub(super) struct Call {
    id: OperationId,
    called: CancellationToken,
    calls: Calls,
}

/// What became of the wish to call an operation off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canceling {
    /// It had not begun and never will.
    Ended,
    /// Whoever does it will hear of it.
    Asked,
    /// It can not be called off, or not any more.
    TooLate,
}

/// It was called off: whoever does it takes back what was done and says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was called off")]
pub(crate) struct Canceled;

impl Operations {
    /// Calls an operation off, if it can be.
    ///
    /// # Errors
    /// There is none of this id, it has ended, or the store did not answer.
    pub(crate) async fn cancel(&self, id: OperationId) -> Result<Canceling, Error> {
        let operation = self.open(id).await?;
        if operation.state == State::Pending && operation.kind.is_called_off_before_it_begins() {
            match self.write(&called_off(id)).await? {
                Written::Yes => return Ok(Canceling::Ended),
                // It has begun meanwhile, or ended.
                Written::TooLate => drop(self.open(id).await?),
            }
        }
        Ok(if self.calls.call(id) { Canceling::Asked } else { Canceling::TooLate })
    }

    /// Whether it can be called off as things are.
    pub(crate) fn can_be_canceled(&self, operation: &Operation) -> bool {
        match operation.state {
            State::Pending => operation.kind.is_called_off_before_it_begins(),
            State::Running => self.calls.hears(operation.id),
            State::Succeeded | State::Failed | State::Canceled | State::Superseded => false,
        }
    }
}

impl Failure {
    /// What was called off, and what is left of it.
    pub(crate) fn canceled(detail: impl Into<String>) -> Self {
        Self::new(CODE, detail)
    }
}

/// The end of an operation that has not begun.
fn called_off(id: OperationId) -> Entry {
    let failure = Failure::canceled("It was called off before it began.");
    let line = Line::now(1, Level::Warn, failure.detail.clone());
    let error = serde_json::to_value(&failure).expect("a failure is strings and JSON");
    let row = row::ActiveModel {
        state: Set(State::Canceled.word().to_owned()),
        description: Set(failure.detail),
        error: Set(Some(error)),
        finished_at: Set(Some(Timestamp::now().into_inner())),
        ..row::ActiveModel::default()
    };
    Entry { id, from: &[State::Pending], row, lines: vec![line], change: Change::Ended }
}

impl Calls {
    /// From now on `id` can be called off.
    pub(super) fn hear(&self, id: OperationId) -> Call {
        let called = CancellationToken::new();
        self.lock().insert(id, called.clone());
        Call { id, called, calls: self.clone() }
    }

    fn call(&self, id: OperationId) -> bool {
        let calls = self.lock();
        let heard = calls.get(&id);
        heard.inspect(|called| called.cancel()).is_some()
    }

    fn hears(&self, id: OperationId) -> bool {
        self.lock().get(&id).is_some_and(|called| !called.is_cancelled())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Ends when it was called off. Cancel-safe.
    pub(super) async fn called(&self) {
        self.called.cancelled().await;
    }

    /// Whether it was called off.
    pub(super) fn was_called(&self) -> bool {
        self.called.is_cancelled()
    }

    /// From now on it cannot be called off, unless it was.
    pub(super) fn close(&self) -> Result<(), Canceled> {
        let mut calls = self.calls.lock();
        if self.called.is_cancelled() {
            return Err(Canceled);
        }
        calls.remove(&self.id);
        Ok(())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.lock().remove(&self.id);
    }
}

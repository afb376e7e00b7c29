//! The one way in which a row of an operation is written once it is there.
//!
//! Guarantees: a write is one transaction with the lines that belong to it and the event that tells of it; it changes nothing of an operation
//! that has ended; whoever watches is told when it is committed. Writing the same twice is as writing it once, so
//! a commit whose answer was lost can be repeated.

use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter};

use super::changes::Change;
use super::logs::Line;
use super::{Error, Operation, OperationId, Operations, State};
use crate::store::entity::{operation as row, operation_log as line_row};
use crate::{event, fault, log};

/// How long to leave the store alone before an end is written again; doubled each time.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// What one write holds.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Of which operation.
    pub(super) id: OperationId,
    /// The states in which it is written; in any other it is too late.
    pub(super) from: &'static [State],
    /// The columns that change.
    pub(super) row: row::ActiveModel,
    /// The lines that come with it.
    pub(super) lines: Vec<Line>,
    /// What watchers are told.
    pub(super) change: Change,
}

/// What became of a write that the store took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It is there.
    Yes,
    /// The operation has ended, or is not there any more: nothing was changed.
    TooLate,
}

impl Operations {
    pub(super) async fn write(&self, entry: &Entry) -> Result<Written, Error> {
        // On the heap: whoever runs an operation would carry it everywhere.
        let written = Box::pin(self.try_write(entry)).await?;
        self.changes.tell(entry.id, entry.change);
        self.events.committed();
        Ok(written)
    }

    async fn try_write(&self, entry: &Entry) -> Result<Written, Error> {
        let failed = |source| Error::Write(entry.id, source);
        let transaction = self.store.begin().await.map_err(failed)?;
        let written = self.write_in(&transaction, entry).await?;
        if written == Written::TooLate {
            transaction.rollback().await.map_err(failed)?;
            return Ok(written);
        }
        fault::point("operation.commit");
        transaction.commit().await.map_err(failed)?;
        fault::point("operation.committed");
        Ok(written)
    }

    /// Writes an entry in a transaction, and tells of it there.
    pub(super) async fn write_in(
        &self,
        db: &impl ConnectionTrait,
        entry: &Entry,
    ) -> Result<Written, Error> {
        let Entry { id, from, row, lines, change: _ } = entry;
        let failed = |source| Error::Write(*id, source);
        let updated = row::Entity::update_many()
            .set(row.clone())
            .col_expr(row::Column::Revision, row::Column::Revision.into_expr().add(1))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::State.is_in(from.iter().map(|state| state.word())))
            .exec_with_returning(db)
            .await
            .map_err(failed)?;
        let Some(updated) = updated.into_iter().next() else { return Ok(Written::TooLate) };
        if !lines.is_empty() {
            line_row::Entity::insert_many(lines.iter().map(|line| line.row(*id)))
                .on_conflict_do_nothing()
                .exec_without_returning(db)
                .await
                .map_err(failed)?;
        }
        self.tell(db, event::Change::Modified, &Operation::read(updated)?).await?;
        Ok(Written::Yes)
    }

    /// Writes the end of an operation now, or as soon as the store takes it.
    pub(super) async fn write_end(&self, entry: Entry) {
        let Err(error) = self.write(&entry).await else { return };
        let (id, cause) = (entry.id, log::chain(&error).to_string());
        tracing::error!(operation = %id, "an operation ended and its end is not written yet: {cause}");
        let (operations, stop) = (self.clone(), self.tasks.child());
        self.tasks.spawn("operation end", async move {
            let written = stop.run_until_cancelled(operations.write_until_taken(&entry)).await;
            match written {
                Some(()) => tracing::info!(operation = %id, "its end is written"),
                None => tracing::warn!(operation = %id, "its end is not written: it begins anew"),
            }
        });
    }

    async fn write_until_taken(&self, entry: &Entry) {
        let mut back_off = BACK_OFF;
        loop {
            tokio::time::sleep(back_off).await;
            match self.write(entry).await {
                Ok(Written::Yes | Written::TooLate) => return,
                Err(error) => {
                    let cause = log::chain(&error);
                    tracing::debug!(operation = %entry.id, "{cause}");
                }
            }
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }
}

//! A resource that shall not be.
//!
//! Where neither it nor anything under it is brought about by a plugin, it goes at once. Else all of it is marked, and
//! the reconciler takes it down from below.

use std::sync::Arc;

use plugin_abi::descriptor::Hook;
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

use super::change::check;
use super::ledger::{Ledger, Told};
use super::precondition::Precondition;
use super::{Ask, Collection, Effect, Refused, Writes, Written};
use crate::event::Change;
use crate::model::ResourceModel;
use crate::operation::{Operation, OperationId};
use crate::resource::row::Row;
use crate::resource::{rows, status};
use crate::store::writer::Work;
use crate::timestamp::Timestamp;

/// How it shall go.
#[derive(Debug)]
pub(crate) struct Delete {
    /// What becomes of what hangs under it.
    pub(crate) children: Children,
    /// In which state.
    pub(crate) precondition: Precondition,
}

/// What becomes of what hangs under a resource that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Children {
    /// It keeps the resource.
    Keep,
    /// It goes too.
    Cascade,
}

impl Writes {
    /// Deletes the resource `id`, which hangs under `instance`, or begins to.
    ///
    /// # Errors
    /// Why not; then nothing was written.
    ///
    /// # Cancellation
    /// One that was begun is written.
    pub(crate) async fn delete(
        &self,
        ask: Ask,
        id: Uuid,
        instance: Uuid,
        delete: Delete,
    ) -> Result<Written, Refused> {
        let (writes, marked, superseded) = (self.clone(), Vec::new(), Vec::new());
        self.write(Deleting { writes, ask, id, instance, delete, marked, superseded }).await
    }
}

/// One that goes with the one that is deleted.
type Below = (Arc<ResourceModel>, Row);

struct Deleting {
    writes: Writes,
    ask: Ask,
    id: Uuid,
    /// At the top of what it hangs under, or itself.
    instance: Uuid,
    delete: Delete,
    /// What the reconciler is to take down.
    marked: Vec<(Arc<ResourceModel>, Uuid)>,
    superseded: Vec<OperationId>,
}

impl Work for Deleting {
    type Done = Written;
    type Refused = Refused;

    async fn write(&mut self, db: &DatabaseTransaction) -> Result<Written, Refused> {
        let Collection { model, .. } = &self.ask.collection;
        let row = rows::held(db, model, self.id).await?.ok_or(Refused::Gone)?;
        check(&self.delete.precondition, &row, &self.ask.collection)?;
        if row.deleting_at.is_some() {
            return self.again(db, &row).await;
        }
        refuse_protected(&row)?;
        let below = self.below(db).await?;
        let is_brought_about = model.has(Hook::Reconcile)
            || below.iter().any(|(model, _row)| model.has(Hook::Reconcile));
        if is_brought_about {
            self.mark(db, row, below).await
        } else {
            self.remove(db, row, below).await
        }
    }

    fn committed(self, _done: &Written) {
        let parts = self.writes.parts();
        parts.operations.events().committed();
        self.superseded.iter().for_each(|id| parts.operations.ended(*id));
        for (model, id) in &self.marked {
            parts.reconciler.wake(&model.slug, model.collection(), *id);
        }
    }
}

impl Deleting {
    fn ledger<'a>(&'a self, db: &'a DatabaseTransaction) -> Ledger<'a, DatabaseTransaction> {
        Ledger { writes: &self.writes, db, ask: &self.ask, instance: self.instance }
    }

    /// It is on its way already.
    async fn again(&self, db: &DatabaseTransaction, row: &Row) -> Result<Written, Refused> {
        let ledger = self.ledger(db);
        let last = ledger.last(row).await?;
        let last = last.as_ref();
        ledger.close(row, Effect::Deleting, last, last, Told::default()).await
    }

    /// All that hangs under it, on whatever level, from above.
    async fn below(&self, db: &DatabaseTransaction) -> Result<Vec<Below>, Refused> {
        let Collection { r#type, model, .. } = &self.ask.collection;
        let mut found: Vec<Below> = Vec::new();
        let mut next = vec![(Arc::clone(model), self.id)];
        while let Some((model, id)) = next.pop() {
            for child in r#type.below(Some(model.collection())) {
                let rows = rows::under(db, child, id).await?;
                if self.delete.children == Children::Keep && !rows.is_empty() {
                    let (collection, n) = (child.collection().to_owned(), rows.len());
                    return Err(Refused::NotEmpty { collection, n });
                }
                next.extend(rows.iter().map(|row| (Arc::clone(child), row.id)));
                found.extend(rows.into_iter().map(|row| (Arc::clone(child), row)));
            }
        }
        found.iter().try_for_each(|(_model, row)| refuse_protected(row))?;
        Ok(found)
    }

    /// Has the reconciler take all of it down.
    async fn mark(
        &mut self,
        db: &DatabaseTransaction,
        mut row: Row,
        below: Vec<Below>,
    ) -> Result<Written, Refused> {
        self.superseded.extend(row.last_operation);
        let operation = self.ledger(db).begin(&mut row, "delete").await?;
        for (model, mut row) in below {
            if row.deleting_at.is_none() {
                self.superseded.extend(row.last_operation);
                self.ledger(db).supersede(&row, operation.id).await?;
                self.mark_one(db, &model, &mut row, None).await?;
            }
            self.marked.push((model, row.id));
        }
        let model = Arc::clone(&self.ask.collection.model);
        self.mark_one(db, &model, &mut row, Some(&operation)).await?;
        self.marked.push((model, row.id));
        let last = Some(&operation);
        self.ledger(db).close(&row, Effect::Deleting, last, last, Told::default()).await
    }

    async fn mark_one(
        &self,
        db: &DatabaseTransaction,
        model: &ResourceModel,
        row: &mut Row,
        last: Option<&Operation>,
    ) -> Result<(), Refused> {
        let (revision, now) = (row.revision, Timestamp::now());
        row.deleting_at = Some(now);
        row.updated_at = now;
        row.revision += 1;
        status::settle(model, row, now);
        if !rows::update(db, model, row, revision).await? {
            return Err(Refused::Raced);
        }
        self.ledger(db).tell(Change::Modified, model, row, last).await
    }

    /// Takes all of it away, from below.
    async fn remove(
        &self,
        db: &DatabaseTransaction,
        row: Row,
        below: Vec<Below>,
    ) -> Result<Written, Refused> {
        let ledger = self.ledger(db);
        let last = ledger.last(&row).await?;
        let model = Arc::clone(&self.ask.collection.model);
        let all = std::iter::once((model, row.clone())).chain(below);
        for (model, mut row) in all.collect::<Vec<_>>().into_iter().rev() {
            rows::delete(db, &model, row.id).await?;
            row.revision += 1;
            ledger.tell(Change::Deleted, &model, &row, None).await?;
        }
        ledger.close(&row, Effect::Gone, None, last.as_ref(), Told::default()).await
    }
}

fn refuse_protected(row: &Row) -> Result<(), Refused> {
    if row.deletion_protection { Err(Refused::Protected(row.name.clone())) } else { Ok(()) }
}

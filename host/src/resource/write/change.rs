//! A resource that shall be otherwise.

use std::sync::Arc;

use plugin_abi::descriptor::Hook;
use sea_orm::DatabaseTransaction;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::advice::Advice;
use super::create::check_references;
use super::ledger::Ledger;
use super::patch::Patch;
use super::precondition::Precondition;
use super::wanted::{Unsaid, Wanted};
use super::{Ask, Collection, Effect, Refused, Writes, Written};
use crate::event::Change as Happened;
use crate::resource::document;
use crate::resource::row::Row;
use crate::resource::{rows, status};
use crate::secret::{Place, SecretText};
use crate::store::writer::Work;
use crate::timestamp::Timestamp;

/// A change that loses so often to others is given up.
const TRIES_MAX: usize = 16;

/// How it shall be otherwise.
#[derive(Debug)]
pub(crate) struct Change {
    /// In what.
    pub(crate) patch: Patch,
    /// What becomes of the rest.
    pub(crate) unsaid: Unsaid,
    /// For which state of it.
    pub(crate) precondition: Precondition,
}

impl Writes {
    /// Changes the resource `id`, which hangs under `instance`.
    ///
    /// # Errors
    /// Why not; then nothing was written.
    ///
    /// # Cancellation
    /// One that was begun is written.
    pub(crate) async fn change(
        &self,
        ask: Ask,
        id: Uuid,
        instance: Uuid,
        change: Change,
    ) -> Result<Written, Refused> {
        let ask = Arc::new(ask);
        for _try in 0..TRIES_MAX {
            let work = self.prepare(&ask, id, instance, &change).await?;
            match self.write(work).await {
                Err(Refused::Raced) => {}
                other => return other,
            }
        }
        Err(Refused::Raced)
    }

    /// What is to be written, as the resource is now.
    async fn prepare(
        &self,
        ask: &Arc<Ask>,
        id: Uuid,
        instance: Uuid,
        change: &Change,
    ) -> Result<Changing, Refused> {
        let Collection { model, .. } = &ask.collection;
        let before = rows::whole(self.parts().store.connection(), model, id).await?;
        let before = before.ok_or(Refused::Gone)?;
        let (writes, ask) = (self.clone(), Arc::clone(ask));
        check(&change.precondition, &before, &ask.collection)?;
        refuse_deleting(&before)?;
        let wanted = self.wanted(&ask.collection, &before, change).await?;
        if !wanted.differs_from(&before) {
            return Ok(Changing {
                writes,
                ask,
                instance,
                before,
                wanted: None,
                advice: Advice::default(),
            });
        }
        let mut after = before.clone();
        after.generation += 1;
        self.put(&ask.collection, &mut after, wanted.clone());
        let advice = self.advice(&ask.collection, Some(&before), &after, ask.mode).await?;
        Ok(Changing { writes, ask, instance, before, wanted: Some(wanted), advice })
    }

    /// What is wanted of `before` after the change.
    async fn wanted(
        &self,
        collection: &Collection,
        before: &Row,
        change: &Change,
    ) -> Result<Wanted, Refused> {
        let model = &collection.model;
        let last = match before.last_operation {
            Some(last) => self.parts().operations.get(last).await?,
            None => None,
        };
        let shown = document::shown(model, before, last.as_ref(), &collection.seen());
        let document: Map<String, Value> =
            serde_json::from_slice(&shown.text).expect("a document is an object");
        let said = change.patch.clone().apply(&document)?;
        let wanted = Wanted::changed(model, before, &document, said, change.unsaid);
        let mut wanted = wanted.map_err(Refused::Objections)?;
        let row = before.id.to_string();
        wanted.forget_secrets(|column, said| {
            let kept = before.fields.get(column).and_then(Value::as_str);
            let place = Place { table: model.table(), row: &row, column };
            kept.and_then(|kept| self.parts().secrets.unseal(kept, place).ok())
                .is_some_and(|kept| kept == SecretText::new(said))
        });
        Ok(wanted)
    }
}

/// Whether a change may be made of a row as it is.
pub(super) fn check(
    precondition: &Precondition,
    row: &Row,
    collection: &Collection,
) -> Result<(), Refused> {
    let demands = collection.model.declared.demands_if_match;
    precondition.check(Some(row.generation), demands).map_err(|unmet| {
        let shown = document::shown(&collection.model, row, None, &collection.seen());
        Refused::Unmet { unmet, etag: Some(shown.etag) }
    })
}

/// What is being taken down cannot be changed any more.
pub(super) fn refuse_deleting(row: &Row) -> Result<(), Refused> {
    match row.deleting_at {
        None => Ok(()),
        Some(_since) => {
            Err(Refused::Deleting { name: row.name.clone(), operation: row.last_operation })
        }
    }
}

struct Changing {
    writes: Writes,
    ask: Arc<Ask>,
    /// At the top of what it hangs under, or itself.
    instance: Uuid,
    /// As it was looked at.
    before: Row,
    /// None: as it is.
    wanted: Option<Wanted>,
    advice: Advice,
}

impl Work for Changing {
    type Done = Written;
    type Refused = Refused;

    async fn write(&mut self, db: &DatabaseTransaction) -> Result<Written, Refused> {
        let Self { writes, ask, instance, before, wanted, advice } = self;
        let Collection { model, .. } = &ask.collection;
        let ledger = Ledger { writes, db, ask, instance: *instance };
        let mut row = rows::held(db, model, before.id).await?.ok_or(Refused::Gone)?;
        if row.generation != before.generation || row.deleting_at != before.deleting_at {
            return Err(Refused::Raced);
        }
        let Advice { fields, told } = std::mem::take(advice);
        let Some(wanted) = wanted.take() else {
            let last = ledger.last(&row).await?;
            return ledger.close(&row, Effect::Unchanged, None, last.as_ref(), told).await;
        };
        let revision = row.revision;
        writes.put(&ask.collection, &mut row, wanted);
        row.fields.extend(fields);
        check_references(db, &ask.collection, &row, Some(before)).await?;
        row.generation += 1;
        row.revision += 1;
        row.updated_at = Timestamp::now();
        let begun = if model.has(Hook::Reconcile) {
            Some(ledger.begin(&mut row, "update").await?)
        } else {
            row.observed_generation = row.generation;
            None
        };
        let now = row.updated_at;
        status::settle(model, &mut row, now);
        let updated = rows::update(db, model, &row, revision).await;
        if !updated.map_err(|error| Refused::of_row(model, &row.name, error))? {
            return Err(Refused::Raced);
        }
        let last = match begun.clone() {
            Some(begun) => Some(begun),
            None => ledger.last(&row).await?,
        };
        ledger.tell(Happened::Modified, model, &row, last.as_ref()).await?;
        ledger.close(&row, Effect::Changed, begun.as_ref(), last.as_ref(), told).await
    }

    fn committed(self, done: &Written) {
        let Self { writes, ask, before, .. } = self;
        if let (Some(_by), Some(earlier)) = (&done.operation, before.last_operation) {
            writes.parts().operations.ended(earlier);
        }
        if done.effect != Effect::Unchanged {
            writes.committed(&ask.collection.model, before.id);
        }
    }
}

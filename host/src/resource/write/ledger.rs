//! What is written beside a row, in its transaction: its operation, the event that tells of it, the answer that
//! a retry gets.

use sea_orm::ConnectionTrait;
use serde_json::Value;
use uuid::Uuid;

use super::{Ask, Effect, Mode, Refused, Writes, Written};
use crate::event::Change;
use crate::model::ResourceModel;
use crate::operation::{Kind, New, Operation, OperationId, Target};
use crate::resource::news::News;
use crate::resource::row::Row;
use crate::resource::{document, reconcile};

/// A transaction with the row that it is about.
pub(super) struct Ledger<'a, D> {
    pub(super) writes: &'a Writes,
    pub(super) db: &'a D,
    pub(super) ask: &'a Ask,
    /// The resource at the top that the row hangs under, or itself.
    pub(super) instance: Uuid,
}

impl<D: ConnectionTrait> Ledger<'_, D> {
    /// What shall be done to `row`.
    fn new_operation(&self, row: &Row, verb: &str) -> New {
        let model = &self.ask.collection.model;
        New {
            kind: Kind::resource(&model.slug, &model.declared.name, verb),
            target: Target {
                kind: model.slug.clone(),
                name: row.name.clone(),
                id: Some(row.id),
                instance: Some(self.instance),
                project: Some(row.project.uuid()),
            },
            details: Value::Null,
            requester: self.ask.requester.clone(),
        }
    }

    /// Writes an operation that takes the place of the one that `row` is in.
    pub(super) async fn begin(&self, row: &mut Row, verb: &str) -> Result<Operation, Refused> {
        let operations = &self.writes.parts().operations;
        let operation = operations.create(self.db, self.new_operation(row, verb)).await?;
        self.supersede(row, operation.id).await?;
        row.last_operation = Some(operation.id);
        Ok(operation)
    }

    /// Ends the operation that `row` is in, if it is one of those that end with what is wanted.
    pub(super) async fn supersede(&self, row: &Row, by: OperationId) -> Result<(), Refused> {
        let operations = &self.writes.parts().operations;
        if let Some(earlier) = self.last(row).await?
            && reconcile::ends(&earlier.kind)
        {
            operations.supersede_in(self.db, earlier.id, by).await?;
        }
        Ok(())
    }

    /// Writes an operation that is done with this transaction.
    pub(super) async fn done(
        &self,
        row: &mut Row,
        verb: &str,
        description: &str,
    ) -> Result<Operation, Refused> {
        let operations = &self.writes.parts().operations;
        let new = self.new_operation(row, verb);
        let operation = operations.create_done(self.db, new, description).await?;
        row.last_operation = Some(operation.id);
        Ok(operation)
    }

    /// What was done with `row` last, if that is still known.
    pub(super) async fn last(&self, row: &Row) -> Result<Option<Operation>, Refused> {
        let Some(last) = row.last_operation else { return Ok(None) };
        Ok(self.writes.parts().operations.get_in(self.db, last).await?)
    }

    /// Tells of a change of `row`, which is of `model`.
    pub(super) async fn tell(
        &self,
        change: Change,
        model: &ResourceModel,
        row: &Row,
        last: Option<&Operation>,
    ) -> Result<(), Refused> {
        let Ask { collection, requester, .. } = self.ask;
        let (available, instance) = (collection.available, self.instance);
        let news = News { change, model, row, instance, last, available, requester };
        Ok(news.tell(self.db).await?)
    }

    /// What came of the write, with the answer to a retry of it; one that is rehearsed ends here.
    pub(super) async fn close(
        &self,
        row: &Row,
        effect: Effect,
        operation: Option<&Operation>,
        last: Option<&Operation>,
        told: Told,
    ) -> Result<Written, Refused> {
        let Ask { collection, mode, kept, .. } = self.ask;
        let shown = document::shown(&collection.model, row, last, &collection.seen());
        let Told { once, plan } = told;
        let operation = operation.cloned();
        let written = Written { shown, effect, operation, once, plan };
        if *mode == Mode::Rehearse {
            return Err(Refused::Rehearsed(Box::new(written)));
        }
        if let Some(kept) = kept {
            kept.first.keep(self.db, (kept.answer)(&written)).await?;
        }
        Ok(written)
    }
}

/// What a plugin said that is told and not written.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Secrets that are shown once, in clear.
    pub(super) once: serde_json::Map<String, Value>,
    /// What it would do.
    pub(super) plan: Vec<plugin_abi::resource::PlannedStep>,
}

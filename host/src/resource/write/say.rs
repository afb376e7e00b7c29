//! What a plugin says of a resource beside its hooks: fields of its own, and conditions.
//!
//! It is no new generation, and no reason to bring the resource about.

use std::sync::Arc;

use plugin_abi::resource::Condition;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::ledger::Ledger;
use super::{Ask, Collection, Refused, Writes};
use crate::event::Change;
use crate::resource::row::Row;
use crate::resource::{condition, rows, said, status};
use crate::timestamp::Timestamp;

impl Writes {
    /// Notes what its plugin says of the resource `id`, which hangs under `instance`; gives it as it is then.
    ///
    /// # Errors
    /// It may not say that, or there is no such resource.
    pub(crate) async fn say(
        &self,
        ask: &Arc<Ask>,
        id: Uuid,
        instance: Uuid,
        fields: Map<String, Value>,
        conditions: Vec<Condition>,
    ) -> Result<Row, Refused> {
        let Collection { model, .. } = &ask.collection;
        said::check(model, &fields).map_err(Refused::Nonsense)?;
        let transaction = self.parts().store.begin().await?;
        let before = rows::held(&transaction, model, id).await?.ok_or(Refused::Gone)?;
        let (mut row, now) = (before.clone(), Timestamp::now());
        let sealed = self.sealed(&ask.collection, &row, fields);
        row.fields.extend(sealed.fields);
        let generation = row.generation;
        condition::add_plugins(&mut row.conditions, conditions, generation, now)
            .map_err(|error| Refused::Nonsense(error.to_string()))?;
        status::settle(model, &mut row, now);
        if row == before {
            return Ok(row);
        }
        row.revision += 1;
        row.updated_at = now;
        rows::update(&transaction, model, &row, before.revision).await?;
        let ledger = Ledger { writes: self, db: &transaction, ask, instance };
        let last = ledger.last(&row).await?;
        ledger.tell(Change::Modified, model, &row, last.as_ref()).await?;
        transaction.commit().await?;
        self.parts().operations.events().committed();
        Ok(row)
    }
}

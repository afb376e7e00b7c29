//! Having a plugin fill in what its migrations added, batch by batch, through its `backfill:<name>` hook.
//!
//! A backfill runs on the new generation before the switch, while the old code still writes rows; so it runs
//! once more, as a *sweep*, when the old generation is gone. How far it is, in the plugin's own words, is
//! written down after each batch: whatever ends it, it goes on from there. A batch that fails is tried a
//! bounded number of times.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use packer::bundle::ElementName;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chain::{Chain, Migration, MigrationId};
use super::ledger::LedgerError;
use super::progress::End;
use super::{Error, MigratedPlugin, Migrations, Progress, Tell};
use crate::plugin::generation::Generation;
use crate::plugin::hook;
use crate::store::entity::backfill as row;
use crate::timestamp::Timestamp;

/// A plugin that moves its cursor without filling in a row does so this often at most.
const IDLE_BATCHES_MAX: u32 = 1_000;

const REASON_CHARS_MAX: usize = 300;

/// Which rows are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Those that were there.
    First,
    /// Those that the code before wrote meanwhile.
    Sweep,
}

/// Calls a hook with a document, and comes to one.
pub(super) type Call<'c> =
    &'c (dyn Fn(String, Value) -> BoxFuture<'c, Result<Value, String>> + Send + Sync);

/// What a plugin answers to a batch.
#[derive(Debug, Deserialize)]
struct Batch {
    cursor: Option<String>,
    done: bool,
    #[serde(default)]
    rows: u64,
}

impl Migrations {
    /// Has a generation of `plugin` fill in what is still to be filled in: the rows that were there before the
    /// switch, or in a sweep those that the code before wrote meanwhile.
    ///
    /// # Errors
    /// When a batch failed too often. What was filled in stays.
    ///
    /// # Cancellation
    /// It goes on after the last batch that was completed.
    pub(crate) async fn backfill(
        &self,
        plugin: &MigratedPlugin,
        generation: &Arc<Generation>,
        pass: Pass,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        let limit = self.config.backfill_limit();
        let call = |name: String, body: Value| -> BoxFuture<'_, Result<Value, String>> {
            Box::pin(async move {
                let answer = hook::call(generation, &name, &body, limit).await;
                answer.map_err(|error| crate::log::chain(&error).to_string())
            })
        };
        self.backfill_with(&call, plugin.chain(), pass, tell).await
    }

    /// As [`Self::backfill`], by whatever calls the hook.
    pub(super) async fn backfill_with(
        &self,
        call: Call<'_>,
        chain: &Chain,
        pass: Pass,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        if chain.migrations().iter().all(|migration| migration.backfill.is_none()) {
            return Ok(());
        }
        let open = self.open_backfills(chain.element(), pass).await?;
        for migration in chain.migrations() {
            let cursor = open.iter().find(|row| row.migration_id == migration.id.to_string());
            if let (Some(hook), Some(row)) = (&migration.backfill, cursor) {
                self.fill(call, migration, hook, row.cursor.clone(), pass, tell).await?;
            }
        }
        Ok(())
    }

    async fn open_backfills(
        &self,
        element: &ElementName,
        pass: Pass,
    ) -> Result<Vec<row::Model>, LedgerError> {
        let is_open = match pass {
            Pass::First => row::Column::Done.eq(false),
            Pass::Sweep => row::Column::Done.eq(true).and(row::Column::Swept.eq(false)),
        };
        let rows = row::Entity::find().filter(row::Column::Element.eq(element.as_str()));
        Ok(rows.filter(is_open).all(self.store.connection()).await?)
    }

    async fn fill(
        &self,
        call: Call<'_>,
        migration: &Migration,
        hook: &str,
        mut cursor: Option<String>,
        pass: Pass,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        let name = &*migration.name;
        let (mut n_rows, mut n_failed, mut n_idle) = (0, 0, 0);
        let mut back_off = self.config.backfill_back_off();
        loop {
            let body = json!({ "cursor": cursor });
            let answer = call(format!("backfill:{hook}"), body).await;
            match answer.and_then(|answer| read(answer, cursor.as_deref())) {
                Ok(batch) => {
                    (n_failed, back_off) = (0, self.config.backfill_back_off());
                    n_rows += batch.rows;
                    n_idle = if batch.rows == 0 { n_idle + 1 } else { 0 };
                    self.keep(migration.id, &batch, pass).await?;
                    let end = if batch.done { End::Reached } else { End::NotYet };
                    tell(Progress::Filled { name, n_rows, end });
                    if end == End::Reached {
                        return Ok(());
                    }
                    if n_idle >= IDLE_BATCHES_MAX {
                        let reason = format!("{n_idle} batches in a row filled in no row");
                        return Err(failed(migration, n_idle, &reason));
                    }
                    cursor = batch.cursor;
                }
                Err(reason) => {
                    n_failed += 1;
                    if n_failed >= self.config.backfill_attempts.get() {
                        return Err(failed(migration, n_failed, &reason));
                    }
                    tell(Progress::Stumbled { name, reason: &shortened(&reason) });
                    tokio::time::sleep(back_off).await;
                    back_off *= 2;
                }
            }
        }
    }

    /// Writes down how far it is. At the end of the first pass the cursor goes back to the beginning.
    async fn keep(&self, id: MigrationId, batch: &Batch, pass: Pass) -> Result<(), LedgerError> {
        let cursor = if batch.done { None } else { batch.cursor.clone() };
        let row = row::ActiveModel {
            migration_id: Set(id.to_string()),
            cursor: Set(cursor),
            done: Set(batch.done || pass == Pass::Sweep),
            swept: Set(batch.done && pass == Pass::Sweep),
            updated_at: Set(Timestamp::now().into_inner()),
            ..Default::default()
        };
        crate::fault::point("backfill.keep");
        row::Entity::update(row).exec(self.store.connection()).await?;
        crate::fault::point("backfill.kept");
        Ok(())
    }
}

/// Takes an answer apart; one that leads nowhere is no answer.
fn read(answer: Value, before: Option<&str>) -> Result<Batch, String> {
    let batch: Batch = serde_json::from_value(answer)
        .map_err(|error| format!("its answer is not `{{cursor, done, rows}}`: {error}"))?;
    let stands_still = !batch.done && batch.rows == 0 && batch.cursor.as_deref() == before;
    if stands_still {
        return Err("it filled in nothing, is not done and did not move its cursor".to_owned());
    }
    Ok(batch)
}

fn failed(migration: &Migration, n_attempts: u32, reason: &str) -> Error {
    let (name, id, reason) = (migration.name.clone(), migration.id, shortened(reason));
    Error::Backfill { name, id, n_attempts, reason }
}

fn shortened(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

/// Notes that a migration is to be filled in, from the beginning.
pub(super) async fn expect(
    db: &impl ConnectionTrait,
    element: &ElementName,
    id: MigrationId,
) -> Result<(), LedgerError> {
    let row = row::ActiveModel {
        migration_id: Set(id.to_string()),
        element: Set(element.to_string()),
        cursor: Set(None),
        done: Set(false),
        swept: Set(false),
        updated_at: Set(Timestamp::now().into_inner()),
    };
    let anew = OnConflict::column(row::Column::MigrationId)
        .update_columns([
            row::Column::Cursor,
            row::Column::Done,
            row::Column::Swept,
            row::Column::UpdatedAt,
        ])
        .to_owned();
    row::Entity::insert(row).on_conflict(anew).exec_without_returning(db).await?;
    Ok(())
}

/// Has backfills begin again that were over: code that does not know them has written rows.
pub(super) async fn begin_anew(
    db: &impl ConnectionTrait,
    element: &ElementName,
    ids: &[MigrationId],
) -> Result<(), LedgerError> {
    for id in ids {
        expect(db, element, *id).await?;
    }
    Ok(())
}

/// Forgets the backfill of a migration.
pub(super) async fn forget(db: &impl ConnectionTrait, id: MigrationId) -> Result<(), LedgerError> {
    row::Entity::delete_by_id(id.to_string()).exec(db).await?;
    Ok(())
}

/// Forgets the backfills of an element.
pub(super) async fn forget_all(
    db: &impl ConnectionTrait,
    element: &ElementName,
) -> Result<(), LedgerError> {
    let rows = row::Entity::delete_many().filter(row::Column::Element.eq(element.as_str()));
    rows.exec(db).await?;
    Ok(())
}

/// The backfills of an element.
pub(super) async fn all(
    db: &impl ConnectionTrait,
    element: &ElementName,
) -> Result<Vec<row::Model>, LedgerError> {
    Ok(row::Entity::find().filter(row::Column::Element.eq(element.as_str())).all(db).await?)
}

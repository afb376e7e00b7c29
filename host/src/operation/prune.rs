//! Forgetting operations whose end is long ago.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use tokio::time::{MissedTickBehavior, interval};

use super::{Config, Error, Operations};
use crate::log;
use crate::store::entity::{operation as row, operation_log as line_row};
use crate::timestamp::Timestamp;

/// How often it is looked for them.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// So many go in one transaction: others want to write, too.
const BATCH: u64 = 200;

impl Operations {
    /// From now on forgets what is older than the settings say, until the daemon ends.
    pub(crate) fn prune_by_period(&self, config: &Config) {
        let (operations, keep, stop) = (self.clone(), config.keep(), self.tasks.child());
        self.tasks.spawn("operation pruning", async move {
            stop.run_until_cancelled(operations.prune_for_ever(keep)).await;
        });
    }

    async fn prune_for_ever(&self, keep: Duration) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            period.tick().await;
            let before = Timestamp::from(Timestamp::now().into_inner() - keep);
            match self.prune(before).await {
                Ok(0) => {}
                Ok(n_pruned) => tracing::info!(n_pruned, "old operations are forgotten"),
                Err(error) => {
                    let cause = log::chain(&error).to_string();
                    tracing::warn!("old operations are kept, the next try is in an hour: {cause}");
                }
            }
        }
    }

    /// Forgets the operations that ended before that moment; says how many they were.
    ///
    /// # Cancellation
    /// What was forgotten is; the rest is there.
    pub(super) async fn prune(&self, before: Timestamp) -> Result<u64, Error> {
        let mut n_pruned = 0;
        loop {
            let n_gone = self.prune_batch(before).await.map_err(Error::Prune)?;
            n_pruned += n_gone;
            if n_gone < BATCH {
                return Ok(n_pruned);
            }
        }
    }

    async fn prune_batch(&self, before: Timestamp) -> Result<u64, DbErr> {
        let transaction = self.store.begin().await?;
        let ids = ended_before(&transaction, before).await?;
        let lines = line_row::Column::OperationId.is_in(&ids);
        line_row::Entity::delete_many().filter(lines).exec(&transaction).await?;
        let rows = row::Column::Id.is_in(&ids);
        let deleted = row::Entity::delete_many().filter(rows).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected)
    }
}

async fn ended_before(
    transaction: &DatabaseTransaction,
    before: Timestamp,
) -> Result<Vec<String>, DbErr> {
    row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::FinishedAt.lt(before.into_inner()))
        .order_by_asc(row::Column::Id)
        .limit(BATCH)
        .into_tuple()
        .all(transaction)
        .await
}

//! Forgetting what is old, a little at a time: others want to write, too.

use std::time::Duration;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::{MissedTickBehavior, interval};

use super::position::{self, Extent};
use super::{Config, Error, Events};
use crate::log;
use crate::shutdown::Tasks;
use crate::store::entity::event as row;
use crate::timestamp::Timestamp;

/// How often it is looked for them.
const PERIOD: Duration = Duration::from_secs(60);

/// So many go in one transaction.
const BATCH: u64 = 500;

impl Events {
    pub(super) fn prune_by_period(&self, config: &Config, tasks: &Tasks) {
        let (events, config, stop) = (self.clone(), config.clone(), tasks.child());
        tasks.spawn("event pruning", async move {
            stop.run_until_cancelled(events.prune_for_ever(&config)).await;
        });
    }

    async fn prune_for_ever(&self, config: &Config) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            period.tick().await;
            let before = Timestamp::from(Timestamp::now().into_inner() - config.keep());
            match self.prune(before, config.keep_max.get()).await {
                Ok(0) => {}
                Ok(n_pruned) => tracing::debug!(n_pruned, "old events are forgotten"),
                Err(error) => {
                    let cause = log::chain(&error).to_string();
                    tracing::warn!("old events are kept, the next try is in a minute: {cause}");
                }
            }
        }
    }

    /// Forgets what happened before that moment and all but the newest `n_max`; says how many they were.
    ///
    /// # Cancellation
    /// What was forgotten is; the rest is there.
    pub(super) async fn prune(&self, before: Timestamp, n_max: u64) -> Result<u64, Error> {
        self.number().await?;
        let mut n_pruned = 0;
        loop {
            let extent = self.extent().await?;
            let n_gone = self.prune_batch(extent, before, n_max).await.map_err(Error::Prune)?;
            n_pruned += n_gone;
            if n_gone < BATCH {
                return Ok(n_pruned);
            }
        }
    }

    /// The oldest of those that are to go.
    async fn prune_batch(
        &self,
        extent: Extent,
        before: Timestamp,
        n_max: u64,
    ) -> Result<u64, DbErr> {
        let number = position::column(self.0.store.backend());
        let too_many = extent.last - i64::try_from(n_max).unwrap_or(i64::MAX);
        let transaction = self.0.store.begin().await?;
        let oldest: Vec<(i64, time::OffsetDateTime)> = row::Entity::find()
            .select_only()
            .columns([number, row::Column::At])
            // The last one says which number comes next.
            .filter(number.lt(extent.last))
            .order_by_asc(number)
            .limit(BATCH)
            .into_tuple()
            .all(&transaction)
            .await?;
        let goes = |(number, at): &(i64, time::OffsetDateTime)| {
            *number <= too_many || *at < before.into_inner()
        };
        let Some((last, _)) = oldest.iter().take_while(|event| goes(event)).last() else {
            transaction.rollback().await?;
            return Ok(0);
        };
        let deleted =
            row::Entity::delete_many().filter(number.lte(*last)).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected)
    }
}

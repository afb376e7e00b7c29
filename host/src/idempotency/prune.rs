//! Forgetting answers that no retry is given any more.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::{Attempts, Error, SHOWN_FOR};
use crate::log;
use crate::store::entity::idempotency as row;
use crate::timestamp::Timestamp;

/// How often it is looked for them: what is shown once is not to lie about for longer.
const PERIOD: Duration = Duration::from_secs(60);

/// So many go in one transaction: others want to write, too.
const BATCH: u64 = 500;

impl Attempts {
    /// From now on forgets what is older than the settings say, until the daemon ends.
    pub(crate) fn prune_by_period(&self) {
        let (attempts, stop) = (self.clone(), self.tasks.child());
        self.tasks.spawn("idempotency pruning", async move {
            stop.run_until_cancelled(attempts.prune_for_ever()).await;
        });
    }

    async fn prune_for_ever(&self) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unsealed_until = OffsetDateTime::UNIX_EPOCH;
        loop {
            period.tick().await;
            let now = Timestamp::now().into_inner();
            match self.prune(now, unsealed_until).await {
                Ok(()) => unsealed_until = now - SHOWN_FOR,
                Err(error) => {
                    let cause = log::chain(&error).to_string();
                    tracing::warn!("old answers are kept, the next try is in a minute: {cause}");
                }
            }
        }
    }

    /// Forgets what is too old at that moment; of what is shown once, that of answers after `since`.
    ///
    /// # Cancellation
    /// What was forgotten is; the rest is there.
    pub(super) async fn prune(
        &self,
        now: OffsetDateTime,
        since: OffsetDateTime,
    ) -> Result<(), Error> {
        self.forget_sealed(since, now - SHOWN_FOR).await.map_err(Error::Prune)?;
        while self.forget_batch(now - self.keep).await.map_err(Error::Prune)? == BATCH {}
        Ok(())
    }

    async fn forget_sealed(
        &self,
        since: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<(), DbErr> {
        let old = row::Entity::find()
            .filter(row::Column::CreatedAt.gte(since))
            .filter(row::Column::CreatedAt.lt(until))
            .filter(row::Column::Sealed.is_not_null())
            .limit(1);
        // Most often there is none, and a look costs nobody the right to write.
        if old.one(self.store.connection()).await?.is_none() {
            return Ok(());
        }
        let transaction = self.store.begin().await?;
        row::Entity::update_many()
            .col_expr(row::Column::Sealed, Expr::value(None::<String>))
            .filter(row::Column::CreatedAt.gte(since))
            .filter(row::Column::CreatedAt.lt(until))
            .filter(row::Column::Sealed.is_not_null())
            .exec(&transaction)
            .await?;
        transaction.commit().await
    }

    async fn forget_batch(&self, before: OffsetDateTime) -> Result<u64, DbErr> {
        let ids: Vec<String> = row::Entity::find()
            .select_only()
            .column(row::Column::Id)
            .filter(row::Column::CreatedAt.lt(before))
            .order_by_asc(row::Column::CreatedAt)
            .limit(BATCH)
            .into_tuple()
            .all(self.store.connection())
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let transaction = self.store.begin().await?;
        // One that was taken over meanwhile is new.
        let deleted = row::Entity::delete_many()
            .filter(row::Column::Id.is_in(&ids))
            .filter(row::Column::CreatedAt.lt(before))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        // Those that were taken over count as gone: the next batch does not find them.
        Ok(deleted.rows_affected.max(ids.len() as u64))
    }
}

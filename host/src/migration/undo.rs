//! Taking back what a rollout applied that did not come to serve, newest first.
//!
//! What undoes a step is in its row of the ledger, so neither the bundle nor the plugin is needed, and a
//! daemon that died in the middle goes on where it was. A step that cannot be undone stops it there: the
//! ledger stays true, and a version that has the same steps may still come to serve with them.

use packer::bundle::ElementName;
use sea_orm::DatabaseTransaction;

use super::chain;
use super::check::{self, Direction, World};
use super::ledger::{self, Applied, Ledger};
use super::plan::Plan;
use super::run::roll_back;
use super::schema::{self, Half};
use super::transaction::commit;
use super::{Error, Migrations, Progress, Tell, backfill};

impl Migrations {
    /// Takes back every step of the element that is not settled. Returns how many that were.
    ///
    /// # Errors
    /// Why a step could not be undone; it and those before it are still applied.
    pub(crate) async fn undo(&self, element: &ElementName, tell: Tell<'_>) -> Result<usize, Error> {
        let _held = self.locks.hold(element).await;
        let ledger = Ledger::read(self.store.connection(), element).await?;
        let mut n_undone = 0;
        for applied in ledger.unsettled() {
            self.undo_one(element, applied, tell).await?;
            n_undone += 1;
        }
        Ok(n_undone)
    }

    /// Takes back one step. Only the newest of an element may be.
    pub(super) async fn undo_one(
        &self,
        element: &ElementName,
        applied: &Applied,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        let (name, id) = (&*applied.name, applied.id);
        self.patiently(name, id, tell, || self.try_undo(element, applied)).await?;
        self.fences.refresh(element).await?;
        tell(Progress::Undone { name });
        tracing::info!(%element, migration = name, %id, "migration undone");
        Ok(())
    }

    async fn try_undo(&self, element: &ElementName, applied: &Applied) -> Result<(), Error> {
        let transaction = self.begin(element).await?;
        match self.undo_in(&transaction, element, applied).await {
            Ok(()) => Ok(commit(transaction).await?),
            Err(error) => {
                roll_back(transaction).await;
                Err(error)
            }
        }
    }

    async fn undo_in(
        &self,
        db: &DatabaseTransaction,
        element: &ElementName,
        applied: &Applied,
    ) -> Result<(), Error> {
        let ledger = Ledger::read(db, element).await?;
        if ledger.find(applied.id).is_none() {
            // Somebody has undone it meanwhile.
            return Ok(());
        }
        let Some(down) = &applied.down else {
            return self.undo_installation(db, element, applied, &ledger).await;
        };
        let mut world = self.world_of(db, element).await?;
        let effects = check_down(&mut world, applied, down)?;
        let author = chain::author(applied.id, &applied.name);
        let direction = Direction::Down;
        let half = Half { name: &applied.name, id: applied.id, author, direction };
        self.execute(db, element, half, down, &effects).await?;
        backfill::forget(db, applied.id).await?;
        Ok(ledger::remove(db, applied.id).await?)
    }

    /// A contract step that an installation ran and that cannot be undone. If nothing of the element ever
    /// served, nobody can have written anything: everything it made goes.
    async fn undo_installation(
        &self,
        db: &DatabaseTransaction,
        element: &ElementName,
        applied: &Applied,
        ledger: &Ledger,
    ) -> Result<(), Error> {
        if ledger.has_settled() {
            return Err(Error::NoDown { name: applied.name.clone(), id: applied.id });
        }
        self.drop_tables(db, element).await?;
        backfill::forget_all(db, element).await?;
        Ok(ledger::forget(db, element).await?)
    }

    /// The statements that undo what is left behind must be allowed too.
    pub(super) fn check_undo(&self, plan: &Plan, world: &mut World) -> Result<(), Error> {
        for applied in &plan.undo {
            match &applied.down {
                Some(down) => check_down(world, applied, down).map(|_effects| ())?,
                None => world.drop_own(),
            }
        }
        Ok(())
    }

    /// The world of an element whose types are not known: its tables tell what their names begin with.
    async fn world_of(
        &self,
        db: &DatabaseTransaction,
        element: &ElementName,
    ) -> Result<World, Error> {
        let tables = ledger::tables_of(db, element).await?;
        let slugs: Vec<_> = tables
            .iter()
            .filter_map(|table| table.split_once('_'))
            .map(|(slug, _rest)| slug.to_owned())
            .collect();
        schema::world(db, self.store.backend(), element, &slugs).await
    }
}

fn check_down(
    world: &mut World,
    applied: &Applied,
    down: &[String],
) -> Result<Vec<check::Effect>, Error> {
    let author = chain::author(applied.id, &applied.name);
    check::check_down(world, down, author).map_err(|(number, reason)| {
        let (name, id) = (applied.name.clone(), applied.id);
        Error::DownRefused { name, id, number, reason }
    })
}

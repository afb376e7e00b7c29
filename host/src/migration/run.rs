//! Applying a plan: each step in a transaction of its own, with its row of the ledger, the tables it made and
//! the rights on them.
//!
//! A step is checked again in its transaction, against the tables that there are then. What a rollout applies
//! is *unsettled* until it comes to serve; what fails leaves the steps before it, which `undo` takes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use packer::bundle::ElementName;
use sea_orm::DatabaseTransaction;

use super::chain::{Author, Chain, Migration};
use super::check::{self, Direction};
use super::ledger::{self, Applied, Ledger, Rollback, Standing};
use super::plan::{self, Plan, PlanError, Step};
use super::schema::{self, Half, is_busy};
use super::transaction::commit;
use super::{Error, Migrations, Progress, Tell, backfill, fields, phase_word};
use crate::plugin::ProbedPlugin;
use crate::store::Transaction;
use crate::timestamp::Timestamp;

/// How long to leave a table alone before it is asked for again; doubled each time.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A plugin whose schema is what its code needs. Nothing else makes one.
#[derive(Debug, Clone)]
pub(crate) struct MigratedPlugin {
    plugin: ProbedPlugin,
    chain: Arc<Chain>,
}

impl MigratedPlugin {
    /// The plugin.
    pub(crate) fn probed(&self) -> &ProbedPlugin {
        &self.plugin
    }

    /// Its migrations.
    pub(crate) fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Whether any of its migrations is filled in by the plugin.
    pub(crate) fn has_backfills(&self) -> bool {
        self.chain.migrations().iter().any(|migration| migration.backfill.is_some())
    }
}

impl Migrations {
    /// Plans what `plugin` needs before it can serve, and checks every statement of it, those of the contract
    /// steps that are still to come included. `before` is the chain of the version that serves, or that would
    /// be returned to. Changes nothing.
    ///
    /// # Errors
    /// Why it cannot come to serve.
    pub(crate) async fn plan(
        &self,
        plugin: &ProbedPlugin,
        before: Option<&Chain>,
    ) -> Result<Plan, Error> {
        let target = Arc::new(Chain::of(&plugin.descriptor(), self.store.backend())?);
        self.plan_chain(&target, before).await
    }

    /// As [`Self::plan`], for a chain.
    ///
    /// # Errors
    /// Why it cannot come to serve.
    pub(crate) async fn plan_chain(
        &self,
        target: &Arc<Chain>,
        before: Option<&Chain>,
    ) -> Result<Plan, Error> {
        let ledger = Ledger::read(self.store.connection(), target.element()).await?;
        let plan = plan::plan(target, before, &ledger)?;
        self.check(&plan).await?;
        Ok(plan)
    }

    async fn check(&self, plan: &Plan) -> Result<(), Error> {
        let (db, target) = (self.store.connection(), &plan.target);
        let all: Vec<_> = plan.steps().chain(&plan.pending_contract).cloned().collect();
        if all.is_empty() {
            return Ok(());
        }
        self.fences.can_make_roles().await?;
        let world = schema::world(db, self.store.backend(), target.element(), target.slugs());
        let mut world = world.await?;
        self.check_undo(plan, &mut world)?;
        for Step { migration, version: _ } in all {
            check_taken(db, target.element(), &migration).await?;
            check::check(&mut world, &migration, Direction::Up)?;
            if migration.down.is_some() {
                // What undoes it is run right after it, or not at all.
                check::check(&mut world.clone(), &migration, Direction::Down)?;
            }
        }
        Ok(())
    }

    /// Brings the schema to where `plugin` needs it: plans, checks and runs everything before the switch.
    /// `before` is the version that serves, or that would be returned to. What is applied is unsettled: see
    /// [`Self::settle`].
    ///
    /// # Errors
    /// Why a step was not run, or which field has no column after all were. It left nothing; those before it are applied, and [`Self::undo`] takes them
    /// back.
    ///
    /// # Cancellation
    /// A step is applied or it is not.
    pub(crate) async fn migrate(
        &self,
        plugin: ProbedPlugin,
        before: Option<&Chain>,
        tell: Tell<'_>,
    ) -> Result<MigratedPlugin, Error> {
        let plan = self.plan(&plugin, before).await?;
        self.run(&plan, tell).await?;
        fields::check(self.store.connection(), &plugin.descriptor()).await?;
        Ok(MigratedPlugin { plugin, chain: plan.target })
    }

    /// Runs a plan.
    pub(super) async fn run(&self, plan: &Plan, tell: Tell<'_>) -> Result<(), Error> {
        if plan.is_empty() {
            return Ok(());
        }
        let Plan { target, undo, contract_first, expand, pending_contract: _, refill } = plan;
        let element = target.element();
        let _held = self.locks.hold(element).await;
        for applied in undo {
            self.undo_one(element, applied, tell).await?;
        }
        for step in contract_first {
            self.apply(target, step, Standing::Settled, tell).await?;
        }
        for step in expand {
            self.apply(target, step, Standing::Unsettled, tell).await?;
        }
        Ok(backfill::begin_anew(self.store.connection(), element, refill).await?)
    }

    /// Runs the contract steps of the version that serves. There is no way back to the versions before it
    /// afterwards.
    ///
    /// # Errors
    /// Why a step failed; those before it are applied.
    pub(crate) async fn finalize(
        &self,
        serving: &Arc<Chain>,
        tell: Tell<'_>,
    ) -> Result<Plan, Error> {
        let ledger = Ledger::read(self.store.connection(), serving.element()).await?;
        let plan = plan::finalize(serving, &ledger)?;
        self.check(&plan).await?;
        self.run(&plan, tell).await?;
        Ok(plan)
    }

    /// Notes that a rollout comes to serve: what it applied stays from now on, whatever happens. Called
    /// *before* the switch, because the first request after it may write what nobody may take back.
    ///
    /// # Errors
    /// When the ledger cannot be written; then nothing is settled.
    pub(crate) async fn settle(&self, element: &ElementName) -> Result<(), Error> {
        let _held = self.locks.hold(element).await;
        let transaction = self.begin(element).await?;
        ledger::settle(&transaction, element).await?;
        Ok(commit(transaction).await?)
    }

    /// Whether there is a way back to `version`, as far as the schema goes.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) async fn rollback(
        &self,
        element: &ElementName,
        version: &semver::Version,
    ) -> Result<Rollback, Error> {
        Ok(Ledger::read(self.store.connection(), element).await?.rollback(version))
    }

    async fn apply(
        &self,
        target: &Chain,
        step: &Step,
        standing: Standing,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        let element = target.element();
        let (name, id) = (&*step.migration.name, step.migration.id);
        let began = Instant::now();
        self.patiently(name, id, tell, || self.try_apply(target, step, standing)).await?;
        self.fences.refresh(element).await?;
        let duration_ms = milliseconds(began);
        let phase = phase_word(step.migration.phase);
        tell(Progress::Applied { name, phase, duration_ms });
        let version = &step.version;
        tracing::info!(%element, %version, migration = name, %id, phase, duration_ms, "migrated");
        Ok(())
    }

    /// Does again what failed because somebody was in the way.
    pub(super) async fn patiently<F: Future<Output = Result<(), Error>>>(
        &self,
        name: &str,
        id: super::MigrationId,
        tell: Tell<'_>,
        attempt: impl Fn() -> F,
    ) -> Result<(), Error> {
        let mut back_off = BACK_OFF;
        for n_attempts in 1.. {
            match attempt().await {
                Err(error) if is_busy(&error) => {}
                other => return other,
            }
            if n_attempts >= self.config.lock_attempts.get() {
                let (name, wait_ms) = (name.to_owned(), self.config.lock_wait_ms.get());
                return Err(Error::Blocked { name, id, n_attempts, wait_ms });
            }
            tell(Progress::Waiting { name, n_attempts });
            tokio::time::sleep(back_off).await;
            back_off *= 2;
        }
        Ok(())
    }

    async fn try_apply(
        &self,
        target: &Chain,
        step: &Step,
        standing: Standing,
    ) -> Result<(), Error> {
        let transaction = self.begin(target.element()).await?;
        match self.apply_in(&transaction, target, step, standing).await {
            Ok(()) => Ok(commit(transaction).await?),
            Err(error) => {
                roll_back(transaction).await;
                Err(error)
            }
        }
    }

    async fn apply_in(
        &self,
        db: &DatabaseTransaction,
        target: &Chain,
        step: &Step,
        standing: Standing,
    ) -> Result<(), Error> {
        let Step { migration, version } = step;
        let element = target.element();
        let began = Instant::now();
        let ledger = Ledger::read(db, element).await?;
        if let Some(applied) = ledger.find(migration.id) {
            return is_the_same(applied, migration, target).map_err(Error::from);
        }
        check_taken(db, element, migration).await?;
        let backend = self.store.backend();
        let mut world = schema::world(db, backend, element, target.slugs()).await?;
        let effects = check::check(&mut world, migration, Direction::Up)?;
        let half = Half::of(migration, Direction::Up);
        self.execute(db, element, half, &migration.up, &effects).await?;
        if migration.backfill.is_some() {
            backfill::expect(db, element, migration.id).await?;
        }
        let applied = Applied {
            id: migration.id,
            name: migration.name.clone(),
            checksum: migration.checksum.clone(),
            phase: migration.phase,
            version: version.clone(),
            applied_at: Timestamp::now().into_inner(),
            duration_ms: milliseconds(began),
            position: ledger.next_position(),
            standing,
            down: migration.down.clone(),
        };
        Ok(ledger::add(db, element, &applied).await?)
    }
}

/// Somebody has applied it meanwhile: it must have been this one.
fn is_the_same(
    applied: &Applied,
    migration: &Migration,
    target: &Chain,
) -> Result<(), Box<PlanError>> {
    if applied.checksum == migration.checksum {
        return Ok(());
    }
    Err(Box::new(PlanError::changed(migration, applied, target.version())))
}

/// No two elements may have applied one id.
async fn check_taken(
    db: &impl sea_orm::ConnectionTrait,
    element: &ElementName,
    migration: &Migration,
) -> Result<(), Error> {
    if migration.author == Author::Host {
        // Its table is told instead: ids of the host's follow from that.
        return Ok(());
    }
    match ledger::owner_of(db, migration.id).await? {
        Some(owner) if owner != element.as_str() => {
            Err(Error::Taken { name: migration.name.clone(), id: migration.id, owner })
        }
        Some(_own) => Ok(()),
        None => Ok(()),
    }
}

/// What the transaction did is lost whether or not the database hears of it.
pub(super) async fn roll_back(transaction: Transaction) {
    if let Err(error) = transaction.rollback().await {
        let error = crate::log::chain(&error).to_string();
        tracing::warn!(error, "a migration's transaction was not rolled back in order");
    }
}

pub(super) fn milliseconds(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)
}

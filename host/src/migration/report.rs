//! What a schema is and what would become of it, as documents of the API.
//!
//! Plain data, made from a chain, a plan and the ledger; nothing here decides anything.

use packer::bundle::ElementName;
use schemars::JsonSchema;
use semver::Version;
use serde::Serialize;

use super::chain::{Chain, Migration};
use super::ledger::{Applied, Ledger, Rollback, Standing};
use super::plan::{Plan, Step};
use super::{Error, Migrations, backfill, phase_word};
use crate::store::entity::backfill as backfill_row;
use crate::timestamp::Timestamp;

/// The migrations of an element, those that are applied and those that are not.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ElementMigrations")]
pub(crate) struct Status {
    /// Which element.
    pub(crate) element: String,
    /// The version whose chain this is, if one serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Its tables.
    pub(crate) tables: Vec<String>,
    /// In the order in which they were applied; then those that are not.
    pub(crate) migrations: Vec<MigrationStatus>,
}

/// How a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(rename = "MigrationState")]
pub(crate) enum State {
    /// It is applied and stays.
    Applied,
    /// It is applied and is undone if its rollout does not come to serve.
    Unsettled,
    /// It is not applied.
    Pending,
    /// It is not applied; `finalize` or the next version applies it.
    ContractPending,
    /// It was changed after it was applied.
    Changed,
    /// It is applied and the version that serves does not have it: a newer one brought it.
    AppliedByNewer,
}

/// One migration.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Migration")]
pub(crate) struct MigrationStatus {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// `expand` or `contract`.
    pub(crate) phase: &'static str,
    /// How it stands.
    pub(crate) state: State,
    /// Of what was applied, or would be.
    pub(crate) checksum: String,
    /// The version that applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) applied_at: Option<Timestamp>,
    /// How long that took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<i64>,
    /// How far its backfill is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backfill: Option<Backfill>,
}

/// How far a backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Backfill {
    /// It is to be done.
    Pending,
    /// The rows that were there are filled in.
    Filled,
    /// And those that the code before wrote meanwhile.
    Done,
}

/// What a rollout to a version would do to the schema.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ElementPlan")]
pub(crate) struct PlanDocument {
    /// Which element.
    pub(crate) element: String,
    /// The version that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The version that is wanted.
    pub(crate) to: String,
    /// `sqlite` or `postgres`: whose statements these are.
    pub(crate) database: &'static str,
    /// What is done, in order.
    pub(crate) steps: Vec<StepDocument>,
    /// What waits for `finalize`.
    pub(crate) contract_pending: Vec<StepDocument>,
    /// Whether the version that serves now can be returned to afterwards.
    pub(crate) rollback_available: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rollback_reason: Option<String>,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PlanStage")]
pub(crate) enum Stage {
    /// It takes back what a failed rollout left.
    Undo,
    /// It ends what the version before began.
    ContractFirst,
    /// The wanted version needs it.
    Expand,
    /// It waits.
    ContractPending,
}

/// A step of a plan.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PlanStep")]
pub(crate) struct StepDocument {
    /// What it is for.
    pub(crate) stage: Stage,
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// `expand` or `contract`.
    pub(crate) phase: &'static str,
    /// The version that it is of.
    pub(crate) version: String,
    /// What is run.
    pub(crate) sql: Vec<String>,
    /// What would undo it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) down: Option<Vec<String>>,
    /// The hook that fills in what it adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backfill: Option<String>,
}

impl Migrations {
    /// How the migrations of an element stand; `serving` is the chain of the version that serves.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) async fn status(
        &self,
        element: &ElementName,
        serving: Option<&Chain>,
    ) -> Result<Status, Error> {
        let db = self.store.connection();
        let ledger = Ledger::read(db, element).await?;
        let backfills = backfill::all(db, element).await?;
        let applied = ledger.applied().iter().map(|applied| {
            let known = serving.map(|chain| chain.find(applied.id));
            of_applied(applied, known.map(|known| known.map(|known| &**known)), &backfills)
        });
        let pending = serving.into_iter().flat_map(Chain::migrations);
        let pending = pending.filter(|migration| ledger.find(migration.id).is_none());
        Ok(Status {
            element: element.to_string(),
            version: serving.map(|chain| chain.version().to_string()),
            tables: super::ledger::tables_of(db, element).await?,
            migrations: applied.chain(pending.map(|migration| of_pending(migration))).collect(),
        })
    }

    /// What a plan would do, in a document.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) async fn document(
        &self,
        plan: &Plan,
        serving: Option<&Version>,
    ) -> Result<PlanDocument, Error> {
        let ledger = Ledger::read(self.store.connection(), plan.target.element()).await?;
        Ok(document(plan, serving, &ledger))
    }
}

/// `known` is the same migration of the chain that serves, or `None` when nothing serves.
fn of_applied(
    applied: &Applied,
    known: Option<Option<&Migration>>,
    backfills: &[backfill_row::Model],
) -> MigrationStatus {
    let state = match (known, applied.standing) {
        (Some(Some(known)), _any) if known.checksum != applied.checksum => State::Changed,
        (_any, Standing::Unsettled) => State::Unsettled,
        (Some(None), Standing::Settled) => State::AppliedByNewer,
        (Some(Some(_)) | None, Standing::Settled) => State::Applied,
    };
    let id = applied.id.to_string();
    let backfill = backfills.iter().find(|row| row.migration_id == id);
    let backfill = backfill.map(|row| match (row.done, row.swept) {
        (true, true) => Backfill::Done,
        (true, false) => Backfill::Filled,
        (false, _any) => Backfill::Pending,
    });
    MigrationStatus {
        id,
        name: applied.name.clone(),
        phase: phase_word(applied.phase),
        state,
        checksum: applied.checksum.to_string(),
        version: Some(applied.version.to_string()),
        applied_at: Some(applied.applied_at.into()),
        duration_ms: Some(applied.duration_ms),
        backfill,
    }
}

fn of_pending(migration: &Migration) -> MigrationStatus {
    use plugin_abi::descriptor::Phase;
    MigrationStatus {
        id: migration.id.to_string(),
        name: migration.name.clone(),
        phase: phase_word(migration.phase),
        state: match migration.phase {
            Phase::Expand => State::Pending,
            Phase::Contract => State::ContractPending,
        },
        checksum: migration.checksum.to_string(),
        version: None,
        applied_at: None,
        duration_ms: None,
        backfill: None,
    }
}

/// What a plan would do.
fn document(plan: &Plan, serving: Option<&Version>, ledger: &Ledger) -> PlanDocument {
    let Plan { target, undo, contract_first, expand, pending_contract, refill: _ } = plan;
    let of = |stage| move |step: &Step| of_step(stage, step);
    let steps = undo.iter().map(of_undone);
    let steps = steps.chain(contract_first.iter().map(of(Stage::ContractFirst)));
    let steps = steps.chain(expand.iter().map(of(Stage::Expand)));
    let rollback = serving.map_or(Rollback::Available, |serving| plan.rollback(ledger, serving));
    PlanDocument {
        element: target.element().to_string(),
        from: serving.map(ToString::to_string),
        to: target.version().to_string(),
        database: match target.backend() {
            crate::store::Backend::Sqlite => "sqlite",
            crate::store::Backend::Postgres => "postgres",
        },
        steps: steps.collect(),
        contract_pending: pending_contract.iter().map(of(Stage::ContractPending)).collect(),
        rollback_available: rollback == Rollback::Available,
        rollback_reason: rollback.reason(),
    }
}

fn of_step(stage: Stage, step: &Step) -> StepDocument {
    let Step { migration, version } = step;
    StepDocument {
        stage,
        id: migration.id.to_string(),
        name: migration.name.clone(),
        phase: phase_word(migration.phase),
        version: version.to_string(),
        sql: migration.up.clone(),
        down: migration.down.clone(),
        backfill: migration.backfill.clone(),
    }
}

fn of_undone(applied: &Applied) -> StepDocument {
    StepDocument {
        stage: Stage::Undo,
        id: applied.id.to_string(),
        name: applied.name.clone(),
        phase: phase_word(applied.phase),
        version: applied.version.to_string(),
        sql: applied.down.clone().unwrap_or_default(),
        down: None,
        backfill: None,
    }
}

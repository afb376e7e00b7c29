//! What a rollout does to the schema: from what is applied to what a version needs. Pure.
//!
//! A plan is made from the chain of the version that is wanted, the chain of the one that served before,
//! and the ledger. Rules:
//!
//! - What a failed rollout left and the wanted version does not know is undone first, newest first.
//! - Going forward, contract steps of the version before are run first: from now on nobody returns to what
//!   came before *it*. Its own contract steps wait for `finalize`, or for the next version.
//! - Every expand step that is not applied is run, each after what it depends on. Where nothing serves, the
//!   contract steps among those are run in their place; over data of an earlier time, what comes up to the
//!   last of them is not taken back.
//! - A migration is never run twice, and one that was changed after it was applied is refused by name.
//! - What the ledger has and the chain does not know was brought by a newer version: expand steps stay, and
//!   a contract step means that there is no way back.

use std::collections::BTreeSet;
use std::sync::Arc;

use plugin_abi::descriptor::Phase;
use semver::Version;

use super::chain::{self, Author, Chain, Migration, MigrationId};
use super::ledger::{Applied, Ledger, Rollback, Standing};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The chain of the version that is wanted.
    pub(crate) target: Arc<Chain>,
    /// What a rollout that failed left behind, newest first.
    pub(crate) undo: Vec<Applied>,
    /// What is run first and never taken back: the contract steps of the version before.
    pub(crate) contract_first: Vec<Step>,
    /// What the wanted version needs before it can serve.
    pub(crate) expand: Vec<Step>,
    /// The contract steps that wait for `finalize`.
    pub(crate) pending_contract: Vec<Step>,
    /// Migrations whose backfill begins anew, because code that does not know them served meanwhile.
    pub(crate) refill: Vec<MigrationId>,
}

/// A migration to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What is run.
    pub(crate) migration: Arc<Migration>,
    /// The version that it is run for.
    pub(crate) version: Version,
}

/// Why a version cannot be brought to serve with the schema as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// A migration was changed after it was applied.
    #[error(
        "migration `{name}` ({id}) is not what was applied by {applied_by}{}: {applied} was applied and {wanted_by} has {wanted}; migrations never change, so add a new one",
        renamed(name, applied_name)
    )]
    Changed {
        /// What it is called now.
        name: String,
        /// Its id.
        id: MigrationId,
        /// What it was called.
        applied_name: String,
        /// The version that applied it.
        applied_by: Version,
        /// What was applied.
        applied: String,
        /// The version that has it changed.
        wanted_by: Version,
        /// What it is now.
        wanted: String,
    },
    /// A contract step of a newer version is applied.
    #[error(
        "there is no way back to {target}: contract migration `{name}` ({id}) of {version} is applied, and the schema suits the older code no more; go forward, or restore a backup"
    )]
    ContractApplied {
        /// The version that is wanted.
        target: Version,
        /// The step.
        name: String,
        /// Its id.
        id: MigrationId,
        /// Who brought it.
        version: Version,
    },
    /// A migration that an older version applied is not there any more.
    #[error(
        "migration `{name}` ({id}), applied by {version}, is not among the migrations of {target}; keep every migration that was ever released"
    )]
    Lost {
        /// The version that is wanted.
        target: Version,
        /// The migration.
        name: String,
        /// Its id.
        id: MigrationId,
        /// Who brought it.
        version: Version,
    },
    /// A contract step would be run under code that it does not suit.
    #[error(
        "migration `{name}` ({id}) of {target} needs contract migration `{contract}` ({contract_id}), which the version that serves, {serving}, does not have; install the version that brought it first"
    )]
    Skipped {
        /// The version that is wanted.
        target: Version,
        /// The version that serves.
        serving: Version,
        /// What needs it.
        name: String,
        /// Its id.
        id: MigrationId,
        /// What is needed.
        contract: String,
        /// Its id.
        contract_id: MigrationId,
    },
}

impl PlanError {
    /// `migration` of `wanted_by` is not what was applied.
    pub(super) fn changed(migration: &Migration, applied: &Applied, wanted_by: &Version) -> Self {
        Self::Changed {
            name: migration.name.clone(),
            id: migration.id,
            applied_name: applied.name.clone(),
            applied_by: applied.version.clone(),
            applied: applied.checksum.to_string(),
            wanted_by: wanted_by.clone(),
            wanted: migration.checksum.to_string(),
        }
    }
}

fn renamed(name: &str, applied_name: &str) -> String {
    if name == applied_name { String::new() } else { format!(" as `{applied_name}`") }
}

/// Plans the way to `target`. `before` is the version that serves, or would be returned to.
///
/// # Errors
/// Why there is none.
pub(crate) fn plan(
    target: &Arc<Chain>,
    before: Option<&Chain>,
    ledger: &Ledger,
) -> Result<Plan, Box<PlanError>> {
    let undo = left_behind(target, ledger);
    let is_undone = |id: MigrationId| undo.iter().any(|applied| applied.id == id);
    let stays: Vec<_> = ledger.applied().iter().filter(|applied| !is_undone(applied.id)).collect();
    check_applied(target, &stays)?;
    let mut done: BTreeSet<_> = stays.iter().map(|applied| applied.id).collect();

    let mut contract_first = contract_of(before, target, &mut done);
    let (mut expand, pending_contract) = match before {
        None => install(target, &mut done),
        Some(before) => upgrade(target, before, &mut done)?,
    };
    if stays.iter().any(|applied| applied.standing == Standing::Settled) {
        let last = expand.iter().rposition(|step| step.migration.phase == Phase::Contract);
        contract_first.extend(expand.drain(..last.map_or(0, |last| last + 1)));
    }
    let refill = refill(target, before, &stays);
    let target = Arc::clone(target);
    Ok(Plan { target, undo, contract_first, expand, pending_contract, refill })
}

/// Plans what `finalize` runs: every contract step of the version that serves.
///
/// # Errors
/// Why it cannot.
pub(crate) fn finalize(serving: &Arc<Chain>, ledger: &Ledger) -> Result<Plan, Box<PlanError>> {
    let plan = plan(serving, Some(serving), ledger)?;
    let Plan { target, undo, contract_first, expand, pending_contract, refill } = plan;
    let mut contract_first = contract_first;
    contract_first.extend(pending_contract);
    Ok(Plan { target, undo, contract_first, expand, pending_contract: Vec::new(), refill })
}

/// What is not settled and the target does not have, and whatever came after it, newest first.
fn left_behind(target: &Chain, ledger: &Ledger) -> Vec<Applied> {
    let is_known = |applied: &Applied| {
        target.find(applied.id).is_some_and(|known| known.checksum == applied.checksum)
    };
    let unsettled: Vec<_> = ledger.unsettled().cloned().collect();
    let n = unsettled.iter().rposition(|applied| !is_known(applied)).map_or(0, |last| last + 1);
    unsettled.into_iter().take(n).collect()
}

/// What is applied must be what the target has, or a newer version's expand step.
fn check_applied(target: &Chain, stays: &[&Applied]) -> Result<(), Box<PlanError>> {
    for applied in stays {
        match target.find(applied.id) {
            Some(known) if known.checksum == applied.checksum => {}
            Some(known) => {
                return Err(Box::new(PlanError::changed(known, applied, target.version())));
            }
            None => check_unknown(target, applied)?,
        }
    }
    Ok(())
}

fn check_unknown(target: &Chain, applied: &Applied) -> Result<(), Box<PlanError>> {
    let (name, id, version) = (applied.name.clone(), applied.id, applied.version.clone());
    let target = target.version().clone();
    if chain::author(id, &name) == Author::Host {
        // The table of a resource that is not declared any more: its rows stay until the element is purged.
        return Ok(());
    }
    if applied.version <= target {
        return Err(Box::new(PlanError::Lost { target, name, id, version }));
    }
    match applied.phase {
        Phase::Expand => Ok(()),
        Phase::Contract => Err(Box::new(PlanError::ContractApplied { target, name, id, version })),
    }
}

/// The contract steps of the version before, when the way leads forward and the target has them too.
fn contract_of(
    before: Option<&Chain>,
    target: &Chain,
    done: &mut BTreeSet<MigrationId>,
) -> Vec<Step> {
    let Some(before) = before.filter(|before| before.version() < target.version()) else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    for migration in before.migrations() {
        let is_due = migration.phase == Phase::Contract
            && target.find(migration.id).is_some_and(|known| known.checksum == migration.checksum)
            && migration.depends_on.iter().all(|dependency| done.contains(dependency));
        if is_due && done.insert(migration.id) {
            let (migration, version) = (Arc::clone(migration), before.version().clone());
            steps.push(Step { migration, version });
        }
    }
    steps
}

/// Nothing serves: every expand step with all that it depends on, in the chain's order.
fn install(target: &Chain, done: &mut BTreeSet<MigrationId>) -> (Vec<Step>, Vec<Step>) {
    let mut needed = BTreeSet::new();
    for migration in target.migrations().iter().rev() {
        if migration.phase == Phase::Expand || needed.contains(&migration.id) {
            needed.insert(migration.id);
            needed.extend(migration.depends_on.iter().copied());
        }
    }
    let mut expand = Vec::new();
    let mut pending = Vec::new();
    for migration in target.migrations() {
        if needed.contains(&migration.id) {
            if done.insert(migration.id) {
                expand.push(step(target, migration));
            }
        } else if !done.contains(&migration.id) {
            pending.push(step(target, migration));
        }
    }
    (expand, pending)
}

/// Something serves: expand steps alone, and none that needs a contract step which is not applied.
fn upgrade(
    target: &Chain,
    before: &Chain,
    done: &mut BTreeSet<MigrationId>,
) -> Result<(Vec<Step>, Vec<Step>), Box<PlanError>> {
    let mut expand = Vec::new();
    let mut pending = Vec::new();
    for migration in target.migrations() {
        match migration.phase {
            _any if done.contains(&migration.id) => {}
            Phase::Contract => pending.push(step(target, migration)),
            Phase::Expand => {
                let missing =
                    migration.depends_on.iter().find(|dependency| !done.contains(dependency));
                if let Some(contract) = missing.and_then(|id| target.find(*id)) {
                    return Err(Box::new(PlanError::Skipped {
                        target: target.version().clone(),
                        serving: before.version().clone(),
                        name: migration.name.clone(),
                        id: migration.id,
                        contract: contract.name.clone(),
                        contract_id: contract.id,
                    }));
                }
                done.insert(migration.id);
                expand.push(step(target, migration));
            }
        }
    }
    Ok((expand, pending))
}

fn step(chain: &Chain, migration: &Arc<Migration>) -> Step {
    Step { migration: Arc::clone(migration), version: chain.version().clone() }
}

/// Backfills of what stays applied and the version before does not know: it wrote rows without it.
fn refill(target: &Chain, before: Option<&Chain>, stays: &[&Applied]) -> Vec<MigrationId> {
    let Some(before) = before else { return Vec::new() };
    let is_due = |migration: &&Arc<Migration>| {
        migration.backfill.is_some()
            && before.find(migration.id).is_none()
            && stays
                .iter()
                .any(|applied| applied.id == migration.id && applied.standing == Standing::Settled)
    };
    target.migrations().iter().filter(is_due).map(|migration| migration.id).collect()
}

impl Plan {
    /// Everything that is run now, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.contract_first.iter().chain(&self.expand)
    }

    /// Whether there is nothing to be done before the version can serve.
    pub(crate) fn is_empty(&self) -> bool {
        self.undo.is_empty()
            && self.contract_first.is_empty()
            && self.expand.is_empty()
            && self.refill.is_empty()
    }

    /// Whether a version can be returned to once the plan has been run.
    pub(crate) fn rollback(&self, ledger: &Ledger, to: &Version) -> Rollback {
        let contract = self
            .contract_first
            .iter()
            .chain(&self.expand)
            .find(|step| step.migration.phase == Phase::Contract && step.version > *to);
        match contract {
            None => ledger.rollback(to),
            Some(step) => Rollback::ContractApplied {
                name: step.migration.name.clone(),
                id: step.migration.id,
                version: step.version.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests;

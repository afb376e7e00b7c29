//! The schema of plugins: planned, checked, run and undone as data, without running any plugin's code.
//!
//! In reading order: a descriptor's migrations become a [`Chain`]; what is applied is the [`ledger`]; a
//! [`plan`] says what a version needs; `check` reads every statement and explains what it refuses; `run`
//! applies steps in a transaction each, `undo` takes back those of a rollout that failed; `backfill` has the
//! plugin fill in what a step added; `purge` drops what an element owned; [`report`] shows all of it.
//!
//! Guarantees: the ledger says what the schema is, because both change in one transaction; nothing is run
//! that was not checked against every table there is; before the switch every step suits the old code and
//! can be undone. Not here: when a rollout does which of these (`rollout`), and what keeps a running plugin
//! off other tables (`store::fence`).

use plugin_abi::descriptor::Phase;

pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod checksum;
pub(crate) mod ledger;
pub(crate) mod plan;

pub(crate) use chain::{Chain, ChainError, MigrationId};
pub(crate) use ledger::Rollback;
pub(crate) use plan::{Plan, PlanError};

/// How a phase is written, in the ledger and in documents.
pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expand",
        Phase::Contract => "contract",
    }
}

//! The schema of plugins: planned, checked, run and undone as data, without running any plugin's code.
//!
//! In reading order: a descriptor's migrations become a [`Chain`]; what is applied is the [`ledger`]; a
//! [`plan`] says what a version needs; [`check`] reads every statement and explains what it refuses;
//! [`run`] applies steps in a transaction each; `undo` takes back those of a rollout that failed; [`backfill`]
//! has the plugin fill in what a step added; `purge` drops what an element owned; [`report`] shows it all;
//! [`wanted`] tells authors what their declared fields lack.
//!
//! Guarantees: the ledger says what the schema is, because both change in one transaction; nothing is run
//! that was not checked against every table there is; before the switch every step suits the old code and
//! can be undone; one element's schema is changed by one at a time. Not here: when a rollout does which of
//! these (`rollout`), and what keeps a running plugin off other tables (`store::fence`).

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use packer::bundle::ElementName;
use plugin_abi::descriptor::Phase;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use crate::store::Store;
use crate::store::fence::Fences;

pub(crate) mod backfill;
pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod checksum;
mod error;
mod fields;
pub(crate) mod ledger;
pub(crate) mod plan;
mod progress;
mod purge;
pub(crate) mod report;
pub(crate) mod run;
mod schema;
mod transaction;
mod undo;
pub(crate) mod wanted;
mod witness;

pub(crate) use chain::{Chain, MigrationId};
pub(crate) use error::Error;
pub(crate) use ledger::Rollback;
pub(crate) use progress::{Progress, Tell};
pub(crate) use run::MigratedPlugin;

/// The limits of migrations. None may be 0, which a database would take for no limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How long a step waits for what a request holds; requests that come meanwhile wait behind it.
    pub(crate) lock_wait_ms: NonZeroU64,
    /// How often a step that waited in vain is tried.
    pub(crate) lock_attempts: NonZeroU32,
    /// How long one statement may take.
    pub(crate) statement_limit_ms: NonZeroU64,
    /// How long a plugin may take over one batch of a backfill.
    pub(crate) backfill_limit_ms: NonZeroU64,
    /// How often in a row a batch may fail.
    pub(crate) backfill_attempts: NonZeroU32,
    /// How long a plugin is left alone after a batch failed; doubled each time.
    pub(crate) backfill_back_off_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        const FIVE: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");
        const fn seconds(seconds: u64) -> NonZeroU64 {
            NonZeroU64::new(seconds * 1_000).expect("no default is 0")
        }
        Self {
            lock_wait_ms: seconds(1),
            lock_attempts: FIVE,
            statement_limit_ms: seconds(60),
            backfill_limit_ms: seconds(30),
            backfill_attempts: FIVE,
            backfill_back_off_ms: 200,
        }
    }
}

impl Config {
    fn statement_limit(&self) -> Duration {
        Duration::from_millis(self.statement_limit_ms.get())
    }

    fn backfill_back_off(&self) -> Duration {
        Duration::from_millis(self.backfill_back_off_ms)
    }

    fn backfill_limit(&self) -> Duration {
        Duration::from_millis(self.backfill_limit_ms.get())
    }
}

/// The schemas of all elements. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Migrations {
    store: Store,
    fences: Fences,
    config: Config,
    locks: Locks,
}

impl Migrations {
    /// The schemas in `store`. Nothing is read yet.
    pub(crate) fn new(store: Store, fences: Fences, config: Config) -> Self {
        Self { store, fences, config, locks: Locks::default() }
    }

    /// Which database it is.
    pub(crate) fn backend(&self) -> crate::store::Backend {
        self.store.backend()
    }
}

/// One lock for each element: whoever changes its schema holds it from the first step to the last.
#[derive(Debug, Clone, Default)]
struct Locks {
    all: Arc<Mutex<HashMap<ElementName, Arc<tokio::sync::Mutex<()>>>>>,
}

impl Locks {
    async fn hold(&self, element: &ElementName) -> OwnedMutexGuard<()> {
        let lock = {
            let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(element.clone()).or_default())
        };
        lock.lock_owned().await
    }
}

/// How a phase is written, in the ledger and in documents.
pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expand",
        Phase::Contract => "contract",
    }
}

#[cfg(test)]
mod tests;

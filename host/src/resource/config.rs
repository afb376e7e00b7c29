//! The settings under `resource`: how long plugins may take, and how often they are asked.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of hooks and of the reconciler.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How long a plugin may take over `validate` or `plan`; the client waits meanwhile.
    pub(crate) validate_limit_ms: NonZeroU64,
    /// How long a plugin may take over one pass of `reconcile`.
    pub(crate) reconcile_limit_ms: NonZeroU64,
    /// How long an action may take that does not say so itself.
    pub(crate) action_limit_ms: NonZeroU64,
    /// How long a resource may take to be as it is wanted, before its operation fails.
    pub(crate) provision_limit_ms: NonZeroU64,
    /// How long what fails is left alone at the most.
    pub(crate) back_off_max_ms: NonZeroU64,
    /// How often what is as it is wanted is looked at all the same.
    pub(crate) resync_ms: NonZeroU64,
    /// How many resources are worked on at the same time.
    pub(crate) reconciles_max: NonZeroUsize,
}

impl Default for Config {
    fn default() -> Self {
        const fn seconds(seconds: u64) -> NonZeroU64 {
            NonZeroU64::new(seconds * 1_000).expect("no default is 0")
        }
        Self {
            validate_limit_ms: seconds(10),
            reconcile_limit_ms: seconds(60),
            action_limit_ms: seconds(60),
            provision_limit_ms: seconds(600),
            back_off_max_ms: seconds(300),
            resync_ms: seconds(600),
            reconciles_max: NonZeroUsize::new(32).expect("32 is not 0"),
        }
    }
}

impl Config {
    /// For one `validate` or `plan`.
    pub(crate) fn validate_limit(&self) -> Duration {
        Duration::from_millis(self.validate_limit_ms.get())
    }

    /// For one action, unless it says so itself.
    pub(crate) fn action_limit(&self) -> Duration {
        Duration::from_millis(self.action_limit_ms.get())
    }

    pub(crate) fn reconcile_limit(&self) -> Duration {
        Duration::from_millis(self.reconcile_limit_ms.get())
    }

    pub(crate) fn provision_limit(&self) -> Duration {
        Duration::from_millis(self.provision_limit_ms.get())
    }

    pub(crate) fn back_off_max(&self) -> Duration {
        Duration::from_millis(self.back_off_max_ms.get())
    }

    pub(crate) fn resync(&self) -> Duration {
        Duration::from_millis(self.resync_ms.get())
    }
}

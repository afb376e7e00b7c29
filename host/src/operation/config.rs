//! The settings under `operation`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const THIRTY: NonZeroU32 = NonZeroU32::new(30).expect("30 is not 0");

/// The settings of operations.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How many days an operation is kept after its end, with its log.
    pub(crate) keep_days: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep_days: THIRTY }
    }
}

impl Config {
    /// How long an operation is kept after its end.
    pub(super) fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_days.get()) * 24 * 60 * 60)
    }
}

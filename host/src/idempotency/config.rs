//! The settings under `idempotency`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const TWENTY_FOUR: NonZeroU32 = NonZeroU32::new(24).expect("24 is not 0");

/// The settings of named attempts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How many hours an answer is kept for retries.
    pub(crate) keep_hours: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep_hours: TWENTY_FOUR }
    }
}

impl Config {
    /// How long an answer is kept.
    pub(super) fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_hours.get()) * 60 * 60)
    }
}

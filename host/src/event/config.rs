//! The settings under `event`.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Serialize};

const A_WEEK: NonZeroU32 = NonZeroU32::new(7).expect("7 is not 0");
const MANY: NonZeroU64 = NonZeroU64::new(1_000_000).expect("a million is not 0");
const TAIL: NonZeroUsize = NonZeroUsize::new(8_192).expect("8192 is not 0");
const TAIL_BYTES: NonZeroUsize = NonZeroUsize::new(32 << 20).expect("32 MiB are not 0");

/// The settings of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How many days an event is kept: whoever comes back later than that begins anew.
    pub(crate) keep_days: NonZeroU32,
    /// The most events that are kept.
    pub(crate) keep_max: NonZeroU64,
    /// The most events that watchers may be behind.
    pub(crate) tail_max: NonZeroUsize,
    /// The most bytes of documents that watchers may be behind.
    pub(crate) tail_bytes_max: NonZeroUsize,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep_days: A_WEEK, keep_max: MANY, tail_max: TAIL, tail_bytes_max: TAIL_BYTES }
    }
}

impl Config {
    /// How long an event is kept.
    pub(super) fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_days.get()) * 24 * 60 * 60)
    }
}

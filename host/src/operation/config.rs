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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keep_days: &str) -> Result<Config, ::config::ConfigError> {
        // As the environment says it.
        let layers = ::config::Config::builder().set_override("keep_days", keep_days)?;
        layers.build()?.try_deserialize()
    }

    #[test]
    fn operations_are_kept_for_a_day_at_least() {
        assert_eq!(Config::default().keep().as_secs(), 30 * 86_400);
        assert_eq!(read("1").unwrap().keep().as_secs(), 86_400);
        for nonsense in ["0", "-1", "soon"] {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
    }
}

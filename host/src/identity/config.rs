//! The settings under `iam`.

use serde::{Deserialize, Serialize};

/// The settings of identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Whether a role in the platform's project is needed in addition to one in the instance's.
    pub(crate) platform_project_required: bool,
    /// The name of the platform's project; see `platform_project_required`.
    pub(crate) platform_project: String,
    /// How long an access token counts, where nothing else is asked for.
    pub(crate) token_lifetime_s: u32,
    /// The longest that may be asked for.
    pub(crate) token_lifetime_s_max: u32,
    /// How often it is looked whether another daemon, or somebody in the database, changed who may do what.
    pub(crate) refresh_ms: u64,
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
#[error("setting `{key}` is {value}: it must be at least {least}")]
pub(crate) struct TooSmall {
    key: &'static str,
    value: u64,
    least: u64,
}

/// Looking more often than this only costs.
const REFRESH_MS_LEAST: u64 = 100;

impl Config {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), TooSmall> {
        // Any name may be one of a project that is going to be made.
        let Self {
            platform_project_required: _,
            platform_project: _,
            token_lifetime_s,
            token_lifetime_s_max,
            refresh_ms,
        } = self;
        at_least("iam.token_lifetime_s", (*token_lifetime_s).into(), 1)?;
        let least = (*token_lifetime_s).into();
        at_least("iam.token_lifetime_s_max", (*token_lifetime_s_max).into(), least)?;
        at_least("iam.refresh_ms", *refresh_ms, REFRESH_MS_LEAST)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            platform_project_required: false,
            platform_project: "platform".to_owned(),
            token_lifetime_s: 900,
            token_lifetime_s_max: 86_400,
            refresh_ms: 5_000,
        }
    }
}

fn at_least(key: &'static str, value: u64, least: u64) -> Result<(), TooSmall> {
    if value >= least { Ok(()) } else { Err(TooSmall { key, value, least }) }
}

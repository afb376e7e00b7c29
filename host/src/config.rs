//! The daemon's configuration: where each setting comes from and what it may be.
//!
//! Flags win over the environment (`METAPAAS__SECTION__KEY`), that over `metapaas.toml`, that over the defaults.
//! Guarantees: a key that nobody knows is an error with the nearest known one, so a typo never silently means
//! "the default"; the settings that come out of [`Config::load`] passed every check. Each module defines its own
//! settings; this one composes them. No other module reads the environment or the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::keys::KnownKeys;
use crate::{http, log, plugin};

mod keys;

pub(crate) use keys::UnknownKey;

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "metapaas.toml";
const ENVIRONMENT_PREFIX: &str = "METAPAAS";
const ENVIRONMENT_SEPARATOR: &str = "__";

/// Every setting of the daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The directory that holds all of the daemon's state.
    pub(crate) data: PathBuf,
    /// The directory of bundles; without it `bundles` in the data directory. See [`Config::bundles`].
    bundles: Option<PathBuf>,
    /// The user API.
    pub(crate) http: http::Config,
    /// The log.
    pub(crate) log: log::Config,
    /// Plugins.
    pub(crate) plugin: plugin::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("metapaas-data"),
            bundles: None,
            http: http::Config::default(),
            log: log::Config::default(),
            plugin: plugin::Config::default(),
        }
    }
}

/// Where the settings of one run come from, weakest first. Text only: the sources have no types.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The file named by the operator; without it [`DEFAULT_FILE`], if there is one.
    pub(crate) file: Option<PathBuf>,
    /// The environment.
    pub(crate) environment: HashMap<String, String>,
    /// Key and value of each flag that was given.
    pub(crate) flags: Vec<(&'static str, String)>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file or the environment cannot be read at all.
    #[error(
        "the configuration cannot be read: correct {origin} or name another file with `--config`"
    )]
    Read {
        /// The source, ready to print.
        origin: String,
        /// What is wrong with it.
        source: ::config::ConfigError,
    },
    /// A key that no setting has.
    #[error(transparent)]
    UnknownKey(#[from] UnknownKey),
    /// A value that does not fit its setting.
    #[error("a setting has a value of the wrong kind: correct it where the cause says")]
    Value(#[source] ::config::ConfigError),
    /// A value that the user API refuses.
    #[error(transparent)]
    Http(#[from] http::config::Error),
}

impl Config {
    /// Reads and checks the settings of this run.
    pub(crate) fn load(sources: Sources) -> Result<Self, Error> {
        let Sources { file, environment, flags } = sources;
        let known = KnownKeys::of(&Self::default());
        let file = known.only(&file_source(file.as_deref()), &file_name(file.as_deref()))?;
        let environment = known.only(&environment_source(environment), "the environment")?;
        let mut layers = ::config::Config::builder().add_source(file).add_source(environment);
        for (key, value) in flags {
            layers = layers.set_override(key, value).map_err(Error::Value)?;
        }
        let config: Self =
            layers.build().and_then(::config::Config::try_deserialize).map_err(Error::Value)?;
        config.http.check()?;
        Ok(config)
    }

    /// The directory of bundles.
    pub(crate) fn bundles(&self) -> PathBuf {
        self.bundles.clone().unwrap_or_else(|| self.data.join("bundles"))
    }
}

impl Sources {
    /// The environment of this process, and what its command line said.
    pub(crate) fn of_this_process(
        file: Option<PathBuf>,
        flags: Vec<(&'static str, String)>,
    ) -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let environment =
            std::env::vars_os().map(|(key, value)| (text(key), text(value))).collect();
        Self { file, environment, flags }
    }
}

type File = ::config::File<::config::FileSourceFile, ::config::FileFormat>;

fn file_source(file: Option<&Path>) -> File {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    File::new(&path.to_string_lossy(), ::config::FileFormat::Toml).required(file.is_some())
}

fn file_name(file: Option<&Path>) -> String {
    format!("`{}`", file.unwrap_or(Path::new(DEFAULT_FILE)).display())
}

fn environment_source(environment: HashMap<String, String>) -> ::config::Environment {
    ::config::Environment::with_prefix(ENVIRONMENT_PREFIX)
        .prefix_separator(ENVIRONMENT_SEPARATOR)
        .separator(ENVIRONMENT_SEPARATOR)
        .source(Some(environment))
}

#[cfg(test)]
mod tests;

//! The daemon's configuration: where each setting comes from and what it may be.
//!
//! Flags win over the environment (`METAPAAS__SECTION__KEY`), that over `metapaas.toml`, that over the defaults.
//! Guarantees: a key that nobody knows is an error with the nearest known one, so a typo never silently means
//! "the default"; the settings that come out of [`Config::load`] passed every check; [`Shown`] tells of each one
//! where it came from. Each module defines its own settings; this one composes them. No other module reads the
//! environment or the file.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::keys::{KnownKeys, Layer};
use crate::{
    event, http, idempotency, identity, log, migration, operation, plugin, resource, secret, store,
};

mod keys;
mod origin;

pub(crate) use keys::UnknownKey;
use origin::Origin;
pub(crate) use origin::Shown;

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
    /// A directory of manifests that say which elements are wanted.
    pub(crate) elements: Option<PathBuf>,
    /// The journal of what happened.
    pub(crate) event: event::Config,
    /// The user API.
    pub(crate) http: http::Config,
    /// Who may call, and what.
    pub(crate) iam: identity::Config,
    /// The log.
    pub(crate) log: log::Config,
    /// Migrations of plugins.
    pub(crate) migration: migration::Config,
    /// Operations.
    pub(crate) operation: operation::Config,
    /// See [`idempotency::Config`].
    pub(crate) idempotency: idempotency::Config,
    /// The orch-api, which nodes ask what to run.
    pub(crate) orch: Reserved,
    /// Plugins.
    pub(crate) plugin: plugin::Config,
    /// Declared resources.
    pub(crate) resource: resource::Config,
    /// Secrets at rest.
    pub(crate) secret: secret::Config,
    /// The status-api, which nodes report to.
    pub(crate) status: Reserved,
    /// The store.
    pub(crate) store: store::Config,
}

/// A listener that has its name already; nothing listens there in this version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reserved {
    /// Where it is going to listen.
    pub(crate) listen: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("metapaas-data"),
            bundles: None,
            elements: None,
            event: event::Config::default(),
            http: http::Config::default(),
            iam: identity::Config::default(),
            log: log::Config::default(),
            migration: migration::Config::default(),
            operation: operation::Config::default(),
            idempotency: idempotency::Config::default(),
            orch: Reserved::default(),
            plugin: plugin::Config::default(),
            resource: resource::Config::default(),
            secret: secret::Config::default(),
            status: Reserved::default(),
            store: store::Config::default(),
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
    /// Each flag that was given.
    pub(crate) flags: Vec<Flag>,
    /// What the command takes for granted where nothing else is said, by key; see `up`.
    pub(crate) presets: Vec<(&'static str, String)>,
}

/// A flag that was given.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    /// As it is written, such as `--listen`.
    pub(crate) name: &'static str,
    /// The setting that it sets.
    pub(crate) key: &'static str,
    /// To what.
    pub(crate) value: String,
}

/// What the sources of a run said, each by itself, about settings that exist.
#[derive(Debug)]
struct Layers {
    file: Layer,
    path: PathBuf,
    environment: Layer,
    flags: Vec<Flag>,
    presets: Vec<(&'static str, String)>,
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
    #[error("setting `{key}` has a value of the wrong kind: correct it in {origin}")]
    Value {
        /// The setting.
        key: String,
        /// Where the value came from.
        origin: Origin,
        /// What is wrong with it.
        source: Box<::config::ConfigError>,
    },
    /// A source that is wrong as a whole, such as a value where a section belongs.
    #[error("the settings cannot be put together: correct them where the cause says")]
    Settle(#[source] ::config::ConfigError),
    /// A value that the user API refuses.
    #[error(transparent)]
    Http(#[from] http::config::Error),
    /// A value that identity refuses.
    #[error(transparent)]
    Iam(#[from] identity::config::TooSmall),
    /// A value that the store refuses.
    #[error(transparent)]
    Store(#[from] store::config::Zero),
}

impl Config {
    /// Reads and checks the settings of this run.
    pub(crate) fn load(sources: Sources) -> Result<Self, Error> {
        Layers::read(sources)?.settle()
    }

    /// The directory of bundles.
    pub(crate) fn bundles(&self) -> PathBuf {
        self.bundles.clone().unwrap_or_else(|| self.data.join("bundles"))
    }
}

impl Layers {
    fn read(sources: Sources) -> Result<Self, Error> {
        let Sources { file, environment, flags, presets } = sources;
        let known = KnownKeys::of(&Config::default());
        let path = file.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = known.only(&file_source(file.as_deref()), &file_name(file.as_deref()))?;
        let environment = known.only(&environment_source(environment), "the environment")?;
        Ok(Self { file, path, environment, flags, presets })
    }

    /// The settings that come of them together.
    fn settle(&self) -> Result<Config, Error> {
        let Self { file, path: _, environment, flags, presets } = self;
        let mut layers = ::config::Config::builder();
        for (key, value) in presets {
            layers = layers.set_default(*key, value.as_str()).map_err(Error::Settle)?;
        }
        layers = layers.add_source(file.clone()).add_source(environment.clone());
        for Flag { name: _, key, value } in flags {
            layers = layers.set_override(*key, value.as_str()).map_err(Error::Settle)?;
        }
        let built = layers.build().and_then(::config::Config::try_deserialize);
        let config: Config = built.map_err(|error| self.explain(error))?;
        config.http.check()?;
        config.iam.check()?;
        config.store.check()?;
        Ok(config)
    }

    fn explain(&self, source: ::config::ConfigError) -> Error {
        use ::config::ConfigError::{At, Type};
        let (At { key: Some(key), .. } | Type { key: Some(key), .. }) = &source else {
            return Error::Settle(source);
        };
        let key = key.clone();
        Error::Value { origin: self.origin(&key), key, source: Box::new(source) }
    }
}

impl Sources {
    /// The environment of this process, and what its command line said.
    pub(crate) fn of_this_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let environment =
            std::env::vars_os().map(|(key, value)| (text(key), text(value))).collect();
        Self { file, environment, flags, presets: Vec::new() }
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

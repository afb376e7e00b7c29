//! The settings under `store`: which database, and the limits of talking to it.
//!
//! Guarantees: nothing that is printed, logged or serialized from here holds the password of a [`SecretUrl`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use sqlx::postgres::PgConnectOptions;

/// The settings of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The PostgreSQL database; without it the SQLite file in the data directory.
    pub(crate) database_url: Option<SecretUrl>,
    /// Connections open at a time; what needs one more waits for it.
    pub(crate) connections_max: u32,
    /// How long connecting, or waiting for a free connection, may take.
    pub(crate) connect_timeout_ms: u64,
    /// How long a statement waits for what another one has locked.
    pub(crate) lock_timeout_ms: u64,
    /// How long a statement may take on PostgreSQL, waiting included, and one that reads for a client on SQLite.
    pub(crate) statement_timeout_ms: u64,
    /// Connections that one element's plugin may have open at a time.
    pub(crate) plugin_connections_max: usize,
    /// Calls that one generation may have under way; one more is refused.
    pub(crate) plugin_calls_max: usize,
    /// How long a statement of a plugin may take, waiting included.
    pub(crate) plugin_statement_limit_ms: u64,
    /// How long a transaction of a plugin may be open; it is taken back then.
    pub(crate) plugin_transaction_limit_ms: u64,
    /// How long a connection of a plugin may lie idle before it is closed.
    pub(crate) plugin_idle_ms: u64,
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
#[error("setting `{key}` is 0: it must be at least 1")]
pub(crate) struct Zero {
    key: &'static str,
}

/// The address of a PostgreSQL database, password included: shown without it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SecretUrl {
    url: String,
    shown: String,
}

impl Config {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), Zero> {
        let Self {
            database_url: _,
            connections_max,
            connect_timeout_ms,
            lock_timeout_ms,
            statement_timeout_ms,
            plugin_connections_max,
            plugin_calls_max,
            plugin_statement_limit_ms,
            plugin_transaction_limit_ms,
            plugin_idle_ms,
        } = *self;
        at_least_one("store.connections_max", u64::from(connections_max))?;
        at_least_one("store.connect_timeout_ms", connect_timeout_ms)?;
        at_least_one("store.lock_timeout_ms", lock_timeout_ms)?;
        at_least_one("store.statement_timeout_ms", statement_timeout_ms)?;
        at_least_one("store.plugin_connections_max", plugin_connections_max as u64)?;
        at_least_one("store.plugin_calls_max", plugin_calls_max as u64)?;
        at_least_one("store.plugin_statement_limit_ms", plugin_statement_limit_ms)?;
        at_least_one("store.plugin_transaction_limit_ms", plugin_transaction_limit_ms)?;
        at_least_one("store.plugin_idle_ms", plugin_idle_ms)
    }

    /// How long connecting, or waiting for a free connection, may take.
    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// How long a statement that reads for a client may take.
    pub(super) fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms)
    }

    /// How long a statement of a plugin may take, waiting included.
    pub(crate) fn plugin_statement_limit(&self) -> Duration {
        Duration::from_millis(self.plugin_statement_limit_ms)
    }

    /// How long a statement of a plugin waits for a lock, so that it is told apart from one that is slow by itself.
    pub(super) fn plugin_lock_limit(&self) -> Duration {
        self.plugin_statement_limit() / 4 * 3
    }

    /// How long a transaction of a plugin may be open.
    pub(crate) fn plugin_transaction_limit(&self) -> Duration {
        Duration::from_millis(self.plugin_transaction_limit_ms)
    }

    /// How long a connection of a plugin may lie idle.
    pub(super) fn plugin_idle(&self) -> Duration {
        Duration::from_millis(self.plugin_idle_ms)
    }

    /// After so long the server ends a session of a plugin by itself whose transaction does nothing; the host is
    /// to be first.
    pub(super) fn plugin_session_limit_ms(&self) -> u64 {
        self.plugin_transaction_limit_ms.saturating_mul(2).saturating_add(1_000)
    }

    /// How long a statement waits for what another one has locked.
    pub(super) fn lock_timeout(&self) -> Duration {
        Duration::from_millis(self.lock_timeout_ms)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database_url: None,
            connections_max: 8,
            connect_timeout_ms: 10_000,
            lock_timeout_ms: 5_000,
            statement_timeout_ms: 60_000,
            plugin_connections_max: 4,
            plugin_calls_max: 256,
            plugin_statement_limit_ms: 10_000,
            plugin_transaction_limit_ms: 2_000,
            plugin_idle_ms: 30_000,
        }
    }
}

impl SecretUrl {
    /// The whole address, password included: for connecting only.
    pub(crate) fn reveal(&self) -> &str {
        &self.url
    }
}

impl TryFrom<String> for SecretUrl {
    type Error = String;

    /// What is refused is not repeated: it may hold a password.
    fn try_from(url: String) -> Result<Self, String> {
        let named = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = PgConnectOptions::from_str(&url).ok().filter(|_| named).ok_or(
            "this is no address of a PostgreSQL database, write `postgres://USER:PASSWORD@HOST/DATABASE`",
        )?;
        let host = match options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let (user, port) = (options.get_username(), options.get_port());
        let database = options.get_database().unwrap_or(user);
        Ok(Self { shown: format!("postgres://{user}@{host}:{port}/{database}"), url })
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown)
    }
}

fn at_least_one(key: &'static str, value: u64) -> Result<(), Zero> {
    if value == 0 { Err(Zero { key }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<SecretUrl, String> {
        SecretUrl::try_from(text.to_owned())
    }

    #[test]
    fn the_password_is_never_shown() {
        for text in [
            "postgres://ops:hunter2@db.example:6432/mp",
            "postgres://ops@db.example:6432/mp?password=hunter2",
            "postgresql://ops:hunter2@db.example:6432/mp?sslmode=require",
        ] {
            let url = url(text).unwrap();
            let config = Config { database_url: Some(url.clone()), ..Config::default() };
            let json = serde_json::to_string(&config).unwrap();
            for shown in [format!("{url}"), format!("{url:?}"), format!("{config:?}"), json] {
                assert!(!shown.contains("hunter2"), "{shown}");
                assert!(shown.contains("postgres://ops@db.example:6432/mp"), "{shown}");
            }
            assert_eq!(url.reveal(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for text in [
            "mysql://ops:hunter2@db/mp",
            "hunter2",
            "sqlite://hunter2",
            "postgres://a:hunter2@h:port/d",
        ] {
            let refused = url(text).unwrap_err();
            assert!(
                refused.starts_with("this is no address of a PostgreSQL database"),
                "{refused}"
            );
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}

//! A plugin's connection to the SQLite file, with the authorizer on it from its first statement.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::Error;
use super::gate::{Gate, Refused, Speaker};
use super::territory::{Names, Tables};
use crate::store::{Config, authorizer, open};

/// How many instructions of SQLite's machine run between two looks at the clock; less than a millisecond.
const INSTRUCTIONS_A_LOOK: i32 = 10_000;

/// How many compiled statements a connection keeps.
pub(super) const STATEMENTS_KEPT: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct SqliteSession {
    connection: SqliteConnection,
    gate: Arc<Gate>,
}

impl SqliteSession {
    /// Opens one for a plugin that owns `own`.
    pub(super) async fn open(
        path: &Path,
        config: &Config,
        own: Arc<ArcSwap<Tables>>,
        all: Arc<Names>,
    ) -> Result<Self, Error> {
        let options = open::sqlite_options(path, config)
            .create_if_missing(false)
            .busy_timeout(config.plugin_lock_limit())
            .statement_cache_capacity(STATEMENTS_KEPT)
            .thread_name(|_nth| "plugin database".to_owned())
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(Error::Connect)?;
        let gate = Gate::new(own, all);
        let watched = Arc::clone(&gate);
        let mut handle = connection.lock_handle().await.map_err(Error::Connect)?;
        authorizer::install(&mut handle, Arc::clone(&gate))?;
        handle.set_progress_handler(INSTRUCTIONS_A_LOOK, move || watched.may_go_on());
        drop(handle);
        Ok(Self { connection, gate })
    }

    /// Where the plugin's statements run.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// What the gate refused of the last statement, if it was that which made it fail.
    pub(crate) fn take_refused(&self) -> Option<Refused> {
        self.gate.take_refused()
    }

    /// Is a transaction open?
    pub(crate) async fn is_in_transaction(&mut self) -> Result<bool, sqlx::Error> {
        let mut handle = self.connection.lock_handle().await?;
        Ok(authorizer::is_in_transaction(&mut handle))
    }

    /// How many rows were changed by everything so far.
    pub(crate) async fn n_changes(&mut self) -> Result<u64, sqlx::Error> {
        let mut handle = self.connection.lock_handle().await?;
        Ok(authorizer::n_changes(&mut handle))
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Says something as the host. It is compiled anew each time: a compiled statement is not asked about again,
    /// so the plugin could use one that is kept.
    pub(super) async fn say(&mut self, sql: String) -> Result<(), sqlx::Error> {
        self.gate.hand_to(Speaker::Host);
        let said =
            sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(&mut self.connection).await;
        self.gate.hand_to(Speaker::Plugin);
        said.map(|_done| ())
    }
}

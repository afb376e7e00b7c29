//! A plugin's connection to PostgreSQL, as the LOGIN role of its element.
//!
//! The role may do DML on the element's tables and nothing else; it owns nothing, so whatever a statement does to
//! the session (`RESET ROLE`, `set_config`) gives it no more. What a session can keep is undone after each use.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::login::RoleName;
use super::{Error, sqlite};
use crate::store::Store;

/// See the module.
#[derive(Debug)]
pub(crate) struct PostgresSession {
    connection: PgConnection,
    /// Of the server's process that serves it.
    pid: i32,
}

/// How long a server may take to say that it is there.
const PING_WITHIN: Duration = Duration::from_secs(1);

/// Everything that a statement can leave behind in a session. Compiled statements stay.
const RESET: &str = "ROLLBACK; RESET ALL; RESET SESSION AUTHORIZATION; UNLISTEN *; \
    SELECT pg_advisory_unlock_all(); CLOSE ALL; DISCARD TEMP; DISCARD SEQUENCES";

impl PostgresSession {
    /// Opens one.
    pub(super) async fn open(options: PgConnectOptions) -> Result<Self, Error> {
        let options =
            options.statement_cache_capacity(sqlite::STATEMENTS_KEPT).disable_statement_logging();
        let mut connection = options.connect().await.map_err(Error::Connect)?;
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut connection)
            .await
            .map_err(Error::Connect)?;
        Ok(Self { connection, pid })
    }

    /// Where the plugin's statements run.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(super) async fn say(&mut self, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map(|_done| ())
    }

    pub(super) async fn reset(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(RESET).execute(&mut self.connection).await.map(|_done| ())
    }

    pub(super) async fn is_alive(&mut self) -> bool {
        matches!(tokio::time::timeout(PING_WITHIN, self.connection.ping()).await, Ok(Ok(())))
    }

    pub(super) async fn forget_statements(&mut self) -> Result<(), sqlx::Error> {
        self.connection.clear_cached_statements().await
    }

    /// Ends the session whatever it is doing, and with it what it has locked: closing the connection alone does not
    /// end a statement that runs.
    pub(super) async fn terminate(self, store: &Store, role: &RoleName) -> Result<(), DbErr> {
        let statement = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND usename = $2",
            [self.pid.into(), role.as_str().into()],
        );
        store.connection().execute_raw(statement).await.map(|_done| ())
    }
}

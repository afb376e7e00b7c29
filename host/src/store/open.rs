//! How the database is opened: as a file that this user alone can read, or as a server's database that this
//! daemon alone uses.
//!
//! Guarantees: SQLite writes ahead and waits for the disk at every commit; PostgreSQL acknowledges a commit only
//! when it is durable; no statement waits for ever. Not here: whether what was opened is ours (`version`).

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

use sea_orm::DbErr;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::error::connecting;
use super::{Backend, Config, Error, SecretUrl};

/// The advisory locks of a database are told apart by two numbers; ours all begin with this one ("mpas").
pub(crate) const ADVISORY_SPACE: i32 = 0x6d70_6173;
/// The lock that the one daemon of a database holds.
const DAEMON: i32 = 1;

/// Opens the file, and makes an empty one if there is none.
pub(super) async fn sqlite(path: &Path, config: &Config) -> Result<SqlitePool, Error> {
    let store = path.display().to_string();
    own_file(path).map_err(|source| Error::File { store: store.clone(), source })?;
    SqlitePoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(config.connect_timeout())
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(sqlite_options(path, config))
        .await
        .map_err(|error| Error::of(Backend::Sqlite, &store, connecting(error)))
}

/// Makes the file write ahead, for ever: done to a file that is known to be ours, because it changes it.
pub(super) async fn write_ahead(path: &Path, pool: &SqlitePool) -> Result<(), Error> {
    let store = path.display().to_string();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(pool)
        .await
        .map_err(|error| Error::of(Backend::Sqlite, &store, connecting(error)))?;
    if mode == "wal" { Ok(()) } else { Err(Error::NoWriteAhead { store, mode }) }
}

/// How every connection of the host to a SQLite store behaves.
pub(super) fn sqlite_options(path: &Path, config: &Config) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(config.lock_timeout())
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        // What a long reader made the log grow to is given back at the next checkpoint.
        .pragma("journal_size_limit", "67108864")
}

/// SQLite gives the files beside it the mode of this one.
fn own_file(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

/// Connects to the server's database.
pub(super) async fn postgres(url: &SecretUrl, config: &Config) -> Result<PgPool, Error> {
    let options = postgres_options(url, config)?;
    PgPoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(config.connect_timeout())
        .connect_with(options)
        .await
        .map_err(|error| Error::of(Backend::Postgres, &url.to_string(), connecting(error)))
}

/// Takes the database for this process, until the connection that comes out of it is closed.
pub(super) async fn hold(url: &SecretUrl, config: &Config) -> Result<PgConnection, Error> {
    let failed = |error: DbErr| Error::of(Backend::Postgres, &url.to_string(), error);
    let connect = postgres_options(url, config)?;
    let connected = tokio::time::timeout(config.connect_timeout(), connect.connect()).await;
    let mut connection = connected
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(|error| failed(connecting(error)))?;
    let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
        .bind(ADVISORY_SPACE)
        .bind(DAEMON)
        .fetch_one(&mut connection)
        .await
        .map_err(|error| failed(connecting(error)))?;
    if taken { Ok(connection) } else { Err(Error::InUse { store: url.to_string() }) }
}

/// How every connection of the host to a PostgreSQL store behaves.
pub(super) fn postgres_options(
    url: &SecretUrl,
    config: &Config,
) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url.reveal())
        .map_err(|error| Error::of(Backend::Postgres, &url.to_string(), connecting(error)))?;
    Ok(options.application_name("metapaas").options([
        ("timezone", "UTC".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("lock_timeout", config.lock_timeout_ms.to_string()),
        ("statement_timeout", config.statement_timeout_ms.to_string()),
    ]))
}

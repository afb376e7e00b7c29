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

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::error::connecting;
use super::{Backend, Config, Error, SecretUrl};

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

/// How every connection of the host to a PostgreSQL store behaves.
pub(super) fn postgres_options(
    url: &SecretUrl,
    config: &Config,
) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url.reveal())
        .map_err(|error| Error::of(Backend::Postgres, &url.to_string(), connecting(error)))?;
    Ok(options.application_name("metapaas").options([
        ("timezone", "UTC".to_owned()),
        // That a table is there already is no news.
        ("client_min_messages", "warning".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("lock_timeout", config.lock_timeout_ms.to_string()),
        ("statement_timeout", config.statement_timeout_ms.to_string()),
    ]))
}

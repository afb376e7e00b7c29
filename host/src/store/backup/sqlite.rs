//! The backup of a SQLite store: the file itself, as one transaction sees it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sea_orm::DatabaseConnection;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use super::{Error, Existing, take};
use crate::data::{DataDir, Replacement};
use crate::store::error::connecting;
use crate::store::version::{self, Standing};
use crate::store::{self, Backend, Config, FILE, open};

/// What a store that was cut off may have left beside its file. SQLite takes an empty one for none at all; with
/// those of the old file the new one would be "recovered" into something else.
const LEFT_BESIDE: [&str; 2] = ["metapaas.db-wal", "metapaas.db-journal"];

/// Copies the store at `path` into `folder`, and tells which steps it has.
pub(super) async fn copy(
    path: &Path,
    config: &Config,
    folder: &Path,
) -> Result<BTreeSet<String>, Error> {
    let store = path.display().to_string();
    let pool = open_existing(path, config).await?.ok_or(Error::NoStore { store: store.clone() })?;
    let db = DatabaseConnection::from(pool.clone());
    let standing = Standing::of(&db).await;
    let of_query = |error| store::Error::of(Backend::Sqlite, &store, error);
    let steps = standing.map_err(of_query)?.steps(&store)?;
    if steps.is_empty() {
        return Err(Error::NoStore { store });
    }
    let to = folder.join(FILE);
    let copied = sqlx::query("VACUUM INTO ?").bind(to.display().to_string()).execute(&pool).await;
    copied.map_err(|error| of_copying(&store, &to, error))?;
    pool.close().await;
    check(&to, config).await?;
    Ok(steps)
}

/// Puts the copy in `folder` in the place of the store of `data`, once `replacement` is committed.
pub(super) async fn replace(
    config: &Config,
    data: &DataDir,
    folder: &Path,
    replacement: &Replacement<'_>,
    existing: Existing,
) -> Result<(), Error> {
    check_replaceable(&data.join(FILE), config, existing).await?;
    check(&folder.join(FILE), config).await?;
    take(folder, FILE, replacement)?;
    for name in LEFT_BESIDE {
        // Whoever uses it next fills it with rows.
        let path = replacement.folder().join(name);
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}

/// Refuses what must not be replaced. What is damaged may be: that is what backups are for.
async fn check_replaceable(path: &Path, config: &Config, existing: Existing) -> Result<(), Error> {
    let store = path.display().to_string();
    match look_at(path, config, &store).await {
        Ok(Holds::Nothing) => Ok(()),
        Err(foreign @ store::Error::Foreign { .. }) => Err(foreign.into()),
        Ok(Holds::Something) | Err(_) if existing == Existing::Replace => Ok(()),
        Ok(Holds::Something) | Err(store::Error::Newer { .. }) => Err(Error::NotEmpty { store }),
        Err(error) => Err(error.into()),
    }
}

enum Holds {
    Nothing,
    Something,
}

async fn look_at(path: &Path, config: &Config, store: &str) -> Result<Holds, store::Error> {
    let failed = |error| store::Error::of(Backend::Sqlite, store, error);
    let Some(pool) = open_existing(path, config).await? else { return Ok(Holds::Nothing) };
    let db = DatabaseConnection::from(pool);
    Standing::of(&db).await.map_err(failed)?.steps(store)?;
    let holds = if version::has_rows(&db).await.map_err(failed)? {
        Holds::Something
    } else {
        Holds::Nothing
    };
    db.close().await.map_err(failed)?;
    Ok(holds)
}

/// Refuses a file whose pages do not fit together.
async fn check(path: &Path, config: &Config) -> Result<(), Error> {
    let damaged = |what| Error::Damaged {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, what),
    };
    let pool =
        open_existing(path, config).await?.ok_or_else(|| damaged("no database".to_owned()))?;
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&pool)
        .await
        .map_err(|error| damaged(error.to_string()))?;
    pool.close().await;
    if said == "ok" { Ok(()) } else { Err(damaged(said)) }
}

/// One connection to the file, if there is a file.
async fn open_existing(path: &Path, config: &Config) -> Result<Option<SqlitePool>, store::Error> {
    if !path.exists() {
        return Ok(None);
    }
    let options = open::sqlite_options(path, config);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    let store = path.display().to_string();
    pool.map(Some).map_err(|error| store::Error::of(Backend::Sqlite, &store, connecting(error)))
}

/// A full disk is that of the copy, not that of the store.
fn of_copying(store: &str, to: &Path, error: sqlx::Error) -> Error {
    let error = store::Error::of(Backend::Sqlite, store, connecting(error));
    if matches!(error, store::Error::Full { .. }) {
        let source = io::ErrorKind::StorageFull.into();
        return Error::Write { path: to.to_owned(), source };
    }
    error.into()
}

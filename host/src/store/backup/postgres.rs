//! The backup of a PostgreSQL store: each table's definition and rows, as one transaction sees them.
//!
//! What `pg_dump` would do for tables like ours, with nothing but this binary. Guarantees: a restore is one
//! transaction; a table with something that is not understood is refused rather than copied without it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use futures_util::TryStreamExt;
use sea_orm::DatabaseConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use self::schema::{Schema, Table};
use super::{Error, Existing};
use crate::store::error::connecting;
use crate::store::hold::Hold;
use crate::store::version::{self, Standing};
use crate::store::{self, Backend, Config, SecretUrl, open};

mod catalog;
mod schema;

/// The tables' definitions.
const SCHEMA: &str = "schema.json";

/// Says what an error of the driver means for this store.
fn failed(url: &SecretUrl) -> impl Fn(sqlx::Error) -> store::Error {
    move |error| store::Error::of(Backend::Postgres, &url.to_string(), connecting(error))
}

/// Writes the tables into `folder`, and tells which steps the store has.
pub(super) async fn dump(
    url: &SecretUrl,
    config: &Config,
    folder: &Path,
) -> Result<BTreeSet<String>, Error> {
    let failed = failed(url);
    let pool = open::postgres(url, config).await?;
    let standing = Standing::of(&DatabaseConnection::from(pool.clone())).await;
    let of_query = |error| store::Error::of(Backend::Postgres, &url.to_string(), error);
    let steps = standing.map_err(of_query)?.steps(&url.to_string())?;
    if steps.is_empty() {
        return Err(Error::NoStore { store: url.to_string() });
    }
    let mut connection = pool.acquire().await.map_err(&failed)?;
    run(&mut connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(&failed)?;
    run(&mut connection, "SET LOCAL statement_timeout = 0").await.map_err(&failed)?;
    let schema = Schema::read(&mut connection).await.map_err(&failed)?;
    schema.check()?;
    for table in &schema.tables {
        copy_out(&mut connection, table, &folder.join(&table.file), &failed).await?;
    }
    run(&mut connection, "COMMIT").await.map_err(&failed)?;
    let path = folder.join(SCHEMA);
    let text = serde_json::to_vec_pretty(&schema).expect("strings and numbers are JSON");
    fs::write(&path, text).map_err(|source| Error::Write { path, source })?;
    drop(connection);
    pool.close().await;
    Ok(steps)
}

async fn copy_out(
    connection: &mut PgConnection,
    table: &Table,
    path: &Path,
    failed: impl Fn(sqlx::Error) -> store::Error,
) -> Result<(), Error> {
    let unwritable = |source| Error::Write { path: path.to_owned(), source };
    let mut file = fs::File::create_new(path).map_err(unwritable)?;
    let mut rows = connection.copy_out_raw(&table.copy_out()).await.map_err(&failed)?;
    while let Some(rows) = rows.try_next().await.map_err(&failed)? {
        file.write_all(&rows).map_err(unwritable)?;
    }
    Ok(())
}

/// Makes the tables of the backup in `folder`, in the place of those that are there.
pub(super) async fn load(
    url: &SecretUrl,
    config: &Config,
    folder: &Path,
    existing: Existing,
) -> Result<(), Error> {
    let failed = failed(url);
    let held = Hold::take(url, config).await?.into_connection();
    let mut connection = held.expect("a database that was just taken is held");
    check_replaceable(url, config, existing).await?;
    let path = folder.join(SCHEMA);
    let read = |source| Error::Read { path: path.clone(), source };
    let text = fs::read(&path).map_err(read)?;
    let schema: Schema = serde_json::from_slice(&text).map_err(|error| read(error.into()))?;
    run(&mut connection, "BEGIN").await.map_err(&failed)?;
    run(&mut connection, "SET LOCAL statement_timeout = 0").await.map_err(&failed)?;
    for statement in schema::drop_all(&mut connection).await.map_err(&failed)? {
        run(&mut connection, &statement).await.map_err(&failed)?;
    }
    for statement in schema.before_rows() {
        run(&mut connection, statement).await.map_err(&failed)?;
    }
    for table in &schema.tables {
        copy_in(&mut connection, table, &folder.join(&table.file), &failed).await?;
    }
    for statement in schema.after_rows() {
        run(&mut connection, statement).await.map_err(&failed)?;
    }
    run(&mut connection, "COMMIT").await.map_err(&failed)?;
    connection.close().await.map_err(&failed)?;
    Ok(())
}

async fn copy_in(
    connection: &mut PgConnection,
    table: &Table,
    path: &Path,
    failed: impl Fn(sqlx::Error) -> store::Error,
) -> Result<(), Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut rows = connection.copy_in_raw(&table.copy_in()).await.map_err(&failed)?;
    rows.read_from(file).await.map_err(&failed)?;
    rows.finish().await.map_err(&failed)?;
    Ok(())
}

/// Refuses what must not be replaced.
async fn check_replaceable(
    url: &SecretUrl,
    config: &Config,
    existing: Existing,
) -> Result<(), Error> {
    let store = url.to_string();
    let failed = |error| store::Error::of(Backend::Postgres, &store, error);
    let db = DatabaseConnection::from(open::postgres(url, config).await?);
    let holds_something = match Standing::of(&db).await.map_err(failed)? {
        Standing::Empty => false,
        Standing::Ours(_) => version::has_rows(&db).await.map_err(failed)?,
        Standing::Newer(_) => true,
        foreign @ Standing::Foreign(_) => foreign.steps(&store).map(|_| true)?,
    };
    db.close().await.map_err(failed)?;
    match existing {
        Existing::Keep if holds_something => Err(Error::NotEmpty { store }),
        Existing::Keep | Existing::Replace => Ok(()),
    }
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

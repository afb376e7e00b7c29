//! Whether a database is a store of ours, and bringing its schema up to what this binary knows.
//!
//! Guarantees: a database of somebody else or of a newer version is told and left as it was; the steps that are
//! missing run in one transaction, so a store is never between two schemas.

use std::collections::BTreeSet;

use migrations::Migrator;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};
use sea_orm_migration::MigratorTrait;

use super::{Backend, Error, Store};

/// The table that says which steps were made.
const LEDGER: &str = "metapaas_migrations";
/// So many names are enough to recognize whose database it is.
const TABLES_SHOWN: usize = 3;

/// Makes the schema, brings it up to date, or refuses the database.
pub(super) async fn settle(store: &Store) -> Result<(), Error> {
    let failed = |error| store.error(error);
    let transaction = store.begin().await.map_err(failed)?;
    let name = || store.place.to_string();
    let tables = tables(&transaction).await.map_err(failed)?;
    if tables.contains(LEDGER) {
        let unknown = unknown_steps(&transaction).await.map_err(failed)?;
        if !unknown.is_empty() {
            return Err(Error::Newer { store: name(), steps: listed(&unknown) });
        }
    } else if !tables.is_empty() {
        return Err(Error::Foreign { store: name(), tables: listed(&tables) });
    }
    let pending = Migrator::get_pending_migrations(&transaction).await.map_err(failed)?;
    if !pending.is_empty() {
        Migrator::up(&transaction, None).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The tables and views that are there, whoever made them.
pub(super) async fn tables(db: &DatabaseTransaction) -> Result<BTreeSet<String>, DbErr> {
    let sql = match Backend::of(db) {
        Backend::Sqlite => {
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        Backend::Postgres => {
            "SELECT relname::text AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"
        }
    };
    names(db, sql, "name").await
}

/// The steps that were made and that this binary does not know.
async fn unknown_steps(db: &DatabaseTransaction) -> Result<BTreeSet<String>, DbErr> {
    let made = names(db, &format!("SELECT version FROM {LEDGER}"), "version").await?;
    let known = known_steps();
    Ok(made.into_iter().filter(|step| !known.contains(step)).collect())
}

/// The steps that this binary knows.
pub(super) fn known_steps() -> BTreeSet<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

async fn names(
    db: &DatabaseTransaction,
    sql: &str,
    column: &str,
) -> Result<BTreeSet<String>, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_all_raw(statement).await?.iter().map(|row| row.try_get("", column)).collect()
}

fn listed(names: &BTreeSet<String>) -> String {
    let shown: Vec<_> = names.iter().take(TABLES_SHOWN).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > TABLES_SHOWN { " and more" } else { "" };
    format!("{}{more}", shown.join(", "))
}

//! Whether a database is a store of ours, and bringing its schema up to what this binary knows.
//!
//! Guarantees: a database of somebody else or of a newer version is told and left as it was; the steps that are
//! missing run in one transaction, so a store is never between two schemas.

use std::collections::BTreeSet;

use migrations::Migrator;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use sea_orm_migration::MigratorTrait;

use super::{Backend, Error, Store};

/// The table that says which steps were made.
const LEDGER: &str = "metapaas_migrations";
/// So many names are enough to recognize whose database it is.
const NAMES_SHOWN: usize = 3;

/// What a database is to this binary.
#[derive(Debug)]
pub(super) enum Standing {
    /// Nothing is in it.
    Empty,
    /// A store that it knows, with the steps that were made.
    Ours(BTreeSet<String>),
    /// A store with steps that it does not know, which these are.
    Newer(BTreeSet<String>),
    /// Somebody else's, with these tables and views.
    Foreign(BTreeSet<String>),
}

/// Makes the schema, brings it up to date, or refuses the database.
pub(super) async fn settle(store: &Store) -> Result<(), Error> {
    let failed = |error| store.error(error);
    let transaction = store.begin().await.map_err(failed)?;
    Standing::of(&transaction).await.map_err(failed)?.steps(&store.place.to_string())?;
    let pending = Migrator::get_pending_migrations(&*transaction).await.map_err(failed)?;
    if !pending.is_empty() {
        Migrator::up(&*transaction, None).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

impl Standing {
    /// What is said of the database that `db` leads to.
    pub(super) async fn of(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let tables = tables(db).await?;
        if tables.is_empty() {
            return Ok(Self::Empty);
        }
        if !tables.contains(LEDGER) {
            return Ok(Self::Foreign(tables));
        }
        let made = names(db, &format!("SELECT version AS name FROM {LEDGER}")).await?;
        let unknown = unknown_of(&made);
        Ok(if unknown.is_empty() { Self::Ours(made) } else { Self::Newer(unknown) })
    }

    /// The steps that were made, if this binary can work with them.
    pub(super) fn steps(self, store: &str) -> Result<BTreeSet<String>, Error> {
        let store = store.to_owned();
        match self {
            Self::Empty => Ok(BTreeSet::new()),
            Self::Ours(steps) => Ok(steps),
            Self::Newer(steps) => Err(Error::Newer { store, steps: listed(&steps) }),
            Self::Foreign(tables) => Err(Error::Foreign { store, tables: listed(&tables) }),
        }
    }
}

/// Those of the steps that this binary does not know.
pub(super) fn unknown_of(steps: &BTreeSet<String>) -> BTreeSet<String> {
    let known: BTreeSet<_> =
        Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    steps.difference(&known).cloned().collect()
}

/// Whether any table but the ledger of our own steps has a row.
pub(super) async fn has_rows(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    for table in tables(db).await? {
        let first = format!(r#"SELECT '' AS name FROM "{}" LIMIT 1"#, table.replace('"', "\"\""));
        if table != LEDGER && !names(db, &first).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tables and views that are there, whoever made them.
async fn tables(db: &impl ConnectionTrait) -> Result<BTreeSet<String>, DbErr> {
    let sql = match Backend::of(db) {
        Backend::Sqlite => {
            r"SELECT name FROM sqlite_schema
              WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"
        }
        Backend::Postgres => {
            "SELECT relname::text AS name FROM pg_class
             WHERE relnamespace = current_schema()::regnamespace
               AND relkind IN ('r', 'p', 'v', 'm', 'f')"
        }
    };
    names(db, sql).await
}

/// The column `name` of all rows.
async fn names(db: &impl ConnectionTrait, sql: &str) -> Result<BTreeSet<String>, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_all_raw(statement).await?.iter().map(|row| row.try_get("", "name")).collect()
}

fn listed(names: &BTreeSet<String>) -> String {
    let shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > NAMES_SHOWN { " and more" } else { "" };
    format!("{}{more}", shown.join(", "))
}

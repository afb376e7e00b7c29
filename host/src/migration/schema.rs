//! What the database itself says there is, and the statements of a step as it runs them.

use std::collections::{BTreeMap, BTreeSet};

use packer::bundle::ElementName;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};
use tokio::time::timeout;

use super::chain::{Author, Migration, MigrationId};
use super::check::{Direction, Effect, Owner, World};
use super::error::{code, said};
use super::ledger::LedgerError;
use super::witness::Witness;
use super::{Error, Migrations, ledger};
use crate::store::{Backend, fence};

const SQL_CHARS_MAX: usize = 120;

/// A table, a view or anything else that has its name among theirs, or an index with its table.
const SQLITE_NAMES: &str = "SELECT lower(name) AS name, CASE type WHEN 'index' THEN lower(tbl_name) END AS of \
    FROM sqlite_master WHERE type IN ('table', 'view', 'index')";
const POSTGRES_NAMES: &str = "SELECT c.relname::text AS name, t.relname::text AS of FROM pg_class c \
    LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid \
    WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema()))";

/// Reads every name that there is, and whose it is.
pub(super) async fn world(
    db: &impl ConnectionTrait,
    backend: Backend,
    element: &ElementName,
    slugs: &[String],
) -> Result<World, Error> {
    let mut owners: BTreeMap<_, _> =
        ledger::tables(db).await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    let sql = match backend {
        Backend::Sqlite => SQLITE_NAMES,
        Backend::Postgres => POSTGRES_NAMES,
    };
    let mut world = World::new(element, slugs, backend);
    let names = Statement::from_string(db.get_database_backend(), sql);
    for row in db.query_all_raw(names).await? {
        let name: String = row.try_get("", "name")?;
        match row.try_get::<Option<String>>("", "of")? {
            Some(table) => world.add_index(&name, &table),
            None => {
                let owned = owners.remove(&name);
                if owned.as_ref().is_some_and(|row| row.resource) {
                    world.add_resource(&name);
                }
                let owner = owned.map_or(Owner::Nobody, |row| Owner::Element(row.element));
                world.add_table(&name, owner);
            }
        }
    }
    Ok(world)
}

/// What is run, for what is said about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half<'a> {
    /// The migration's name.
    pub(super) name: &'a str,
    /// Its id.
    pub(super) id: MigrationId,
    /// Who wrote it.
    pub(super) author: Author,
    /// Which half of it.
    pub(super) direction: Direction,
}

impl<'a> Half<'a> {
    /// One half of a migration.
    pub(super) fn of(migration: &'a Migration, direction: Direction) -> Self {
        let Migration { id, author, name, .. } = migration;
        Self { name, id: *id, author: *author, direction }
    }
}

impl Migrations {
    /// Runs statements that were checked, and keeps the list of tables and the fence after them.
    pub(super) async fn execute(
        &self,
        db: &DatabaseTransaction,
        element: &ElementName,
        half: Half<'_>,
        statements: &[String],
        effects: &[Effect],
    ) -> Result<(), Error> {
        let backend = self.store.backend();
        let mut own: BTreeSet<_> = ledger::tables_of(db, element).await?.into_iter().collect();
        own.extend(effects.iter().flat_map(Effect::tables).cloned());
        let before = Witness::look(db, backend).await?;
        for (position, sql) in statements.iter().enumerate() {
            self.execute_one(db, half, position + 1, sql).await?;
        }
        if let Some(what) = Witness::look(db, backend).await?.strayed(&before, &own) {
            return Err(Error::Strayed { name: half.name.to_owned(), id: half.id, what });
        }
        for effect in effects {
            match effect {
                Effect::Created(table) => ledger::own(db, element, table, half.author).await?,
                Effect::Dropped(table) => ledger::disown(db, table).await?,
                Effect::Renamed { from, to } => {
                    ledger::disown(db, from).await?;
                    ledger::own(db, element, to, half.author).await?;
                }
            }
        }
        // All of them: an older table may have a column with a sequence now.
        for table in ledger::tables_of(db, element).await? {
            self.fences.grant(db, element, &table).await?;
        }
        Ok(())
    }

    async fn execute_one(
        &self,
        db: &DatabaseTransaction,
        half: Half<'_>,
        number: usize,
        sql: &str,
    ) -> Result<(), Error> {
        let Half { name, id, author: _, direction } = half;
        // Prepared, so that the server itself refuses a text that holds two.
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let limit = self.config.statement_limit();
        let too_slow = || Error::TooSlow {
            name: name.to_owned(),
            id,
            number,
            limit_ms: self.config.statement_limit_ms.get(),
        };
        let error = match timeout(limit, db.execute_raw(statement)).await {
            Ok(Ok(_done)) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_elapsed) => return Err(too_slow()),
        };
        match code(&error).as_deref() {
            Some(CANCELED) => Err(too_slow()),
            _any if is_in_the_way(&error) => Err(Error::Store(error)),
            _any => Err(Error::Statement {
                name: name.to_owned(),
                id,
                direction,
                number,
                sql: sql.chars().take(SQL_CHARS_MAX).collect(),
                reason: said(&error),
            }),
        }
    }
}

/// PostgreSQL ended the statement, because its time was up.
pub(super) const CANCELED: &str = "57014";

/// Somebody else is in the way, and may not be the next time: a lock, a deadlock, a serialization failure; on
/// SQLite another writer, or a table that is being read.
const BUSY: [&str; 7] = ["55P03", "40P01", "40001", "5", "6", "261", "517"];

/// PostgreSQL takes two who change one row of its catalog for an error of its own, and says which in words.
const INTERNAL: &str = "XX000";

fn is_in_the_way(error: &DbErr) -> bool {
    code(error).is_some_and(|code| {
        BUSY.contains(&&*code) || (code == INTERNAL && said(error).contains("concurrently updated"))
    })
}

/// Whether trying again may help.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is not the database's word")]
pub(super) fn is_busy(error: &Error) -> bool {
    let said = match error {
        Error::Store(said)
        | Error::Ledger(LedgerError::Database(said))
        | Error::Fence(fence::Error::Store(said)) => said,
        _other => return false,
    };
    is_in_the_way(said)
}

//! Dropping what an element owned, and counting what would be lost by it.

use packer::bundle::ElementName;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

use super::run::roll_back;
use super::transaction::commit;
use super::{Error, Migrations, backfill, ledger, schema};
use crate::store::Backend;

impl Migrations {
    /// Drops every table of an element, and forgets it: its ledger, its backfills, its role. All or nothing.
    ///
    /// # Errors
    /// Why the database did not; then nothing is lost.
    pub(crate) async fn purge(&self, element: &ElementName) -> Result<(), Error> {
        let _held = self.locks.hold(element).await;
        for n_attempts in 1.. {
            match self.try_purge(element).await {
                Err(error)
                    if schema::is_busy(&error) && n_attempts < self.config.lock_attempts.get() => {}
                other => return other,
            }
        }
        Ok(())
    }

    async fn try_purge(&self, element: &ElementName) -> Result<(), Error> {
        let transaction = self.begin(element).await?;
        match self.purge_in(&transaction, element).await {
            Ok(()) => Ok(commit(transaction).await?),
            Err(error) => {
                roll_back(transaction).await;
                Err(error)
            }
        }
    }

    async fn purge_in(&self, db: &DatabaseTransaction, element: &ElementName) -> Result<(), Error> {
        self.drop_tables(db, element).await?;
        backfill::forget_all(db, element).await?;
        ledger::forget(db, element).await?;
        Ok(self.fences.drop_role(db, element).await?)
    }

    /// Drops every table of an element.
    pub(super) async fn drop_tables(
        &self,
        db: &DatabaseTransaction,
        element: &ElementName,
    ) -> Result<(), Error> {
        let tables = ledger::tables_of(db, element).await?;
        let quoted: Vec<_> = tables.iter().map(|table| format!("\"{table}\"")).collect();
        match self.store.backend() {
            // One statement, so that they may refer to one another.
            Backend::Postgres if !quoted.is_empty() => {
                let sql = format!("DROP TABLE IF EXISTS {}", quoted.join(", "));
                db.execute_unprepared(&sql).await?;
            }
            Backend::Postgres => {}
            Backend::Sqlite => {
                // What refers to a dropped table is dropped by the time it is looked at.
                db.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
                for table in quoted {
                    db.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
                }
            }
        }
        for table in tables {
            ledger::disown(db, &table).await?;
        }
        Ok(())
    }

    /// How many instances there are of an element's types: rows of those of its tables that are called
    /// `<slug>_instances`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn rows_of_instances(&self, element: &ElementName) -> Result<u64, Error> {
        let db = self.store.connection();
        let mut n_rows = 0;
        for table in ledger::tables_of(db, element).await? {
            if table.strip_suffix("_instances").is_some_and(|slug| !slug.contains('_')) {
                let sql = format!("SELECT count(*) AS n FROM \"{table}\"");
                let count = Statement::from_string(db.get_database_backend(), sql);
                let row = db.query_one_raw(count).await?;
                let n: i64 = row.map_or(Ok(0), |row| row.try_get("", "n"))?;
                n_rows += u64::try_from(n).unwrap_or(0);
            }
        }
        Ok(n_rows)
    }
}

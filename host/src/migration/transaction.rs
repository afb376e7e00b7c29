//! A transaction that changes an element's schema: short of patience, and alone with the element.

use packer::bundle::ElementName;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use sha2::{Digest, Sha256};

use super::Migrations;
use crate::fault;
use crate::store::{Backend, Transaction};

/// Sets our advisory locks apart from others'.
const LOCK_CLASS: i32 = i32::from_be_bytes(*b"MPMG");

impl Migrations {
    /// Begins a transaction for one element.
    ///
    /// On PostgreSQL a statement that has to wait for a lock gives up soon: while it waits, every request
    /// that comes for the same table waits behind it. What takes too long is ended by the server.
    pub(super) async fn begin(&self, element: &ElementName) -> Result<Transaction, DbErr> {
        let transaction = self.store.begin().await?;
        match self.store.backend() {
            // The one writer of the file is alone anyway.
            Backend::Sqlite => {}
            Backend::Postgres => {
                let (wait_ms, limit_ms) =
                    (self.config.lock_wait_ms.get(), self.config.statement_limit_ms.get());
                let limits = format!(
                    "SET LOCAL lock_timeout = {wait_ms}; SET LOCAL statement_timeout = {limit_ms}"
                );
                transaction.execute_unprepared(&limits).await?;
                let lock = Statement::from_sql_and_values(
                    transaction.get_database_backend(),
                    "SELECT pg_advisory_xact_lock($1, $2)",
                    [LOCK_CLASS.into(), key(element).into()],
                );
                transaction.execute_raw(lock).await?;
            }
        }
        Ok(transaction)
    }
}

/// Commits, with a point on either side at which a test may end the process.
pub(super) async fn commit(transaction: Transaction) -> Result<(), DbErr> {
    fault::point("migration.commit");
    transaction.commit().await?;
    fault::point("migration.committed");
    Ok(())
}

/// Another element with the same key waits for us without need, and no harm is done.
fn key(element: &ElementName) -> i32 {
    let digest = Sha256::digest(element.as_str());
    i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

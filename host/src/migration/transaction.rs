//! A transaction that changes an element's schema: short of patience, and alone with the element.

use packer::bundle::ElementName;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use sha2::{Digest, Sha256};

use super::error::code;
use super::schema::CANCELED;
use super::{Error, Migrations};
use crate::fault;
use crate::store::{Backend, Transaction};

/// Sets our advisory locks apart from others'.
const LOCK_CLASS: i32 = i32::from_be_bytes(*b"MPMG");

impl Migrations {
    /// Begins a transaction for one element.
    ///
    /// On PostgreSQL a statement that has to wait for a table gives up soon: while it waits, every request
    /// that comes for the same table waits behind it. Nobody waits behind the wait for the element, and who
    /// has that may be the last statement of a daemon that was killed: it is waited for as long as a
    /// statement may take. What takes too long is ended by the server.
    pub(super) async fn begin(&self, element: &ElementName) -> Result<Transaction, Error> {
        let transaction = self.store.begin().await?;
        match self.store.backend() {
            // The one writer of the file is alone anyway.
            Backend::Sqlite => {}
            Backend::Postgres => self.take(&transaction, element).await?,
        }
        Ok(transaction)
    }

    /// Takes the element for the transaction.
    async fn take(&self, db: &Transaction, element: &ElementName) -> Result<(), Error> {
        let limit_ms = self.config.statement_limit_ms.get();
        let limits =
            format!("SET LOCAL statement_timeout = {limit_ms}; SET LOCAL lock_timeout = 0");
        db.execute_unprepared(&limits).await?;
        let lock = Statement::from_sql_and_values(
            db.get_database_backend(),
            "SELECT pg_advisory_xact_lock($1, $2)",
            [LOCK_CLASS.into(), key(element).into()],
        );
        match db.execute_raw(lock).await {
            Ok(_taken) => {}
            Err(error) if code(&error).as_deref() == Some(CANCELED) => {
                return Err(Error::Occupied { element: element.clone(), limit_ms });
            }
            Err(error) => return Err(error.into()),
        }
        let wait = format!("SET LOCAL lock_timeout = {}", self.config.lock_wait_ms.get());
        db.execute_unprepared(&wait).await?;
        Ok(())
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

//! The plugin's own tables, in the database of the host.
//!
//! ```
//! use plugin_sdk::prelude::*;
//!
//! async fn rename(db: &Database, id: &str, name: &str) -> Result<(), DbError> {
//!     let tx = db.begin().await?;
//!     let old: String = tx.query_one("SELECT name FROM demo_instances WHERE id = $1", (id,)).await?.get("name")?;
//!     tx.execute("UPDATE demo_instances SET name = $2 WHERE id = $1", (id, name)).await?;
//!     tx.execute("INSERT INTO demo_names (id, name) VALUES ($1, $2)", (id, &old)).await?;
//!     tx.commit().await // without it, dropping `tx` takes everything back
//! }
//! ```
//!
//! [`Context::db`](crate::Context::db) gives a [`Database`]; it is also an argument of handlers. Statements
//! are methods of [`Queries`], which a database, a [`Transaction`] and a [`Savepoint`] have in common.
//! The tables come from [`Plugin::migrations`](crate::Plugin::migrations).
//!
//! # One SQL for two databases
//!
//! The host keeps its data in SQLite or in PostgreSQL, and [`Queries::backend`] tells which. Both know `$1`
//! (and `$1` again), `RETURNING`, `ON CONFLICT`, `CAST(… AS …)`, and common table expressions; so most
//! statements need no second version. Keep to types that both have: `text`, `integer`, `bigint`, `boolean`,
//! `double precision`, `uuid`, `timestamptz`, `jsonb`. `sum` of integers is a `numeric` on PostgreSQL, which
//! comes as text: write `CAST(sum(n) AS bigint)`.
//!
//! # What it does not do
//!
//! No connections and no pool: those are the host's. No other tables than the plugin's own: the database
//! itself refuses them ([`DbErrorKind::Denied`]). No long transactions: the host ends one after 2 seconds.
//! And nothing of the database's words reaches a client: a [`DbError`] that becomes a
//! [`Problem`] is logged and told as a safe sentence.

mod error;
mod params;
mod row;
#[cfg(feature = "sea-orm")]
pub mod sea_orm;
#[cfg(feature = "sea-query")]
mod sea_query;
mod transaction;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
pub use plugin_abi::database::Backend;
use plugin_abi::database::answer::Answer;
use plugin_abi::database::{
    DATABASE_SERVICE, PARAMS_MAX, REQUEST_BYTES_MAX, TransactionId, Wanted, encode_statement,
};
use plugin_abi::message::Outbound;
use plugin_abi::root::Mode;
pub use plugin_abi::value::{Value, ValueType};

pub use self::error::{DbError, DbErrorKind};
pub use self::params::{Params, ToParams, ToValue};
pub use self::row::{ColumnIndex, FromValue, Mismatch, Row};
#[cfg(feature = "sea-query")]
pub use self::sea_query::build;
pub use self::transaction::{Savepoint, Transaction};
use crate::calls::lent_bytes;
use crate::generation::Generation;
use crate::problem::Problem;
use crate::request::{FromRequestParts, Request};

/// The plugin's tables. Cheap to clone, usable from every thread of the plugin.
#[derive(Debug, Clone)]
pub struct Database {
    link: Link,
}

impl Database {
    pub(crate) fn new(generation: Arc<Generation>) -> Self {
        Self { link: Link { generation, transaction: None } }
    }

    /// Opens a transaction; dropping it takes its work back.
    ///
    /// On SQLite there is one writer at a time, and every transaction is one from its beginning: keep it
    /// short, and wait for nothing but the database in it.
    ///
    /// # Errors
    /// [`DbErrorKind::Busy`] when others hold the database for too long, [`DbErrorKind::Unavailable`].
    ///
    /// # Cancellation
    /// Dropping the future leaves no transaction open.
    pub async fn begin(&self) -> Result<Transaction, DbError> {
        transaction::begin(&self.link).await.map(Transaction::new)
    }
}

impl<P> FromRequestParts<P> for Database {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(request.context().db())
    }
}

/// Statements, by themselves or in a transaction.
///
/// # Cancellation
/// A statement that was asked for is carried out, whether or not its future is awaited to the end.
pub trait Queries: Linked {
    /// Which database it is.
    fn backend(&self) -> Backend {
        self.link().generation.database
    }

    /// Runs a statement that brings rows, and gives them all.
    ///
    /// # Errors
    /// What the database says, or that the rows are more than 8 MiB.
    fn query(
        &self,
        sql: &str,
        params: impl ToParams,
    ) -> impl Future<Output = Result<Vec<Row>, DbError>> + Send {
        let (link, payload) = (self.link().clone(), self.link().payload(Wanted::Rows, sql, params));
        async move { Row::all_of(link.ask(payload?).await?) }
    }

    /// Runs a statement that brings rows, and gives the first.
    ///
    /// # Errors
    /// As [`Queries::query`], and [`DbErrorKind::NoRow`] when there is none.
    fn query_one(
        &self,
        sql: &str,
        params: impl ToParams,
    ) -> impl Future<Output = Result<Row, DbError>> + Send {
        let rows = self.query_opt(sql, params);
        async move { rows.await?.ok_or_else(DbError::no_row) }
    }

    /// Runs a statement that brings rows, and gives the first if there is one.
    ///
    /// # Errors
    /// As [`Queries::query`].
    fn query_opt(
        &self,
        sql: &str,
        params: impl ToParams,
    ) -> impl Future<Output = Result<Option<Row>, DbError>> + Send {
        let rows = self.query(sql, params);
        async move { Ok(rows.await?.into_iter().next()) }
    }

    /// Runs a statement that brings no rows, and gives the number of those that it touched.
    ///
    /// # Errors
    /// What the database says.
    fn execute(
        &self,
        sql: &str,
        params: impl ToParams,
    ) -> impl Future<Output = Result<u64, DbError>> + Send {
        let payload = self.link().payload(Wanted::Touched, sql, params);
        let link = self.link().clone();
        async move {
            match Answer::decode(&link.ask(payload?).await?) {
                Ok(Answer::Touched(n_rows)) => Ok(n_rows),
                answer => Err(DbError::unexpected(answer)),
            }
        }
    }
}

impl<L: Linked> Queries for L {}

/// What statements go through; implemented by this module alone.
pub trait Linked: Sync {
    #[doc(hidden)]
    fn link(&self) -> &Link;
}

impl Linked for Database {
    fn link(&self) -> &Link {
        &self.link
    }
}

/// The way to the database service, in a transaction or outside of any.
#[doc(hidden)]
#[derive(Clone)]
pub struct Link {
    generation: Arc<Generation>,
    transaction: Option<TransactionId>,
}

impl Link {
    fn payload(
        &self,
        wanted: Wanted,
        sql: &str,
        params: impl ToParams,
    ) -> Result<Vec<u8>, DbError> {
        let mut written = Params::default();
        params.write_params(&mut written);
        let (n_params, params) = written.finish()?;
        let n_bytes = sql.len() + params.len();
        if n_params > PARAMS_MAX || n_bytes > REQUEST_BYTES_MAX {
            let message = format!(
                "the statement has {n_params} parameters and {n_bytes} bytes; \
                 at most {PARAMS_MAX} and {REQUEST_BYTES_MAX} can be sent at once"
            );
            return Err(DbError::new(DbErrorKind::TooLarge, message));
        }
        let n_params = u16::try_from(n_params).expect("the limit is below 65 536");
        Ok(encode_statement(wanted, self.transaction, sql, n_params, &params))
    }

    /// Asks the service; a fault is an error here already.
    async fn ask(&self, payload: Vec<u8>) -> Result<Bytes, DbError> {
        if self.generation.mode == Mode::Probe {
            return Err(DbError::in_probe());
        }
        let service = DATABASE_SERVICE;
        let call =
            self.generation.call(|call| Outbound::Service { call, service, payload: &payload });
        let answer = lent_bytes(call.await?);
        match Answer::decode(&answer) {
            Ok(Answer::Fault(fault)) => Err(DbError::of_fault(&fault)),
            Ok(_answer) => Ok(answer),
            Err(error) => Err(DbError::malformed(error)),
        }
    }

    /// Asks the service and does not wait: what a drop can do.
    fn tell(&self, payload: &[u8]) {
        let service = DATABASE_SERVICE;
        // The call is forgotten at once, and what the host brings for it thrown away.
        drop(self.generation.call(|call| Outbound::Service { call, service, payload }));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generation, transaction } = self;
        write!(f, "database of {generation:?}")?;
        transaction.map_or(Ok(()), |transaction| write!(f, ", transaction {transaction}"))
    }
}

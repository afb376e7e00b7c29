//! sea-orm on the plugin's own tables: its entities, with real transactions and savepoints.
//!
//! ```no_run
//! mod note {
//!     use plugin_sdk::sea_orm::{self, entity::prelude::*};
//!
//!     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
//!     #[sea_orm(table_name = "notes_all")]
//!     pub struct Model {
//!         #[sea_orm(primary_key, auto_increment = false)]
//!         pub id: Uuid,
//!         #[sea_orm(unique)]
//!         pub name: String,
//!         pub made_at: TimeDateTimeWithTimeZone,
//!     }
//!
//!     impl ActiveModelBehavior for ActiveModel {}
//!
//!     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//!     pub enum Relation {}
//! }
//!
//! use plugin_sdk::db::sea_orm::Connection;
//! use plugin_sdk::prelude::*;
//! use plugin_sdk::sea_orm::EntityTrait;
//!
//! async fn names(db: Connection) -> Result<Json<Vec<String>>, Problem> {
//!     let notes = note::Entity::find().all(&db).await?;
//!     Ok(Json(notes.into_iter().map(|note| note.name).collect()))
//! }
//! ```
//!
//! A [`Connection`] is an argument of handlers, or comes from [`Database::sea_orm`]. An error becomes a
//! [`Problem`] with `?`, and a [`DbError`] with `DbError::from` where its kind matters.
//!
//! What to know about the types: they must be those of the columns, in width too. On SQLite a column has its
//! declared type (`integer` is an `i32`, `bigint` an `i64`); sea-orm reads a value of another type as if there
//! were none. Moments are `TimeDateTimeWithTimeZone`. [`Sql::with`](crate::Sql::with) and
//! `sea_orm::Schema` make tables whose columns fit.
//!
//! What it does not do: streams of rows, levels of isolation on PostgreSQL, `last_insert_id` (inserts use
//! `RETURNING`), and rows as JSON (`into_json`), for which a model with serde is the way. Never build a
//! plugin together with sea-orm's own drivers: its features do not go together.

mod numbered;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use plugin_abi::database::answer::Answer;
use plugin_abi::database::{Backend, Wanted};
use plugin_abi::value::{Value, ValueType};
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, ProxyExecResult,
    ProxyRow, QueryResult, Statement, TransactionError, TransactionOptions, TransactionSession,
    TransactionTrait,
};
use time::OffsetDateTime;
use uuid::Uuid;

use self::numbered::numbered;
use super::transaction::{Ending, Scope, begin};
use super::{Database, DbError, DbErrorKind, Link, Mismatch, Row};
use crate::db::FromValue;
use crate::problem::Problem;
use crate::request::{FromRequestParts, Request};

/// The plugin's tables, for sea-orm.
#[derive(Debug, Clone)]
pub struct Connection {
    link: Link,
}

/// A transaction of sea-orm's, or a savepoint in one. Dropping it takes its work back.
#[derive(Debug)]
#[must_use = "a transaction that is dropped takes its work back"]
pub struct Transaction {
    scope: Scope,
}

impl Database {
    /// The same tables, for sea-orm.
    #[must_use]
    pub fn sea_orm(&self) -> Connection {
        Connection { link: self.link.clone() }
    }
}

impl<P> FromRequestParts<P> for Connection {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Ok(request.context().db().sea_orm())
    }
}

impl Link {
    fn sea_orm_backend(&self) -> DbBackend {
        match self.generation.database {
            Backend::Sqlite => DbBackend::Sqlite,
            Backend::Postgres => DbBackend::Postgres,
        }
    }

    fn payload_of(&self, wanted: Wanted, statement: Statement) -> Result<Vec<u8>, DbError> {
        let Statement { sql, values, db_backend } = statement;
        let values = values.unwrap_or(sea_query::Values(Vec::new()));
        // A `?` is an operator to PostgreSQL, and a parameter to SQLite.
        let sql =
            if db_backend == DbBackend::Sqlite { numbered(&sql) } else { sql.as_str().into() };
        self.payload(wanted, &sql, values)
    }

    async fn execute_statement(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let payload = self.payload_of(Wanted::Touched, statement)?;
        match Answer::decode(&self.ask(payload).await?) {
            Ok(Answer::Touched(n_rows)) => Ok(ProxyExecResult::new(0, n_rows).into()),
            answer => Err(DbError::unexpected(answer).into()),
        }
    }

    async fn query_statement(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let payload = self.payload_of(Wanted::Rows, statement)?;
        let rows = Row::all_of(self.ask(payload).await?)?;
        rows.iter().map(result_of).collect()
    }
}

macro_rules! connection {
    ($type:ty, |$own:ident| $link:expr) => {
        #[async_trait]
        impl ConnectionTrait for $type {
            fn get_database_backend(&self) -> DbBackend {
                let $own = self;
                $link.sea_orm_backend()
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                let $own = self;
                $link.execute_statement(statement).await
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                let statement = Statement::from_string(self.get_database_backend(), sql);
                self.execute_raw(statement).await
            }

            async fn query_one_raw(
                &self,
                statement: Statement,
            ) -> Result<Option<QueryResult>, DbErr> {
                Ok(self.query_all_raw(statement).await?.into_iter().next())
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                let $own = self;
                $link.query_statement(statement).await
            }
        }

        #[async_trait]
        impl TransactionTrait for $type {
            type Transaction = Transaction;

            async fn begin(&self) -> Result<Transaction, DbErr> {
                Ok(Transaction { scope: self.open().await? })
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                _access_mode: Option<AccessMode>,
            ) -> Result<Transaction, DbErr> {
                check_isolation(self.get_database_backend(), isolation_level)?;
                self.begin().await
            }

            async fn begin_with_options(
                &self,
                options: TransactionOptions,
            ) -> Result<Transaction, DbErr> {
                check_isolation(self.get_database_backend(), options.isolation_level)?;
                self.begin().await
            }

            async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(
                        &'c Transaction,
                    )
                        -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
                    + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                let transaction = self.begin().await.map_err(TransactionError::Connection)?;
                match callback(&transaction).await {
                    Ok(value) => {
                        transaction.commit().await.map_err(TransactionError::Connection)?;
                        Ok(value)
                    }
                    Err(error) => {
                        transaction.rollback().await.map_err(TransactionError::Connection)?;
                        Err(TransactionError::Transaction(error))
                    }
                }
            }

            async fn transaction_with_config<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                _access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(
                        &'c Transaction,
                    )
                        -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
                    + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                check_isolation(self.get_database_backend(), isolation_level)
                    .map_err(TransactionError::Connection)?;
                self.transaction(callback).await
            }
        }
    };
}

connection!(Connection, |own| own.link);
connection!(Transaction, |own| own.scope.link);

impl Connection {
    async fn open(&self) -> Result<Scope, DbError> {
        begin(&self.link).await
    }
}

impl Transaction {
    async fn open(&self) -> Result<Scope, DbError> {
        self.scope.nested().await
    }
}

#[async_trait]
impl TransactionSession for Transaction {
    async fn commit(self) -> Result<(), DbErr> {
        Ok(self.scope.end(Ending::Keep).await?)
    }

    async fn rollback(self) -> Result<(), DbErr> {
        Ok(self.scope.end(Ending::TakeBack).await?)
    }
}

/// On SQLite every transaction is serializable; on PostgreSQL the level is the server's.
fn check_isolation(backend: DbBackend, wanted: Option<IsolationLevel>) -> Result<(), DbErr> {
    match wanted {
        Some(level) if backend == DbBackend::Postgres => Err(DbErr::Custom(format!(
            "a plugin's transactions have the level of the server; {level} cannot be chosen"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// A row as sea-orm reads it: by name, and by position in the order of the names.
///
/// So that a position is that of the column, every column is there a second time, under a name that sorts
/// before all others and by its position; but not when the names are in order already.
fn result_of(row: &Row) -> Result<QueryResult, DbErr> {
    let mut values = BTreeMap::new();
    let is_in_order = row.columns().is_sorted();
    for (idx, (name, value)) in row.columns().zip(row.values()).enumerate() {
        let value = value_of(value).map_err(|Mismatch { wanted, why }| {
            let why = why.unwrap_or_default();
            let message = format!("column `{name}`: wanted `{wanted}`: {why}");
            DbError::new(DbErrorKind::Column, message)
        })?;
        if !is_in_order {
            values.insert(format!("\0{idx:05}"), value.clone());
        }
        values.insert(name.to_owned(), value);
    }
    Ok(ProxyRow::new(values).into())
}

fn value_of(value: Value<'_>) -> Result<sea_query::Value, Mismatch> {
    use sea_query::Value as Sea;

    Ok(match value {
        Value::Null(value_type) => null_of(value_type),
        Value::Bool(value) => Sea::Bool(Some(value)),
        Value::I16(value) => Sea::SmallInt(Some(value)),
        Value::I32(value) => Sea::Int(Some(value)),
        Value::I64(value) => Sea::BigInt(Some(value)),
        Value::F32(value) => Sea::Float(Some(value)),
        Value::F64(value) => Sea::Double(Some(value)),
        Value::Text(value) => Sea::String(Some(value.to_owned())),
        Value::Bytes(value) => Sea::Bytes(Some(value.to_owned())),
        Value::Uuid(value) => Sea::Uuid(Some(Uuid::from_bytes(value))),
        Value::Timestamp(_) => {
            Sea::TimeDateTimeWithTimeZone(Some(OffsetDateTime::from_value(value)?))
        }
        Value::Json(_) => Sea::Json(Some(Box::new(serde_json::Value::from_value(value)?))),
    })
}

fn null_of(value_type: ValueType) -> sea_query::Value {
    use sea_query::Value as Sea;

    match value_type {
        ValueType::Bool => Sea::Bool(None),
        ValueType::I16 => Sea::SmallInt(None),
        ValueType::I32 => Sea::Int(None),
        ValueType::I64 => Sea::BigInt(None),
        ValueType::F32 => Sea::Float(None),
        ValueType::F64 => Sea::Double(None),
        ValueType::Text => Sea::String(None),
        ValueType::Bytes => Sea::Bytes(None),
        ValueType::Uuid => Sea::Uuid(None),
        ValueType::Timestamp => Sea::TimeDateTimeWithTimeZone(None),
        ValueType::Json => Sea::Json(None),
    }
}

/// Under this kind of sea-orm's errors ours travels whole; its own kinds carry text alone.
impl From<DbError> for DbErr {
    fn from(error: DbError) -> Self {
        Self::TryIntoErr {
            from: "statement",
            into: "answer of the database",
            source: Arc::new(error),
        }
    }
}

impl From<DbErr> for DbError {
    fn from(error: DbErr) -> Self {
        if let DbErr::TryIntoErr { source, .. } = &error
            && let Some(own) = source.downcast_ref::<Self>()
        {
            return own.clone();
        }
        let kind = if matches!(error, DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated) {
            DbErrorKind::NoRow
        } else if matches!(error, DbErr::Type(_)) {
            DbErrorKind::Column
        } else {
            DbErrorKind::Other
        };
        Self::new(kind, error.to_string())
    }
}

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        DbError::from(error).into()
    }
}

//! Service 1, the database: what a plugin asks of its own tables, and what it is answered.
//!
//! A payload is one [`Request`]; the call completes with one answer ([`answer::Answer`]). A statement runs
//! by itself or in a transaction that the host holds for the plugin and names by a number. SQL says `$1`
//! for its first parameter on both databases. What the database refuses is an answer too
//! ([`answer::Fault`]), with a kind that programs match. Not here: connections, limits in time, or who may
//! touch which table; that is the host's, and the database's own.

pub mod answer;
pub mod declared;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::{Value, read_row};
use crate::wire::{Reader, WireError, Writer};

/// The number of this service.
pub const DATABASE_SERVICE: u64 = 1;

/// The most bytes of a request: its SQL and its parameters together.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most bytes of an answer; a query that brings more fails and says so.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most parameters of a statement, as SQLite has it.
pub const PARAMS_MAX: usize = 32_766;

/// The number of an open transaction, chosen by the host, never 0.
pub type TransactionId = u64;

/// The number of a savepoint, chosen by the plugin, unique in its transaction.
pub type SavepointId = u32;

/// Which database the host keeps the tables in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// SQLite, embedded in the host.
    #[default]
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// What a plugin asks. New kinds are appended; a host completes one that it does not know with `Invalid`.
#[derive(Debug, Clone, PartialEq)]
pub enum Request<'a> {
    /// Runs a statement that brings rows; answered with rows.
    Query(Statement<'a>),
    /// Runs a statement that brings none; answered with the number of rows it touched.
    Execute(Statement<'a>),
    /// Opens a transaction; answered with its number.
    Begin,
    /// Makes a transaction's work lasting and ends it.
    Commit(TransactionId),
    /// Takes a transaction's work back and ends it.
    Rollback(TransactionId),
    /// Marks a place in a transaction to which it can go back.
    Savepoint(TransactionId, SavepointId),
    /// Forgets a savepoint and keeps what was done since.
    Release(TransactionId, SavepointId),
    /// Takes back what was done since a savepoint, which stays.
    RollbackTo(TransactionId, SavepointId),
}

/// A statement with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement<'a> {
    /// The transaction it is part of, or `None` for one of its own.
    pub transaction: Option<TransactionId>,
    /// One statement; `$1` is the first parameter.
    pub sql: &'a str,
    /// The parameters in order.
    pub params: Vec<Value<'a>>,
}

/// The numbers of [`Request`] kinds.
mod kind {
    pub(super) const QUERY: u8 = 1;
    pub(super) const EXECUTE: u8 = 2;
    pub(super) const BEGIN: u8 = 3;
    pub(super) const COMMIT: u8 = 4;
    pub(super) const ROLLBACK: u8 = 5;
    pub(super) const SAVEPOINT: u8 = 6;
    pub(super) const RELEASE: u8 = 7;
    pub(super) const ROLLBACK_TO: u8 = 8;
}

impl<'a> Request<'a> {
    /// The payload of the call.
    ///
    /// # Panics
    /// When a statement has more than 65 535 parameters; [`PARAMS_MAX`] is below that.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Query(statement) => statement.encode(Wanted::Rows),
            Self::Execute(statement) => statement.encode(Wanted::Touched),
            Self::Begin => vec![kind::BEGIN],
            Self::Commit(transaction) => about(kind::COMMIT, *transaction, None),
            Self::Rollback(transaction) => about(kind::ROLLBACK, *transaction, None),
            Self::Savepoint(transaction, savepoint) => {
                about(kind::SAVEPOINT, *transaction, Some(*savepoint))
            }
            Self::Release(transaction, savepoint) => {
                about(kind::RELEASE, *transaction, Some(*savepoint))
            }
            Self::RollbackTo(transaction, savepoint) => {
                about(kind::ROLLBACK_TO, *transaction, Some(*savepoint))
            }
        }
    }

    /// Reads what [`Request::encode`] wrote.
    ///
    /// # Errors
    /// When the payload is not such a request.
    pub fn decode(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let unknown = reader.malformed("database request");
        let request = match reader.u8("database request")? {
            kind::QUERY => Self::Query(Statement::read(&mut reader)?),
            kind::EXECUTE => Self::Execute(Statement::read(&mut reader)?),
            kind::BEGIN => Self::Begin,
            kind::COMMIT => Self::Commit(reader.u64(TRANSACTION)?),
            kind::ROLLBACK => Self::Rollback(reader.u64(TRANSACTION)?),
            kind::SAVEPOINT => Self::Savepoint(reader.u64(TRANSACTION)?, reader.u32(SAVEPOINT)?),
            kind::RELEASE => Self::Release(reader.u64(TRANSACTION)?, reader.u32(SAVEPOINT)?),
            kind::ROLLBACK_TO => Self::RollbackTo(reader.u64(TRANSACTION)?, reader.u32(SAVEPOINT)?),
            _unknown => return Err(unknown),
        };
        if !reader.rest().is_empty() {
            return Err(reader.malformed("end of a database request"));
        }
        Ok(request)
    }
}

const TRANSACTION: &str = "transaction";
const SAVEPOINT: &str = "savepoint";

fn about(kind: u8, transaction: TransactionId, savepoint: Option<SavepointId>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(13);
    writer.u8(kind);
    writer.u64(transaction);
    if let Some(savepoint) = savepoint {
        writer.u32(savepoint);
    }
    writer.finish()
}

/// What a statement is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Rows: [`Request::Query`].
    Rows,
    /// The number of rows it touched: [`Request::Execute`].
    Touched,
}

/// The payload of a statement whose parameters are written already: `n_params` values, one after the other.
#[must_use]
pub fn encode_statement(
    wanted: Wanted,
    transaction: Option<TransactionId>,
    sql: &str,
    n_params: u16,
    params: &[u8],
) -> Vec<u8> {
    let mut writer = Writer::with_capacity(32 + sql.len() + params.len());
    writer.u8(match wanted {
        Wanted::Rows => kind::QUERY,
        Wanted::Touched => kind::EXECUTE,
    });
    writer.u64(transaction.unwrap_or(0));
    writer.str(sql);
    writer.u16(n_params);
    writer.raw(params);
    writer.finish()
}

impl<'a> Statement<'a> {
    fn encode(&self, wanted: Wanted) -> Vec<u8> {
        let Self { transaction, sql, params } = self;
        let n_params = u16::try_from(params.len()).expect("no statement has 65 536 parameters");
        let mut writer = Writer::with_capacity(16 * params.len());
        params.iter().for_each(|param| param.write(&mut writer));
        encode_statement(wanted, *transaction, sql, n_params, &writer.finish())
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let transaction = reader.u64(TRANSACTION)?;
        Ok(Self {
            transaction: (transaction != 0).then_some(transaction),
            sql: reader.str("sql")?,
            params: read_row(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueType;

    fn one_of_each() -> Vec<Request<'static>> {
        let statement = |transaction| Statement {
            transaction,
            sql: "SELECT $1, $2",
            params: vec![Value::I32(7), Value::Null(ValueType::Uuid)],
        };
        vec![
            Request::Query(statement(None)),
            Request::Execute(statement(Some(9))),
            Request::Begin,
            Request::Commit(1),
            Request::Rollback(2),
            Request::Savepoint(3, 1),
            Request::Release(4, u32::MAX),
            Request::RollbackTo(u64::MAX, 3),
        ]
    }

    #[test]
    fn every_request_survives_the_crossing() {
        for request in one_of_each() {
            assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
    }

    #[test]
    fn every_truncated_request_is_refused_and_so_is_a_tail() {
        for request in one_of_each() {
            let mut payload = request.encode();
            for n_bytes in 0..payload.len() {
                assert!(Request::decode(&payload[..n_bytes]).is_err(), "{n_bytes} of {request:?}");
            }
            payload.push(0);
            assert!(Request::decode(&payload).is_err(), "a tail after {request:?}");
        }
    }

    #[test]
    fn an_unknown_request_is_told_and_not_guessed() {
        let error = Request::decode(&[200]).unwrap_err();
        assert_eq!(error.to_string(), "malformed `database request` at byte 0 of a message");
    }

    #[test]
    fn backends_are_written_as_the_configuration_names_them() {
        for (backend, name) in
            [(Backend::Sqlite, "\"sqlite\""), (Backend::Postgres, "\"postgres\"")]
        {
            assert_eq!(serde_json::to_string(&backend).unwrap(), name);
        }
    }
}

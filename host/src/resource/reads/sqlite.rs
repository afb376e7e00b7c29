//! Running a statement on a file, on this thread.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ToSql, params_from_iter};
use sea_orm::Value as Sea;

use super::{ReadError, Sink};
use crate::store::Readers;

pub(super) fn run(
    readers: &Readers,
    sql: &str,
    values: &[Sea],
    sink: &mut impl Sink,
) -> Result<(), ReadError> {
    readers.read(|db| {
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values.iter().map(Parameter)))?;
        while let Some(row) = rows.next()? {
            sink.take(row)?;
        }
        Ok(())
    })
}

/// A value of a statement. Ids and moments are text by now.
struct Parameter<'v>(&'v Sea);

impl ToSql for Parameter<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "statements have no values of other types")]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Sea::String(Some(text)) => ValueRef::Text(text.as_bytes()),
            Sea::BigInt(Some(value)) => ValueRef::Integer(*value),
            Sea::Int(Some(value)) => ValueRef::Integer(i64::from(*value)),
            Sea::BigUnsigned(Some(value)) => {
                ValueRef::Integer(i64::try_from(*value).unwrap_or(i64::MAX))
            }
            Sea::Bool(Some(value)) => ValueRef::Integer(i64::from(*value)),
            Sea::Double(Some(value)) => ValueRef::Real(*value),
            Sea::String(None)
            | Sea::BigInt(None)
            | Sea::Int(None)
            | Sea::BigUnsigned(None)
            | Sea::Bool(None)
            | Sea::Double(None) => ValueRef::Null,
            other => {
                let what = format!("{other:?} is no value for SQLite");
                return Err(rusqlite::Error::ToSqlConversionFailure(what.into()));
            }
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

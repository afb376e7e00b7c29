//! A statement on SQLite: parameters as it stores them, columns as they were declared.
//!
//! SQLite has five kinds of values and remembers what a column was declared as. A value is given the type of its
//! column's declaration (`plugin_abi::database::declared`) when it fits, and else that of how it is stored. UUIDs and
//! timestamps are text, in one form each, so that they compare as what they are.

use futures_util::TryStreamExt as _;
use plugin_abi::database::answer::{self, FaultKind, RowsWriter};
use plugin_abi::database::{ANSWER_BYTES_MAX, Statement, declared};
use plugin_abi::value::{Value, ValueType};
use sqlx::sqlite::{SqliteArguments, SqliteRow, SqliteTypeInfo};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Either, Executor as _, Row as _, SqlSafeStr as _,
    TypeInfo as _, ValueRef as _,
};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use uuid::Uuid;

use super::statement::{Failure, Stopped, Wanted};
use super::syntax;
use crate::store::fence::{Fence, SqliteSession, Tables};

/// Runs a statement.
pub(super) async fn run(
    session: &mut SqliteSession,
    fence: &Fence,
    wanted: Wanted,
    statement: &Statement<'_>,
) -> Result<Vec<u8>, Stopped> {
    let Statement { transaction: _, sql, params } = statement;
    check(sql, params.len())?;
    let query = sqlx::query_with(AssertSqlSafe(*sql), arguments(params)?);
    match wanted {
        Wanted::Rows => {
            let connection = session.connection();
            let mut rows = None;
            {
                let mut stream = query.fetch(&mut *connection);
                while let Some(row) = stream.try_next().await? {
                    let rows = rows.get_or_insert_with(|| Rows::of(&row, &fence.tables()));
                    rows.push(&row)?;
                }
            }
            let Some(Rows { writer, .. }) = rows else {
                let prepared = connection.prepare(AssertSqlSafe(*sql).into_sql_str()).await?;
                let columns = sqlx::Statement::columns(&prepared);
                return Ok(RowsWriter::new(columns.iter().map(|column| column.name())).finish());
            };
            Ok(writer.finish())
        }
        Wanted::Touched => {
            let n_changes = Changes::before(session, sql).await?;
            let mut stream = session.connection().fetch_many(query);
            let (mut n_rows, mut n_changed) = (0, 0);
            while let Some(step) = stream.try_next().await? {
                match step {
                    Either::Left(done) => n_changed = done.rows_affected(),
                    Either::Right(_row) => n_rows += 1,
                }
            }
            drop(stream);
            Ok(answer::touched(n_changes.touched(session, n_rows, n_changed).await?))
        }
    }
}

/// SQLite would run a second statement after the first, take a parameter that is missing for NULL, and count the
/// changes of the last statement that made any.
fn check(sql: &str, n_params: usize) -> Result<(), Failure> {
    let syntax::Shape { has_more, n_params: n_wanted, odd_param } = syntax::shape(sql);
    if has_more {
        return Err(Failure::host(
            FaultKind::Syntax,
            "one statement at a time: there is more behind `;`",
        ));
    }
    if let Some(param) = odd_param {
        let message = format!("parameter `{param}`: parameters are `$1`, `$2`, …");
        return Err(Failure::host(FaultKind::Syntax, message));
    }
    if n_wanted as usize != n_params {
        let message = format!("the statement has {n_wanted} parameters, and {n_params} were given");
        return Err(Failure::host(FaultKind::Syntax, message));
    }
    Ok(())
}

/// How to tell how many rows a statement touched.
#[derive(Debug, Clone, Copy)]
enum Changes {
    /// It changes rows, so SQLite's count is its own.
    Counted,
    /// It brings rows.
    Rows,
    /// It may do either: so many changes were made on the connection before it.
    Since(u64),
}

impl Changes {
    async fn before(session: &mut SqliteSession, sql: &str) -> Result<Self, sqlx::Error> {
        Ok(match &*syntax::first_word(sql) {
            "insert" | "update" | "delete" | "replace" => Self::Counted,
            "with" => Self::Since(session.n_changes().await?),
            _query => Self::Rows,
        })
    }

    async fn touched(
        self,
        session: &mut SqliteSession,
        n_rows: u64,
        n_changed: u64,
    ) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Counted => n_changed,
            Self::Rows => n_rows,
            Self::Since(before) if session.n_changes().await? > before => n_changed,
            Self::Since(_) => n_rows,
        })
    }
}

/// The parameters as SQLite stores them.
fn arguments(params: &[Value<'_>]) -> Result<SqliteArguments, Failure> {
    let mut arguments = SqliteArguments::default();
    for (idx, param) in params.iter().enumerate() {
        let added = match *param {
            Value::Null(_) => arguments.add(None::<i64>),
            Value::Bool(value) => arguments.add(i64::from(value)),
            Value::I16(value) => arguments.add(i64::from(value)),
            Value::I32(value) => arguments.add(i64::from(value)),
            Value::I64(value) => arguments.add(value),
            Value::F32(value) => arguments.add(f64::from(value)),
            Value::F64(value) => arguments.add(value),
            Value::Text(value) | Value::Json(value) => arguments.add(value.to_owned()),
            Value::Bytes(value) => arguments.add(value.to_vec()),
            Value::Uuid(bytes) => arguments.add(Uuid::from_bytes(bytes).hyphenated().to_string()),
            Value::Timestamp(us) => arguments.add(timestamp_text(us)?),
        };
        added.map_err(|error| {
            Failure::host(FaultKind::Other, format!("parameter ${}: {error}", idx + 1))
        })?;
    }
    Ok(arguments)
}

/// Always as long, so that it sorts.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

fn timestamp_text(us: i64) -> Result<String, Failure> {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok();
    let text =
        moment.filter(|moment| moment.year() >= 0).and_then(|moment| moment.format(TIMESTAMP).ok());
    text.ok_or_else(|| {
        Failure::host(FaultKind::Other, format!("{us} µs is not between the years 0 and 9999"))
    })
}

/// Reads what [`timestamp_text`] writes, and what SQLite's own functions do (`CURRENT_TIMESTAMP`), which is in UTC.
fn timestamp_us(text: &str) -> Option<i64> {
    let mut text = text.replacen(' ', "T", 1);
    let has_offset = text.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-']));
    if !has_offset {
        text.push('Z');
    }
    let moment = OffsetDateTime::parse(&text, &Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos() / 1_000).ok()
}

/// Rows on their way out.
struct Rows {
    writer: RowsWriter,
    /// What each column was declared as, where that means something.
    types: Vec<Option<ValueType>>,
}

impl Rows {
    fn of(first: &SqliteRow, tables: &Tables) -> Self {
        let columns = first.columns();
        let types = columns.iter().map(|column| {
            let origin = column.origin();
            let column = origin.table_column()?;
            declared::value_type(tables.declared(&column.table, &column.name)?)
        });
        let types = types.collect();
        Self { writer: RowsWriter::new(columns.iter().map(|column| column.name())), types }
    }

    fn push(&mut self, row: &SqliteRow) -> Result<(), Stopped> {
        let mut values = Vec::with_capacity(self.types.len());
        for (idx, declared) in self.types.iter().enumerate() {
            values.push(value(row, idx, *declared)?);
        }
        self.writer.push(&values);
        if self.writer.n_bytes() > ANSWER_BYTES_MAX {
            return Err(Failure::too_large().into());
        }
        Ok(())
    }
}

fn value(
    row: &SqliteRow,
    idx: usize,
    declared: Option<ValueType>,
) -> Result<Value<'_>, sqlx::Error> {
    let raw = row.try_get_raw(idx)?;
    if raw.is_null() {
        return Ok(Value::Null(declared.unwrap_or(ValueType::Text)));
    }
    let stored: SqliteTypeInfo = raw.type_info().into_owned();
    Ok(match stored.name() {
        "INTEGER" => of_integer(row.try_get_unchecked(idx)?, declared),
        "REAL" => of_real(row.try_get_unchecked(idx)?, declared),
        "TEXT" => {
            let bytes: &[u8] = row.try_get_unchecked(idx)?;
            // SQLite does not check what it is told is text.
            str::from_utf8(bytes).map_or(Value::Bytes(bytes), |text| of_text(text, declared))
        }
        _blob => of_blob(row.try_get_unchecked(idx)?, declared),
    })
}

fn of_integer(value: i64, declared: Option<ValueType>) -> Value<'static> {
    let fitting = match declared {
        Some(ValueType::Bool) if value == 0 || value == 1 => Some(Value::Bool(value == 1)),
        Some(ValueType::I16) => i16::try_from(value).ok().map(Value::I16),
        Some(ValueType::I32) => i32::try_from(value).ok().map(Value::I32),
        // A whole number in a column of floats is stored as an integer.
        Some(ValueType::F32 | ValueType::F64) => Some(Value::F64(approximate(value))),
        Some(
            ValueType::Bool
            | ValueType::I64
            | ValueType::Text
            | ValueType::Bytes
            | ValueType::Uuid
            | ValueType::Timestamp
            | ValueType::Json,
        )
        | None => None,
    };
    fitting.unwrap_or(Value::I64(value))
}

#[expect(clippy::cast_precision_loss, reason = "SQLite does the same when it reads the column")]
fn approximate(value: i64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a column of 32-bit floats; what would lose anything is not narrowed"
)]
fn of_real(value: f64, declared: Option<ValueType>) -> Value<'static> {
    let narrow = value as f32;
    if declared == Some(ValueType::F32) && f64::from(narrow).to_bits() == value.to_bits() {
        return Value::F32(narrow);
    }
    Value::F64(value)
}

fn of_text(text: &str, declared: Option<ValueType>) -> Value<'_> {
    let fitting = match declared {
        Some(ValueType::Uuid) => {
            Uuid::try_parse(text).ok().map(|uuid| Value::Uuid(uuid.into_bytes()))
        }
        Some(ValueType::Timestamp) => timestamp_us(text).map(Value::Timestamp),
        Some(ValueType::Json) => Some(Value::Json(text)),
        Some(
            ValueType::Bool
            | ValueType::I16
            | ValueType::I32
            | ValueType::I64
            | ValueType::F32
            | ValueType::F64
            | ValueType::Text
            | ValueType::Bytes,
        )
        | None => None,
    };
    fitting.unwrap_or(Value::Text(text))
}

fn of_blob(bytes: &[u8], declared: Option<ValueType>) -> Value<'_> {
    match <[u8; 16]>::try_from(bytes) {
        Ok(uuid) if declared == Some(ValueType::Uuid) => Value::Uuid(uuid),
        Ok(_) | Err(_) => Value::Bytes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_text_of_one_form() {
        for (us, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_769_903_999_000_001, "2026-01-31T23:59:59.000001Z"),
        ] {
            assert_eq!(timestamp_text(us).unwrap(), text);
            assert_eq!(timestamp_us(text), Some(us));
        }
        assert!(timestamp_text(i64::MAX).is_err());
    }

    #[test]
    fn what_sqlite_writes_itself_is_read_as_utc() {
        let us = timestamp_us("2026-01-31T23:59:59Z");
        for text in [
            "2026-01-31 23:59:59",
            "2026-01-31 23:59:59.000",
            "2026-02-01 00:59:59+01:00",
            "2026-01-31T23:59:59+00:00",
        ] {
            assert_eq!(timestamp_us(text), us, "{text}");
        }
        assert_eq!(timestamp_us("yesterday"), None);
    }

    #[test]
    fn a_value_that_does_not_fit_its_declaration_goes_by_how_it_is_stored() {
        assert_eq!(of_integer(7, Some(ValueType::I32)), Value::I32(7));
        assert_eq!(of_integer(1 << 40, Some(ValueType::I32)), Value::I64(1 << 40));
        assert_eq!(of_integer(2, Some(ValueType::Bool)), Value::I64(2));
        assert_eq!(of_integer(2, Some(ValueType::F64)), Value::F64(2.0));
        assert_eq!(of_real(0.5, Some(ValueType::F32)), Value::F32(0.5));
        assert_eq!(of_real(0.1, Some(ValueType::F32)), Value::F64(0.1));
        assert_eq!(of_text("no uuid", Some(ValueType::Uuid)), Value::Text("no uuid"));
        assert_eq!(of_blob(&[7; 16], Some(ValueType::Uuid)), Value::Uuid([7; 16]));
        assert_eq!(of_blob(&[7; 15], Some(ValueType::Uuid)), Value::Bytes(&[7; 15]));
    }
}

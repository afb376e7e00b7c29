//! One statement on SQLite, with values as the daemon would send them.

use plugin_abi::database::answer::{Fault, FaultKind, RowsWriter, touched};
use plugin_abi::database::{Statement, Wanted, declared};
use plugin_abi::value::{Value, ValueType};
use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Connection, Error, ffi};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use uuid::Uuid;

/// A timestamp as it is stored: always this long, so that text sorts as time.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Runs a statement and gives the answer, which may be a fault.
pub(super) fn run(connection: &Connection, wanted: Wanted, statement: &Statement<'_>) -> Vec<u8> {
    try_run(connection, wanted, statement).unwrap_or_else(|error| fault(&error))
}

fn try_run(
    connection: &Connection,
    wanted: Wanted,
    statement: &Statement<'_>,
) -> Result<Vec<u8>, Error> {
    let mut prepared = connection.prepare(statement.sql)?;
    for idx in 1..=prepared.parameter_count() {
        let name = prepared.parameter_name(idx).unwrap_or("?");
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        let number = number.ok_or_else(|| Error::InvalidParameterName(name.to_owned()))?;
        let value = number.checked_sub(1).and_then(|param_idx| statement.params.get(param_idx));
        let value = value.ok_or(Error::InvalidParameterCount(statement.params.len(), number))?;
        prepared.raw_bind_parameter(idx, stored(value))?;
    }
    let columns: Vec<(String, Option<ValueType>)> = prepared
        .columns()
        .iter()
        .map(|it| (it.name().to_owned(), it.decl_type().and_then(declared::value_type)))
        .collect();
    let mut written = RowsWriter::new(columns.iter().map(|(name, _declared)| name.as_str()));
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        let values = columns.iter().enumerate();
        let values =
            values.map(|(idx, (_name, declared))| Ok(tagged(row.get_ref(idx)?, *declared)));
        written.push(&values.collect::<Result<Vec<_>, Error>>()?);
    }
    Ok(match wanted {
        Wanted::Rows => written.finish(),
        Wanted::Touched => touched(connection.changes()),
    })
}

/// A parameter as SQLite stores it.
fn stored<'v>(value: &Value<'v>) -> ToSqlOutput<'v> {
    let text = |text: String| ToSqlOutput::Owned(Stored::Text(text));
    let borrowed = ToSqlOutput::Borrowed;
    match *value {
        Value::Null(_) => borrowed(ValueRef::Null),
        Value::Bool(value) => borrowed(ValueRef::Integer(value.into())),
        Value::I16(value) => borrowed(ValueRef::Integer(value.into())),
        Value::I32(value) => borrowed(ValueRef::Integer(value.into())),
        Value::I64(value) => borrowed(ValueRef::Integer(value)),
        Value::F32(value) => borrowed(ValueRef::Real(value.into())),
        Value::F64(value) => borrowed(ValueRef::Real(value)),
        Value::Text(value) | Value::Json(value) => borrowed(ValueRef::Text(value.as_bytes())),
        Value::Bytes(value) => borrowed(ValueRef::Blob(value)),
        Value::Uuid(value) => text(Uuid::from_bytes(value).to_string()),
        Value::Timestamp(value) => {
            let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(value) * 1_000);
            let time = time.expect("a timestamp of a plugin is a time");
            text(time.format(TIMESTAMP).expect("a time has all these parts"))
        }
    }
}

/// A stored value with the tag of its column's declared type, if it fits, else of how it is stored.
fn tagged(stored: ValueRef<'_>, declared: Option<ValueType>) -> Value<'_> {
    let by_storage = match stored {
        ValueRef::Null => return Value::Null(declared.unwrap_or(ValueType::Text)),
        ValueRef::Integer(value) => Value::I64(value),
        ValueRef::Real(value) => Value::F64(value),
        ValueRef::Text(value) => {
            Value::Text(str::from_utf8(value).expect("a test stores text as UTF-8"))
        }
        ValueRef::Blob(value) => Value::Bytes(value),
    };
    declared.and_then(|declared| as_declared(stored, declared)).unwrap_or(by_storage)
}

fn as_declared(stored: ValueRef<'_>, declared: ValueType) -> Option<Value<'_>> {
    let integer = || stored.as_i64().ok();
    let text = || stored.as_str().ok();
    match declared {
        ValueType::Bool => match integer()? {
            0 => Some(Value::Bool(false)),
            1 => Some(Value::Bool(true)),
            _neither => None,
        },
        ValueType::I16 => integer()?.try_into().ok().map(Value::I16),
        ValueType::I32 => integer()?.try_into().ok().map(Value::I32),
        #[expect(clippy::cast_possible_truncation, reason = "the column is declared that narrow")]
        ValueType::F32 => stored.as_f64().ok().map(|value| Value::F32(value as f32)),
        ValueType::Uuid => Uuid::try_parse(text()?).ok().map(|it| Value::Uuid(it.into_bytes())),
        ValueType::Timestamp => {
            let time = OffsetDateTime::parse(text()?, &Rfc3339).ok()?;
            i64::try_from(time.unix_timestamp_nanos() / 1_000).ok().map(Value::Timestamp)
        }
        ValueType::Json => text().map(Value::Json),
        // As stored.
        ValueType::I64 | ValueType::F64 | ValueType::Text | ValueType::Bytes => None,
    }
}

/// The answer that tells an error.
pub(super) fn fault(error: &Error) -> Vec<u8> {
    let message = error.to_string();
    let (Error::SqliteFailure(ffi::Error { extended_code, .. }, _)
    | Error::SqlInputError { error: ffi::Error { extended_code, .. }, .. }) = error
    else {
        let kind = FaultKind::Syntax;
        return Fault { kind, code: "", constraint: None, message: &message }.encode();
    };
    let kind = match (*extended_code, *extended_code & 0xff) {
        (ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY, _) => {
            FaultKind::UniqueViolation
        }
        (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, _) => FaultKind::ForeignKeyViolation,
        (ffi::SQLITE_CONSTRAINT_NOTNULL, _) => FaultKind::NotNullViolation,
        (ffi::SQLITE_CONSTRAINT_CHECK, _) => FaultKind::CheckViolation,
        (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => FaultKind::Busy,
        (_, ffi::SQLITE_AUTH) => FaultKind::Denied,
        (_, ffi::SQLITE_ERROR) => FaultKind::Syntax,
        _other => FaultKind::Other,
    };
    let constraint = message.split_once(" constraint failed: ").map(|(_kind, place)| place);
    Fault { kind, code: &extended_code.to_string(), constraint, message: &message }.encode()
}

/// The rows of a statement, for people.
pub(super) fn rows_as_json(
    connection: &Connection,
    sql: &str,
) -> Result<Vec<Vec<serde_json::Value>>, Error> {
    let mut prepared = connection.prepare(sql)?;
    let n_columns = prepared.column_count();
    let mut found = prepared.query(())?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..n_columns).map(|idx| {
            Ok(match row.get_ref(idx)? {
                ValueRef::Null => serde_json::Value::Null,
                ValueRef::Integer(value) => value.into(),
                ValueRef::Real(value) => value.into(),
                ValueRef::Text(value) => String::from_utf8_lossy(value).into(),
                ValueRef::Blob(value) => value.into(),
            })
        });
        rows.push(values.collect::<Result<_, Error>>()?);
    }
    Ok(rows)
}

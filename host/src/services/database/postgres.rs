//! A statement on PostgreSQL: parameters of exact types, columns by theirs.
//!
//! The server's binary forms are read and written here directly. What has no tag travels as text ([`text`]);
//! a column of a type that has neither is refused by name, with the cast that helps.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use plugin_abi::database::answer::{self, FaultKind, RowsWriter};
use plugin_abi::database::{ANSWER_BYTES_MAX, Statement};
use plugin_abi::value::{Value, ValueType};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, PgTypeKind};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Encode, Executor as _, Postgres, Row as _,
    SqlSafeStr as _, Type, TypeInfo as _, ValueRef as _,
};

use super::fault;
use super::statement::{Failure, Stopped, Wanted};
use super::syntax;
use crate::store::fence::{Fence, PostgresSession};

mod text;

/// What statements may begin with. The rest would change the session, end a transaction behind the host's back, or
/// put the connection into another protocol; the database refuses most of it by itself.
const FIRST_WORDS: [&str; 9] =
    ["select", "insert", "update", "delete", "with", "values", "table", "merge", "explain"];

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH_US: i64 = 946_684_800_000_000;

/// Runs a statement.
pub(super) async fn run(
    session: &mut PostgresSession,
    fence: &Fence,
    wanted: Wanted,
    statement: &Statement<'_>,
) -> Result<Vec<u8>, Stopped> {
    let Statement { transaction: _, sql, params } = statement;
    let word = syntax::first_word(sql);
    if !FIRST_WORDS.contains(&&*word) {
        let what = format!("run `{word}` as a statement");
        return Err(Failure::Host(fault::denied(fence, &what)).into());
    }
    let sql = signed(sql, params);
    let connection = session.connection();
    match wanted {
        Wanted::Rows => {
            let mut rows = None;
            {
                let query = sqlx::query_with(AssertSqlSafe(&*sql), arguments(params)?);
                let mut stream = query.fetch(&mut *connection);
                while let Some(row) = stream.try_next().await? {
                    let rows = rows.get_or_insert_with(|| {
                        RowsWriter::new(row.columns().iter().map(|column| column.name()))
                    });
                    push(rows, &row)?;
                }
            }
            let Some(rows) = rows else {
                // It was compiled a moment ago, so nobody has to be asked.
                let prepared = connection.prepare(AssertSqlSafe(&*sql).into_sql_str()).await?;
                let columns = sqlx::Statement::columns(&prepared);
                return Ok(RowsWriter::new(columns.iter().map(|column| column.name())).finish());
            };
            Ok(rows.finish())
        }
        Wanted::Touched => {
            let query = sqlx::query_with(AssertSqlSafe(&*sql), arguments(params)?);
            Ok(answer::touched(query.execute(connection).await?.rows_affected()))
        }
    }
}

/// The statement with the types of its parameters before it: what is compiled is kept by its text, and suits these
/// types only.
fn signed(sql: &str, params: &[Value<'_>]) -> String {
    if params.is_empty() {
        return sql.to_owned();
    }
    let mut signed = String::with_capacity(sql.len() + 12 * params.len());
    signed.push_str("/*");
    for param in params {
        // Writing to a String does not fail.
        let _written = write!(signed, " {}", type_info(param.value_type()).name());
    }
    signed.push_str(" */ ");
    signed.push_str(sql);
    signed
}

fn arguments(params: &[Value<'_>]) -> Result<PgArguments, Failure> {
    let mut arguments = PgArguments::default();
    for (idx, param) in params.iter().enumerate() {
        arguments.add(Param(*param)).map_err(|error| {
            Failure::host(FaultKind::Other, format!("parameter ${}: {error}", idx + 1))
        })?;
    }
    Ok(arguments)
}

fn type_info(value_type: ValueType) -> PgTypeInfo {
    match value_type {
        ValueType::Bool => <bool as Type<Postgres>>::type_info(),
        ValueType::I16 => <i16 as Type<Postgres>>::type_info(),
        ValueType::I32 => <i32 as Type<Postgres>>::type_info(),
        ValueType::I64 => <i64 as Type<Postgres>>::type_info(),
        ValueType::F32 => <f32 as Type<Postgres>>::type_info(),
        ValueType::F64 => <f64 as Type<Postgres>>::type_info(),
        ValueType::Text => <str as Type<Postgres>>::type_info(),
        ValueType::Bytes => <[u8] as Type<Postgres>>::type_info(),
        ValueType::Uuid => <uuid::Uuid as Type<Postgres>>::type_info(),
        ValueType::Timestamp => <time::OffsetDateTime as Type<Postgres>>::type_info(),
        ValueType::Json => <serde_json::Value as Type<Postgres>>::type_info(),
    }
}

/// A parameter, in the server's binary form.
struct Param<'a>(Value<'a>);

impl Type<Postgres> for Param<'_> {
    /// Not asked for: each value tells its own.
    fn type_info() -> PgTypeInfo {
        type_info(ValueType::Text)
    }
}

impl Encode<'_, Postgres> for Param<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self.0 {
            Value::Null(_) => return Ok(IsNull::Yes),
            Value::Bool(value) => buffer.push(u8::from(value)),
            Value::I16(value) => buffer.extend(value.to_be_bytes()),
            Value::I32(value) => buffer.extend(value.to_be_bytes()),
            Value::I64(value) => buffer.extend(value.to_be_bytes()),
            Value::F32(value) => buffer.extend(value.to_be_bytes()),
            Value::F64(value) => buffer.extend(value.to_be_bytes()),
            Value::Text(value) => buffer.extend(value.as_bytes()),
            Value::Bytes(value) => buffer.extend(value),
            Value::Uuid(value) => buffer.extend(value),
            Value::Timestamp(us) => {
                let since_2000 =
                    us.checked_sub(EPOCH_US).ok_or("the moment is too far in the past")?;
                buffer.extend(since_2000.to_be_bytes());
            }
            Value::Json(value) => {
                // The version of `jsonb`.
                buffer.push(1);
                buffer.extend(value.as_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(type_info(self.0.value_type()))
    }
}

/// Appends a row to the answer.
fn push(rows: &mut RowsWriter, row: &PgRow) -> Result<(), Stopped> {
    let n_columns = row.columns().len();
    let mut texts = Vec::new();
    // First what has to be written as text, so that the values can borrow it.
    for idx in 0..n_columns {
        texts.push(text_of(row, idx)?);
    }
    let mut values = Vec::with_capacity(n_columns);
    for (idx, text) in texts.iter().enumerate() {
        values.push(match text {
            Some(text) => Value::Text(text),
            None => value(row, idx)?,
        });
    }
    rows.push(&values);
    if rows.n_bytes() > ANSWER_BYTES_MAX {
        return Err(Failure::too_large().into());
    }
    Ok(())
}

/// How a column crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By a tag.
    Tagged(ValueType),
    /// As text made of its binary form.
    Written(text::Kind),
    /// A number of the catalog.
    Oid,
    /// Of a function that returns nothing.
    Void,
    /// Not at all.
    None,
}

fn form(column_type: &PgTypeInfo) -> Form {
    match column_type.kind() {
        PgTypeKind::Domain(of) => return form(of),
        PgTypeKind::Enum(_) => return Form::Tagged(ValueType::Text),
        PgTypeKind::Simple | PgTypeKind::Pseudo => {}
        PgTypeKind::Composite(_) | PgTypeKind::Array(_) | PgTypeKind::Range(_) => {
            return Form::None;
        }
    }
    match column_type.name() {
        "BOOL" => Form::Tagged(ValueType::Bool),
        "INT2" => Form::Tagged(ValueType::I16),
        "INT4" => Form::Tagged(ValueType::I32),
        "INT8" => Form::Tagged(ValueType::I64),
        "FLOAT4" => Form::Tagged(ValueType::F32),
        "FLOAT8" => Form::Tagged(ValueType::F64),
        "TEXT" | "VARCHAR" | "CHAR" | "\"CHAR\"" | "NAME" | "UNKNOWN" | "citext" => {
            Form::Tagged(ValueType::Text)
        }
        "BYTEA" => Form::Tagged(ValueType::Bytes),
        "UUID" => Form::Tagged(ValueType::Uuid),
        "TIMESTAMPTZ" | "TIMESTAMP" => Form::Tagged(ValueType::Timestamp),
        "JSON" | "JSONB" => Form::Tagged(ValueType::Json),
        "NUMERIC" => Form::Written(text::Kind::Numeric),
        "DATE" => Form::Written(text::Kind::Date),
        "TIME" => Form::Written(text::Kind::Time),
        "INTERVAL" => Form::Written(text::Kind::Interval),
        "OID" => Form::Oid,
        "VOID" => Form::Void,
        _other => Form::None,
    }
}

/// The text of a column that crosses as text made here.
fn text_of(row: &PgRow, idx: usize) -> Result<Option<String>, Stopped> {
    let raw = row.try_get_raw(idx)?;
    match form(&raw.type_info()) {
        Form::Written(kind) if !raw.is_null() => {
            let text = text::write(kind, bytes(row, idx)?);
            text.map(Some).ok_or_else(|| unreadable(row, idx).into())
        }
        Form::Written(_) | Form::Tagged(_) | Form::Oid | Form::Void | Form::None => Ok(None),
    }
}

fn value(row: &PgRow, idx: usize) -> Result<Value<'_>, Stopped> {
    let raw = row.try_get_raw(idx)?;
    let value_type = match form(&raw.type_info()) {
        Form::Tagged(value_type) => value_type,
        Form::Written(_) | Form::Void => ValueType::Text,
        Form::Oid => ValueType::I64,
        Form::None => return Err(no_form(row, idx).into()),
    };
    if raw.is_null() || form(&raw.type_info()) == Form::Void {
        return Ok(Value::Null(value_type));
    }
    let is_jsonb = raw.type_info().name() == "JSONB";
    let bytes = bytes(row, idx)?;
    let value = match form(&raw.type_info()) {
        Form::Oid => array(bytes).map(u32::from_be_bytes).map(|oid| Value::I64(oid.into())),
        Form::Tagged(_) | Form::Written(_) | Form::Void | Form::None => {
            tagged(value_type, if is_jsonb { bytes.get(1..).unwrap_or_default() } else { bytes })
        }
    };
    value.ok_or_else(|| unreadable(row, idx).into())
}

/// A value of its binary form; `None` when it is none.
fn tagged(value_type: ValueType, bytes: &[u8]) -> Option<Value<'_>> {
    Some(match value_type {
        ValueType::Bool => Value::Bool(array(bytes)? != [0]),
        ValueType::I16 => Value::I16(i16::from_be_bytes(array(bytes)?)),
        ValueType::I32 => Value::I32(i32::from_be_bytes(array(bytes)?)),
        ValueType::I64 => Value::I64(i64::from_be_bytes(array(bytes)?)),
        ValueType::F32 => Value::F32(f32::from_be_bytes(array(bytes)?)),
        ValueType::F64 => Value::F64(f64::from_be_bytes(array(bytes)?)),
        ValueType::Text => Value::Text(str::from_utf8(bytes).ok()?),
        ValueType::Bytes => Value::Bytes(bytes),
        ValueType::Uuid => Value::Uuid(array(bytes)?),
        // `infinity` is the last moment and `-infinity` the first.
        ValueType::Timestamp => {
            Value::Timestamp(i64::from_be_bytes(array(bytes)?).saturating_add(EPOCH_US))
        }
        ValueType::Json => Value::Json(str::from_utf8(bytes).ok()?),
    })
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn bytes(row: &PgRow, idx: usize) -> Result<&[u8], Stopped> {
    let raw = row.try_get_raw(idx)?;
    raw.as_bytes().map_err(|error| sqlx::Error::Decode(error).into())
}

fn no_form(row: &PgRow, idx: usize) -> Failure {
    let column = &row.columns()[idx];
    let (name, of) = (column.name(), column.type_info().name());
    let message = format!(
        "column `{name}` is of type `{of}`, which cannot be handed to a plugin: write `CAST({name} AS text)`, or a \
         type that can"
    );
    Failure::host(FaultKind::Other, message)
}

fn unreadable(row: &PgRow, idx: usize) -> Failure {
    let column = &row.columns()[idx];
    let (name, of) = (column.name(), column.type_info().name());
    Failure::host(FaultKind::Other, format!("column `{name}` holds no `{of}` that can be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_is_kept_for_its_types() {
        let signed = |params: &[Value<'_>]| signed("SELECT $1", params);
        assert_eq!(signed(&[]), "SELECT $1");
        assert_eq!(
            signed(&[Value::I64(1), Value::Null(ValueType::Text)]),
            "/* INT8 TEXT */ SELECT $1"
        );
        assert_ne!(signed(&[Value::I64(1)]), signed(&[Value::I32(1)]));
    }

    #[test]
    fn moments_count_from_1970() {
        for (since_2000, since_1970) in [(0, EPOCH_US), (i64::MAX, i64::MAX)] {
            let bytes: [u8; 8] = i64::to_be_bytes(since_2000);
            let moment = tagged(ValueType::Timestamp, &bytes);
            assert_eq!(moment, Some(Value::Timestamp(since_1970)));
        }
    }

    #[test]
    fn a_value_of_another_length_is_refused() {
        for value_type in [ValueType::Bool, ValueType::I16, ValueType::I64, ValueType::Uuid] {
            assert_eq!(tagged(value_type, &[1, 2, 3]), None, "{value_type}");
        }
    }
}

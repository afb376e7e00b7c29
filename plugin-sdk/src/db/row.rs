//! Rows, and the types that their values are read as.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use plugin_abi::database::answer::{Answer, RowsLayout};
use plugin_abi::value::Value;
use serde::de::DeserializeOwned;

use super::{DbError, DbErrorKind};
use crate::extract::Json;

/// A row. Its values stay in the memory that the host lent until they are asked for.
#[derive(Clone)]
pub struct Row {
    rows: Arc<Rows>,
    row_idx: usize,
}

#[derive(Debug)]
struct Rows {
    answer: Bytes,
    layout: RowsLayout,
}

impl Row {
    pub(super) fn all_of(answer: Bytes) -> Result<Vec<Self>, DbError> {
        let layout = match Answer::decode(&answer) {
            Ok(Answer::Rows(layout)) => layout,
            other => return Err(DbError::unexpected(other)),
        };
        let rows = Arc::new(Rows { answer, layout });
        let n_rows = rows.layout.n_rows();
        Ok((0..n_rows).map(|row_idx| Self { rows: Arc::clone(&rows), row_idx }).collect())
    }

    /// The value of a column, by name or by position.
    ///
    /// # Errors
    /// When there is no such column, or its value is none of `T`; the text names the column, what was
    /// wanted, and what was seen.
    pub fn get<T: FromValue>(&self, column: impl ColumnIndex) -> Result<T, DbError> {
        let Some(column_idx) = column.find(self) else {
            let known: Vec<_> = self.columns().collect();
            let message =
                format!("there is no column {column}; there are `{}`", known.join("`, `"));
            return Err(DbError::new(DbErrorKind::Column, message));
        };
        let value = self.values().nth(column_idx).expect("a row has a value for each column");
        T::from_value(value).map_err(|Mismatch { wanted, why }| {
            let name = self.columns().nth(column_idx).unwrap_or_default();
            let is_null = matches!(value, Value::Null(_));
            let seen = if is_null { "NULL".to_owned() } else { value.value_type().to_string() };
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let message = format!("column `{name}`: wanted `{wanted}`, seen {seen}{why}");
            DbError::new(DbErrorKind::Column, message)
        })
    }

    /// The names of the columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.rows.layout.columns(&self.rows.answer)
    }

    /// The values in the order of the columns, as they came.
    pub fn values(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        self.rows.layout.row(&self.rows.answer, self.row_idx)
    }
}

impl fmt::Debug for Row {
    /// Names and types; values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns().zip(self.values());
        f.debug_map().entries(columns.map(|(name, value)| (name, value.value_type()))).finish()
    }
}

/// A column's name, or its position from 0 on.
pub trait ColumnIndex: fmt::Display + Copy {
    /// Its position.
    #[doc(hidden)]
    fn find(self, row: &Row) -> Option<usize>;
}

impl ColumnIndex for &str {
    fn find(self, row: &Row) -> Option<usize> {
        row.columns().position(|name| name == self)
    }
}

impl ColumnIndex for usize {
    fn find(self, row: &Row) -> Option<usize> {
        (self < row.columns().len()).then_some(self)
    }
}

/// A type that a value can be read as.
///
/// Widths are changed where nothing is lost: an `i64` reads every integer, an `i32` those that fit. What
/// SQLite keeps in fewer types comes out as the type that is asked for: 0 and 1 as `bool`, text as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a column",
    note = "columns are read as integers, floats, `bool`, `String`, `Vec<u8>`, `Json<_>`, `Uuid` (feature `uuid`), `OffsetDateTime` (feature `time`), and `Option`s of these"
)]
pub trait FromValue: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When the value is no such thing.
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch>;
}

/// A value is not of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The type that was asked for.
    pub wanted: &'static str,
    /// Why it is not one, where the type of the value does not say it.
    pub why: Option<String>,
}

impl Mismatch {
    /// A value is none of `wanted`.
    #[must_use]
    pub fn new(wanted: &'static str) -> Self {
        Self { wanted, why: None }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }
}

/// The value as an integer, if it is one.
fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::I16(value) => Some(value.into()),
        Value::I32(value) => Some(value.into()),
        Value::I64(value) => Some(value),
        Value::Null(_)
        | Value::Bool(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Uuid(_)
        | Value::Timestamp(_)
        | Value::Json(_) => None,
    }
}

/// The value as text, if it is text.
fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Json(text) => Some(text),
        Value::Null(_)
        | Value::Bool(_)
        | Value::I16(_)
        | Value::I32(_)
        | Value::I64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::Bytes(_)
        | Value::Uuid(_)
        | Value::Timestamp(_) => None,
    }
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl FromValue for $type {
            fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
                let mismatch = Mismatch::new(stringify!($type));
                let Some(integer) = integer(value) else { return Err(mismatch) };
                Self::try_from(integer).map_err(|_too_large| mismatch.because("it is out of range"))
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 u8 u16 u32 u64 usize);

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        if let Value::Bool(value) = value {
            return Ok(value);
        }
        match integer(value) {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_other) => Err(Mismatch::new("bool").because("it is neither 0 nor 1")),
            None => Err(Mismatch::new("bool")),
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        if let Value::F64(value) = value {
            return Ok(value);
        }
        if let Value::F32(value) = value {
            return Ok(value.into());
        }
        // An expression of whole numbers is an integer to SQLite.
        integer(value).map(|it| it as Self).ok_or(Mismatch::new("f64"))
    }
}

impl FromValue for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "who asks for 32 bits gets the nearest")]
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        let value = f64::from_value(value).map_err(|_none| Mismatch::new("f32"))?;
        Ok(value as Self)
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        if let Value::Uuid(bytes) = value {
            return Ok(hyphenated(&bytes));
        }
        text(value).map(str::to_owned).ok_or(Mismatch::new("String"))
    }
}

/// A UUID as people write it.
fn hyphenated(bytes: &[u8; 16]) -> String {
    use fmt::Write;

    bytes.iter().enumerate().fold(String::with_capacity(36), |mut text, (idx, byte)| {
        let dash = if matches!(idx, 4 | 6 | 8 | 10) { "-" } else { "" };
        write!(text, "{dash}{byte:02x}").expect("a string takes all that is written");
        text
    })
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        if let Value::Bytes(bytes) = value {
            return Ok(bytes.to_owned());
        }
        text(value).map(|it| it.as_bytes().to_owned()).ok_or(Mismatch::new("Vec<u8>"))
    }
}

impl FromValue for Bytes {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        let bytes = Vec::from_value(value).map_err(|_none| Mismatch::new("Bytes"))?;
        Ok(bytes.into())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        if let Value::Null(_) = value {
            return Ok(None);
        }
        T::from_value(value).map(Some)
    }
}

impl<T: DeserializeOwned> FromValue for Json<T> {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        let mismatch = Mismatch::new("Json<_>");
        // SQLite keeps a document that is nothing but a number as that number.
        let number = integer(value).map(|number| number.to_string());
        let text = number.as_deref().or_else(|| text(value));
        let Some(text) = text else { return Err(mismatch) };
        serde_json::from_str(text).map(Self).map_err(|error| mismatch.because(error))
    }
}

impl FromValue for serde_json::Value {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        Json::from_value(value).map(|Json(document)| document)
    }
}

#[cfg(feature = "uuid")]
impl FromValue for uuid::Uuid {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        let mismatch = Mismatch::new("Uuid");
        if let Value::Uuid(bytes) = value {
            return Ok(Self::from_bytes(bytes));
        }
        if let Value::Bytes(bytes) = value {
            return Self::from_slice(bytes).map_err(|error| mismatch.because(error));
        }
        let Some(text) = text(value) else { return Err(mismatch) };
        Self::try_parse(text).map_err(|error| mismatch.because(error))
    }
}

#[cfg(feature = "time")]
impl FromValue for time::OffsetDateTime {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        use time::format_description::well_known::Rfc3339;

        let mismatch = Mismatch::new("OffsetDateTime");
        if let Value::Timestamp(microseconds) = value {
            let nanoseconds = i128::from(microseconds) * 1_000;
            return Self::from_unix_timestamp_nanos(nanoseconds)
                .map_err(|error| mismatch.because(error));
        }
        let Some(text) = text(value) else { return Err(mismatch) };
        Self::parse(text, &Rfc3339).map_err(|error| mismatch.because(error))
    }
}

//! Tagged values and rows: how data of a database crosses the boundary.
//!
//! A tag byte tells type and width, because PostgreSQL binds by exact width and a NULL has a type too.
//! Text and bytes are read in place. What has no tag of its own (decimals, dates) travels as text.

use std::fmt;

use crate::wire::{Reader, WireError, Writer};

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value, of a type.
    Null(ValueType),
    /// A truth value.
    Bool(bool),
    /// A 16-bit integer.
    I16(i16),
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A UUID.
    Uuid([u8; 16]),
    /// Microseconds since 1970 in UTC.
    Timestamp(i64),
    /// A JSON document as text.
    Json(&'a str),
}

/// The type of a value; its number is the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ValueType {
    /// [`Value::Bool`].
    Bool = 1,
    /// [`Value::I16`].
    I16 = 2,
    /// [`Value::I32`].
    I32 = 3,
    /// [`Value::I64`].
    I64 = 4,
    /// [`Value::F32`].
    F32 = 5,
    /// [`Value::F64`].
    F64 = 6,
    /// [`Value::Text`].
    Text = 7,
    /// [`Value::Bytes`].
    Bytes = 8,
    /// [`Value::Uuid`].
    Uuid = 9,
    /// [`Value::Timestamp`].
    Timestamp = 10,
    /// [`Value::Json`].
    Json = 11,
}

/// Set in the tag of a NULL; the other bits tell its type.
const NULL_BIT: u8 = 0x80;

impl ValueType {
    const ALL: [Self; 11] = [
        Self::Bool,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F32,
        Self::F64,
        Self::Text,
        Self::Bytes,
        Self::Uuid,
        Self::Timestamp,
        Self::Json,
    ];

    fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|value_type| *value_type as u8 == tag)
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "a truth value",
            Self::I16 => "a 16-bit integer",
            Self::I32 => "a 32-bit integer",
            Self::I64 => "a 64-bit integer",
            Self::F32 => "a 32-bit float",
            Self::F64 => "a 64-bit float",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Uuid => "a UUID",
            Self::Timestamp => "a timestamp",
            Self::Json => "JSON",
        })
    }
}

impl<'a> Value<'a> {
    /// Its type, for a NULL the type it is a NULL of.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Null(value_type) => *value_type,
            Self::Bool(_) => ValueType::Bool,
            Self::I16(_) => ValueType::I16,
            Self::I32(_) => ValueType::I32,
            Self::I64(_) => ValueType::I64,
            Self::F32(_) => ValueType::F32,
            Self::F64(_) => ValueType::F64,
            Self::Text(_) => ValueType::Text,
            Self::Bytes(_) => ValueType::Bytes,
            Self::Uuid(_) => ValueType::Uuid,
            Self::Timestamp(_) => ValueType::Timestamp,
            Self::Json(_) => ValueType::Json,
        }
    }

    /// Appends tag and value.
    pub fn write(&self, writer: &mut Writer) {
        let tag = self.value_type() as u8;
        let is_null = matches!(self, Self::Null(_));
        writer.u8(if is_null { tag | NULL_BIT } else { tag });
        match *self {
            Self::Null(_) => {}
            Self::Bool(value) => writer.u8(u8::from(value)),
            Self::I16(value) => writer.raw(&value.to_le_bytes()),
            Self::I32(value) => writer.raw(&value.to_le_bytes()),
            Self::I64(value) | Self::Timestamp(value) => writer.raw(&value.to_le_bytes()),
            Self::F32(value) => writer.u32(value.to_bits()),
            Self::F64(value) => writer.u64(value.to_bits()),
            Self::Text(value) | Self::Json(value) => writer.str(value),
            Self::Bytes(value) => writer.bytes(value),
            Self::Uuid(value) => writer.raw(&value),
        }
    }

    /// Reads what [`Value::write`] wrote.
    ///
    /// # Errors
    /// When the tag is not known or the value is cut short.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let unknown = reader.malformed("value tag");
        let tag = reader.u8("value tag")?;
        let value_type = ValueType::from_tag(tag & !NULL_BIT).ok_or(unknown)?;
        if tag & NULL_BIT != 0 {
            return Ok(Self::Null(value_type));
        }
        Ok(match value_type {
            ValueType::Bool => Self::Bool(reader.u8("bool")? != 0),
            ValueType::I16 => Self::I16(reader.u16("i16")?.cast_signed()),
            ValueType::I32 => Self::I32(reader.u32("i32")?.cast_signed()),
            ValueType::I64 => Self::I64(reader.u64("i64")?.cast_signed()),
            ValueType::F32 => Self::F32(f32::from_bits(reader.u32("f32")?)),
            ValueType::F64 => Self::F64(f64::from_bits(reader.u64("f64")?)),
            ValueType::Text => Self::Text(reader.str("text")?),
            ValueType::Bytes => Self::Bytes(reader.bytes("bytes")?),
            ValueType::Uuid => {
                let (high, low) = (reader.u64("uuid")?, reader.u64("uuid")?);
                let mut uuid = [0; 16];
                uuid[..8].copy_from_slice(&high.to_le_bytes());
                uuid[8..].copy_from_slice(&low.to_le_bytes());
                Self::Uuid(uuid)
            }
            ValueType::Timestamp => Self::Timestamp(reader.u64("timestamp")?.cast_signed()),
            ValueType::Json => Self::Json(reader.str("json")?),
        })
    }
}

/// Appends a row: its number of values, then each.
///
/// # Panics
/// When the row has more than 65 535 values, which no database allows.
pub fn write_row(writer: &mut Writer, row: &[Value<'_>]) {
    writer.u16(u16::try_from(row.len()).expect("a row has far fewer than 65 536 columns"));
    row.iter().for_each(|value| value.write(writer));
}

/// Reads what [`write_row`] wrote.
///
/// # Errors
/// As [`Value::read`].
pub fn read_row<'a>(reader: &mut Reader<'a>) -> Result<Vec<Value<'a>>, WireError> {
    let n_values = reader.u16("row")?;
    (0..n_values).map(|_idx| Value::read(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Value<'static>> {
        let mut values = vec![
            Value::Bool(true),
            Value::I16(-2),
            Value::I32(i32::MIN),
            Value::I64(i64::MAX),
            Value::F32(1.5),
            Value::F64(-0.25),
            Value::Text("text"),
            Value::Bytes(&[0, 255]),
            Value::Uuid([7; 16]),
            Value::Timestamp(-1),
            Value::Json("{}"),
        ];
        values.extend(ValueType::ALL.map(Value::Null));
        values
    }

    #[test]
    fn every_type_and_every_typed_null_survives_the_crossing() {
        let mut writer = Writer::default();
        write_row(&mut writer, &one_of_each());
        let bytes = writer.finish();
        assert_eq!(read_row(&mut Reader::new(&bytes)), Ok(one_of_each()));
        for n_bytes in 0..bytes.len() {
            assert!(read_row(&mut Reader::new(&bytes[..n_bytes])).is_err());
        }
    }

    #[test]
    fn an_unknown_tag_is_refused() {
        let error = Value::read(&mut Reader::new(&[0x7f])).unwrap_err();
        assert_eq!(error.to_string(), "malformed `value tag` at byte 0 of a message");
    }
}

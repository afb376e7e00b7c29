//! What the declared type of a SQLite column means.
//!
//! SQLite stores by value and keeps the declared type as a name. A plugin's statements and entities are the
//! same for both databases, so a column declared `INTEGER` brings what it brings on PostgreSQL: an `I32`.
//! Where the name says nothing of use, or the stored value does not fit, the storage class decides.

use crate::value::ValueType;

/// The type that a column declared as `declared` is read as; `None` when the stored value decides.
///
/// It knows the names of SQL, of PostgreSQL, and those that sea-query writes for SQLite (`uuid_text`).
#[must_use]
pub fn value_type(declared: &str) -> Option<ValueType> {
    let name = declared.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match name.as_str() {
        "bool" | "boolean" => ValueType::Bool,
        "smallint" | "int2" | "tinyint" => ValueType::I16,
        "integer" | "int" | "int4" => ValueType::I32,
        "bigint" | "int8" => ValueType::I64,
        "float" | "float4" => ValueType::F32,
        // `REAL` has eight bytes in SQLite; none of them is thrown away.
        "real" | "double" | "double precision" | "float8" => ValueType::F64,
        "uuid" | "uuid_text" => ValueType::Uuid,
        "timestamp" | "timestamptz" | "timestamp with time zone" | "datetime" => {
            ValueType::Timestamp
        }
        "timestamp_text" | "timestamp_with_timezone_text" | "datetime_text" => ValueType::Timestamp,
        "json" | "jsonb" | "json_text" | "jsonb_text" => ValueType::Json,
        _stored => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_type_is_read_as_postgres_would() {
        let cases = [
            ("INTEGER", Some(ValueType::I32)),
            ("bigint", Some(ValueType::I64)),
            (" Boolean ", Some(ValueType::Bool)),
            ("uuid_text", Some(ValueType::Uuid)),
            ("timestamp_with_timezone_text", Some(ValueType::Timestamp)),
            ("jsonb_text", Some(ValueType::Json)),
            ("varchar(63)", None),
            ("TEXT", None),
            ("", None),
        ];
        for (declared, value_type) in cases {
            assert_eq!(super::value_type(declared), value_type, "{declared}");
        }
    }
}

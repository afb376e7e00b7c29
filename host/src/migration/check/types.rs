//! Types of columns and casts.

use sqlparser::ast::{ArrayElemTypeDef, DataType, ObjectNamePart};

use super::{Checked, Checker, Reason};
use crate::store::Backend;

/// Types of PostgreSQL that the parser knows by no name of its own.
const POSTGRES: &[&str] = &[
    "bigserial",
    "box",
    "cidr",
    "citext",
    "circle",
    "daterange",
    "inet",
    "int4range",
    "int8range",
    "line",
    "lseg",
    "macaddr",
    "money",
    "numrange",
    "path",
    "point",
    "polygon",
    "serial",
    "serial4",
    "serial8",
    "smallserial",
    "tsrange",
    "tstzrange",
    "xml",
];

impl Checker<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    pub(super) fn data_type(&self, data_type: &DataType) -> Checked {
        let refused = || Err(Reason::Type { name: data_type.to_string() });
        match data_type {
            DataType::Character(_)
            | DataType::Char(_)
            | DataType::CharacterVarying(_)
            | DataType::CharVarying(_)
            | DataType::Varchar(_)
            | DataType::Nvarchar(_)
            | DataType::Uuid
            | DataType::Clob(_)
            | DataType::Binary(_)
            | DataType::Varbinary(_)
            | DataType::Blob(_)
            | DataType::Numeric(_)
            | DataType::Decimal(_)
            | DataType::Dec(_)
            | DataType::Float(_)
            | DataType::TinyInt(_)
            | DataType::Int2(_)
            | DataType::SmallInt(_)
            | DataType::MediumInt(_)
            | DataType::Int(_)
            | DataType::Int4(_)
            | DataType::Int8(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::Float4
            | DataType::Real
            | DataType::Float8
            | DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::Bool
            | DataType::Boolean
            | DataType::Date
            | DataType::Time(..)
            | DataType::Datetime(_)
            | DataType::Timestamp(..)
            | DataType::Interval { .. }
            | DataType::JSON
            | DataType::JSONB
            | DataType::Text
            | DataType::Bytea
            | DataType::Bit(_)
            | DataType::BitVarying(_)
            | DataType::VarBit(_)
            | DataType::TsVector
            | DataType::TsQuery => Ok(()),
            DataType::Array(
                ArrayElemTypeDef::SquareBracket(inner, _)
                | ArrayElemTypeDef::Qualified(inner, _)
                | ArrayElemTypeDef::Parenthesis(inner),
            ) => self.data_type(inner),
            DataType::Custom(name, _modifiers) => match (&*name.0, self.world.backend()) {
                // SQLite takes any word for a type, and it means nothing but an affinity.
                ([ObjectNamePart::Identifier(_)], Backend::Sqlite) => Ok(()),
                ([ObjectNamePart::Identifier(name)], Backend::Postgres)
                    if POSTGRES.contains(&&*self.world.fold(name)) =>
                {
                    Ok(())
                }
                _unknown => refused(),
            },
            // SQLite: a column without a type.
            DataType::Unspecified if self.world.backend() == Backend::Sqlite => Ok(()),
            _other => refused(),
        }
    }
}

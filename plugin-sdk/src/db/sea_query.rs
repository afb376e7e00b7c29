//! Statements of sea-query, and their values as parameters.

use plugin_abi::value::{Value, ValueType};
use sea_query::{
    OptionEnum, PostgresQueryBuilder, QueryStatementWriter, SqlWriterValues, SqliteQueryBuilder,
    Values,
};

use super::{Backend, Params, ToParams, ToValue};

/// Writes a statement of sea-query for a database: the text and its parameters.
///
/// ```
/// # use plugin_sdk::prelude::*;
/// use plugin_sdk::db::{Row, build};
/// use plugin_sdk::sea_query::{Expr, ExprTrait, Query};
///
/// async fn named(db: &Database, name: &str) -> Result<Vec<Row>, DbError> {
///     let by_name = Expr::col("name").eq(name);
///     let select = Query::select().column("id").from("demo_instances").and_where(by_name).take();
///     let (sql, values) = build(&select, db.backend());
///     db.query(&sql, values).await
/// }
/// ```
pub fn build(statement: &impl QueryStatementWriter, backend: Backend) -> (String, Values) {
    let mut written = SqlWriterValues::new("$", true);
    match backend {
        Backend::Sqlite => statement.build_collect_any_into(&SqliteQueryBuilder, &mut written),
        Backend::Postgres => statement.build_collect_any_into(&PostgresQueryBuilder, &mut written),
    }
    written.into_parts()
}

impl ToParams for Values {
    fn write_params(&self, params: &mut Params) {
        self.0.iter().for_each(|value| value.write_value(params));
    }
}

impl ToValue for sea_query::Value {
    const TYPE: ValueType = ValueType::Text;

    #[allow(
        clippy::wildcard_enum_match_arm,
        unreachable_patterns,
        reason = "the kinds of values depend on the features that sea-query is built with"
    )]
    fn write_value(&self, params: &mut Params) {
        match self {
            Self::Bool(value) => value.write_value(params),
            Self::TinyInt(value) => value.write_value(params),
            Self::SmallInt(value) => value.write_value(params),
            Self::Int(value) => value.write_value(params),
            Self::BigInt(value) => value.write_value(params),
            Self::TinyUnsigned(value) => value.write_value(params),
            Self::SmallUnsigned(value) => value.write_value(params),
            Self::Unsigned(value) => value.write_value(params),
            Self::BigUnsigned(value) => match value.map(i64::try_from).transpose() {
                Ok(value) => value.write_value(params),
                Err(_too_large) => params.fail("it is larger than a database's integers"),
            },
            Self::Float(value) => value.write_value(params),
            Self::Double(value) => value.write_value(params),
            Self::String(value) => value.write_value(params),
            Self::Char(value) => value.map(String::from).write_value(params),
            Self::Enum(OptionEnum::Some(value)) => value.value.write_value(params),
            Self::Enum(OptionEnum::None(_)) => params.push(Value::Null(ValueType::Text)),
            Self::Bytes(value) => value.write_value(params),
            Self::Json(value) => value.as_deref().write_value(params),
            Self::TimeDate(value) => value.map(|it| it.to_string()).write_value(params),
            Self::TimeTime(value) => value.map(|it| it.to_string()).write_value(params),
            Self::TimeDateTime(value) => {
                value.map(time::PrimitiveDateTime::assume_utc).write_value(params)
            }
            Self::TimeDateTimeWithTimeZone(value) => value.write_value(params),
            Self::Uuid(value) => value.write_value(params),
            other => {
                params.fail(&format!("a value of the kind {:?} cannot be sent", other.array_type()))
            }
        }
    }
}

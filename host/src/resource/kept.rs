//! How a value is kept: one form for each kind, on each database.
//!
//! Guarantees: a UUID and a moment have one text form on SQLite, the one that plugins' own statements read and write
//! (`services::database::sqlite`), so that they compare and sort as what they are; PostgreSQL has types for them.
//! Not here: which column a value is in.

use sea_orm::sea_query::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use uuid::Uuid;

use crate::store::Backend;

/// Always as long, so that it sorts.
const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// A UUID as the parameter of a statement.
pub(crate) fn uuid(backend: Backend, id: Uuid) -> Value {
    match backend {
        Backend::Sqlite => id.hyphenated().to_string().into(),
        Backend::Postgres => id.into(),
    }
}

/// A moment in UTC as the parameter of a statement.
pub(crate) fn moment(backend: Backend, moment: OffsetDateTime) -> Value {
    match backend {
        Backend::Sqlite => {
            moment.format(MOMENT).expect("a moment in UTC has every component").into()
        }
        Backend::Postgres => moment.into(),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn sqlite_keeps_text_that_sorts() {
        let kept = moment(Backend::Sqlite, datetime!(2026-02-03 04:05:06.07 UTC));
        assert_eq!(kept, Value::from("2026-02-03T04:05:06.070000Z"));
        let kept = uuid(Backend::Sqlite, Uuid::nil());
        assert_eq!(kept, Value::from("00000000-0000-0000-0000-000000000000"));
        assert_eq!(uuid(Backend::Postgres, Uuid::nil()), Value::from(Uuid::nil()));
    }
}

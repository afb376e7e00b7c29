//! The order of events.
//!
//! On SQLite the writers take turns, so the row's own number is its place in the order of commits. On PostgreSQL
//! a transaction that began first may commit last: there a pass after the commit numbers what it sees, and who
//! comes later gets a higher number. Guarantees: once a number can be read, no lower one will appear.

use sea_orm::sea_query::SimpleExpr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Statement,
};

use super::{Error, Events};
use crate::store::Backend;
use crate::store::entity::event as row;

/// So many are numbered in one statement.
const BATCH: u64 = 1_000;

/// Only one daemon uses a database, and it passes one at a time: nobody else numbers meanwhile.
const NUMBER: &str = "
    UPDATE metapaas_events AS event SET seq = fresh.seq
    FROM (SELECT id, row_number() OVER (ORDER BY id)
                     + (SELECT COALESCE(max(seq), 0) FROM metapaas_events) AS seq
          FROM (SELECT id FROM metapaas_events WHERE seq IS NULL ORDER BY id LIMIT 1000) AS late) AS fresh
    WHERE event.id = fresh.id";

/// The numbers that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Of the oldest that is kept; 0 if there is none.
    pub(super) first: i64,
    /// Of the newest; 0 if there is none.
    pub(super) last: i64,
}

impl Extent {
    /// Whether all that came behind `position` is there.
    pub(super) fn reaches_back_to(self, position: i64) -> bool {
        (self.first - 1..=self.last).contains(&position)
    }
}

/// The column that holds an event's number.
pub(super) fn column(backend: Backend) -> row::Column {
    match backend {
        Backend::Sqlite => row::Column::Id,
        Backend::Postgres => row::Column::Seq,
    }
}

/// The number of a row, if it has one.
pub(super) fn of(row: &row::Model, backend: Backend) -> Option<i64> {
    match backend {
        Backend::Sqlite => Some(row.id),
        Backend::Postgres => row.seq,
    }
}

impl Events {
    /// Gives a number to each event that has none and is committed.
    ///
    /// # Cancellation
    /// What is numbered is.
    pub(super) async fn number(&self) -> Result<(), Error> {
        let store = &self.0.store;
        match store.backend() {
            Backend::Sqlite => Ok(()),
            Backend::Postgres => loop {
                let db = store.connection();
                let statement = Statement::from_string(db.get_database_backend(), NUMBER);
                let numbered = db.execute_raw(statement).await.map_err(Error::Read)?;
                if numbered.rows_affected() < BATCH {
                    return Ok(());
                }
            },
        }
    }

    /// The numbers that there are.
    pub(super) async fn extent(&self) -> Result<Extent, Error> {
        // One at a time: each is one step in the index.
        let first = self.outermost(|column| column.min()).await.map_err(Error::Read)?;
        let last = self.outermost(|column| column.max()).await.map_err(Error::Read)?;
        Ok(Extent { first, last })
    }

    async fn outermost(&self, which: impl Fn(row::Column) -> SimpleExpr) -> Result<i64, DbErr> {
        let column = column(self.0.store.backend());
        let number: Option<Option<i64>> = row::Entity::find()
            .select_only()
            .column_as(which(column), "number")
            .into_tuple()
            .one(self.0.store.connection())
            .await?;
        Ok(number.flatten().unwrap_or_default())
    }

    /// Rows behind `position`.
    pub(super) fn behind(&self, position: i64) -> sea_orm::Select<row::Entity> {
        let column = column(self.0.store.backend());
        row::Entity::find().filter(column.gt(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_forgotten_cannot_be_gone_on_from() {
        let kept = Extent { first: 11, last: 20 };
        for (position, reaches) in [(9, false), (10, true), (11, true), (20, true), (21, false)] {
            assert_eq!(kept.reaches_back_to(position), reaches, "{position}");
        }
        let nothing = Extent { first: 0, last: 0 };
        assert!(nothing.reaches_back_to(0) && !nothing.reaches_back_to(1));
        assert!(Extent { first: 1, last: 5 }.reaches_back_to(0));
    }
}

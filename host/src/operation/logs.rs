//! What an operation says while it runs, line by line.
//!
//! Guarantees: the lines of an operation are numbered from 1 without gaps, in the order in which they are
//! written; nobody can see a line before the ones in front of it. Their number and length are bounded.

use std::fmt;

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Error, OperationId, Operations};
use crate::store::entity::operation_log as row;
use crate::timestamp::Timestamp;

/// The most lines that an operation keeps.
pub(super) const LINES_MAX: i64 = 2_000;

/// The longest line, in bytes; what is longer is cut.
const LINE_BYTES_MAX: usize = 4_096;

/// What an operation said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// The how-manieth.
    pub(crate) seq: i64,
    /// When.
    pub(crate) at: Timestamp,
    /// How much it matters.
    pub(crate) level: Level,
    /// What.
    pub(crate) message: String,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// The ordinary course of things.
    Info,
    /// It goes on, and somebody should know.
    Warn,
    /// It cannot go on.
    Error,
}

impl Operations {
    /// The lines behind `since`, at most `n_max` of them.
    ///
    /// # Errors
    /// The store could not be asked.
    pub(crate) async fn logs(
        &self,
        id: OperationId,
        since: i64,
        n_max: u64,
    ) -> Result<Vec<Line>, Error> {
        let rows = row::Entity::find()
            .filter(row::Column::OperationId.eq(id.to_string()))
            .filter(row::Column::Seq.gt(since))
            .order_by_asc(row::Column::Seq)
            .limit(n_max)
            .all(self.store.connection())
            .await
            .map_err(Error::Read)?;
        rows.into_iter().map(Line::read).collect()
    }
}

impl Line {
    /// A line of now.
    pub(super) fn now(seq: i64, level: Level, message: String) -> Self {
        Self { seq, at: Timestamp::now(), level, message: cut(message) }
    }

    /// It as a row of the operation `id`.
    pub(super) fn row(&self, id: OperationId) -> row::ActiveModel {
        row::ActiveModel {
            operation_id: Set(id.to_string()),
            seq: Set(self.seq),
            at: Set(self.at.into_inner()),
            level: Set(self.level.word().to_owned()),
            message: Set(self.message.clone()),
        }
    }

    fn read(row: row::Model) -> Result<Self, Error> {
        let row::Model { operation_id, seq, at, level, message } = row;
        let Some(level) = Level::named(&level) else {
            return Err(Error::Damaged { id: operation_id, member: "a log level", value: level });
        };
        Ok(Self { seq, at: at.into(), level, message })
    }
}

impl Level {
    const ALL: [Self; 3] = [Self::Info, Self::Warn, Self::Error];

    /// As the store and the API have it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A message that is no longer than a line may be.
pub(super) fn cut(mut message: String) -> String {
    if message.len() > LINE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(LINE_BYTES_MAX - '…'.len_utf8()));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let whole = "ä".repeat(LINE_BYTES_MAX / 2);
        assert_eq!(cut(whole.clone()), whole);
        let long = cut(format!("a{whole}"));
        assert!(long.len() <= LINE_BYTES_MAX && long.ends_with("ä…"), "{}", long.len());
    }
}

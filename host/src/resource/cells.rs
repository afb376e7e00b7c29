//! The cells of a row as they lie in the database, read one by one without making anything of them.
//!
//! A page of resources is thousands of cells, so they go straight into the answer: [`document`](super::document) is
//! written from this and from nothing else, whether the row comes from SQLite, from PostgreSQL or from a
//! [`Row`](super::row::Row) in memory. Not here: statements, and what a document has.

use uuid::fmt::Hyphenated;

use crate::timestamp::{self, Timestamp};

mod kept;
mod postgres;
mod sqlite;

pub(crate) use kept::Kept;

/// A cell that is not what its column holds.
#[derive(Debug, thiserror::Error)]
#[error("cell {index} of a resource cannot be read")]
pub(crate) struct CellError {
    /// Which, from 0.
    pub(crate) index: usize,
    /// What the database's library says, if it says anything.
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Room for an id as text.
pub(crate) type IdText = [u8; Hyphenated::LENGTH];
/// Room for a moment as text.
pub(crate) type MomentText = [u8; timestamp::TEXT_BYTES];

/// The values of one row, in the order of the model's columns. What is of another type than asked for is nothing:
/// a plugin may have written it past its schema, and that is no reason to show no resource at all.
pub(crate) trait Cells {
    /// Text.
    fn text(&self, index: usize) -> Result<Option<&str>, CellError>;

    /// A whole number.
    fn integer(&self, index: usize) -> Result<Option<i64>, CellError>;

    /// Any number.
    fn number(&self, index: usize) -> Result<Option<f64>, CellError>;

    /// Yes or no.
    fn boolean(&self, index: usize) -> Result<Option<bool>, CellError>;

    /// An id, hyphenated.
    fn id<'b>(&'b self, index: usize, room: &'b mut IdText) -> Result<Option<&'b str>, CellError>;

    /// A moment in its one form.
    fn moment<'b>(
        &'b self,
        index: usize,
        room: &'b mut MomentText,
    ) -> Result<Option<&'b str>, CellError>;
}

/// Where the host's columns are.
pub(crate) mod at {
    pub(crate) const ID: usize = 0;
    pub(crate) const PROJECT: usize = 1;
    pub(crate) const PARENT: usize = 2;
    pub(crate) const NAME: usize = 3;
    pub(crate) const DESCRIPTION: usize = 4;
    pub(crate) const LABELS: usize = 5;
    pub(crate) const ANNOTATIONS: usize = 6;
    pub(crate) const GENERATION: usize = 7;
    pub(crate) const OBSERVED_GENERATION: usize = 8;
    pub(crate) const REVISION: usize = 9;
    pub(crate) const STATUS: usize = 10;
    pub(crate) const STATUS_MESSAGE: usize = 11;
    pub(crate) const CONDITIONS: usize = 12;
    pub(crate) const DELETION_PROTECTION: usize = 13;
    // 14 is not shown: that it is being deleted is its status.
    pub(crate) const LAST_OPERATION: usize = 15;
    pub(crate) const CREATED_AT: usize = 16;
    pub(crate) const UPDATED_AT: usize = 17;
    pub(crate) const CREATED_BY: usize = 18;
    /// The first declared field.
    pub(crate) const FIELDS: usize = 19;
}

/// Text as SQLite keeps a moment: six digits, of which three are shown. A plugin's own statement may have written
/// another form.
fn moment_of<'b>(text: &str, room: &'b mut MomentText) -> Option<&'b str> {
    const KEPT_BYTES: usize = "2026-02-03T04:05:06.000000Z".len();
    let n_shown = room.len() - 1;
    if text.len() == KEPT_BYTES && text.is_ascii() && text.ends_with('Z') {
        room[..n_shown].copy_from_slice(&text.as_bytes()[..n_shown]);
        room[n_shown] = b'Z';
        return str::from_utf8(room).ok();
    }
    // What SQLite's own functions write is in UTC and does not say so.
    let mut text = text.replacen(' ', "T", 1);
    if !text.get(10..)?.contains(['Z', 'z', '+', '-']) {
        text.push('Z');
    }
    Some(Timestamp::try_from(text).ok()?.write(room))
}

#[cfg(test)]
mod tests {
    use plugin_abi::resource::columns;

    use super::*;

    #[test]
    fn every_column_is_where_it_is_looked_for() {
        let named = [
            (at::ID, "id"),
            (at::PROJECT, "project_id"),
            (at::PARENT, "parent_id"),
            (at::NAME, "name"),
            (at::DESCRIPTION, "description"),
            (at::LABELS, "labels"),
            (at::ANNOTATIONS, "annotations"),
            (at::GENERATION, "generation"),
            (at::OBSERVED_GENERATION, "observed_generation"),
            (at::REVISION, "revision"),
            (at::STATUS, "status"),
            (at::STATUS_MESSAGE, "status_message"),
            (at::CONDITIONS, "conditions"),
            (at::DELETION_PROTECTION, "deletion_protection"),
            (at::LAST_OPERATION, "last_operation"),
            (at::CREATED_AT, "created_at"),
            (at::UPDATED_AT, "updated_at"),
            (at::CREATED_BY, "created_by"),
        ];
        for (index, name) in named {
            assert_eq!(columns::ALL[index].name, name);
        }
        // That it is being deleted is told by its status.
        assert_eq!(columns::ALL[14].name, "deleting_at");
        assert_eq!((named.len() + 1, columns::ALL.len()), (at::FIELDS, at::FIELDS));
    }

    #[test]
    fn a_moment_that_a_plugin_wrote_is_shown_in_the_one_form() {
        let mut room = MomentText::default();
        for (text, shown) in [
            ("2026-02-03T04:05:06.120Z", Some("2026-02-03T04:05:06.120Z")),
            ("2026-02-03 04:05:06", Some("2026-02-03T04:05:06.000Z")),
            ("2026-02-03T04:05:06.120999Z", Some("2026-02-03T04:05:06.120Z")),
            ("yesterday", None),
        ] {
            assert_eq!(moment_of(text, &mut room), shown);
        }
    }
}

//! The cells of a row of SQLite, as its page cache has them.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{CellError, Cells, IdText, MomentText, moment_of};

impl Cells for Row<'_> {
    fn text(&self, index: usize) -> Result<Option<&str>, CellError> {
        match cell(self, index)? {
            ValueRef::Text(bytes) => Ok(str::from_utf8(bytes).ok()),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
                Ok(None)
            }
        }
    }

    fn integer(&self, index: usize) -> Result<Option<i64>, CellError> {
        match cell(self, index)? {
            ValueRef::Integer(value) => Ok(Some(value)),
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Ok(None),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "SQLite keeps whole numbers as such")]
    fn number(&self, index: usize) -> Result<Option<f64>, CellError> {
        match cell(self, index)? {
            ValueRef::Real(value) => Ok(Some(value)),
            ValueRef::Integer(value) => Ok(Some(value as f64)),
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => Ok(None),
        }
    }

    fn boolean(&self, index: usize) -> Result<Option<bool>, CellError> {
        Ok(self.integer(index)?.map(|value| value != 0))
    }

    fn id<'b>(&'b self, index: usize, _room: &'b mut IdText) -> Result<Option<&'b str>, CellError> {
        self.text(index)
    }

    fn moment<'b>(
        &'b self,
        index: usize,
        room: &'b mut MomentText,
    ) -> Result<Option<&'b str>, CellError> {
        Ok(self.text(index)?.and_then(|text| moment_of(text, room)))
    }
}

fn cell<'r>(row: &'r Row<'_>, index: usize) -> Result<ValueRef<'r>, CellError> {
    row.get_ref(index).map_err(|error| CellError { index, source: Some(Box::new(error)) })
}

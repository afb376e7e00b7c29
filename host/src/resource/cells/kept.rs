//! The cells of a row in memory, as they would lie in SQLite.

use sea_orm::Value;

use super::{CellError, Cells, IdText, MomentText, moment_of};
use crate::model::ResourceModel;
use crate::resource::row::{Part, Row};
use crate::store::Backend;

/// What would be written of a row, and the text of its last operation.
#[derive(Debug)]
pub(crate) struct Kept(Vec<Value>);

impl Kept {
    /// The cells of `row`.
    pub(crate) fn of(model: &ResourceModel, row: &Row, operation: Option<String>) -> Self {
        let mut cells = row.values(model, Backend::Sqlite, Part::Whole);
        cells.push(Value::from(operation));
        Self(cells)
    }

    /// It with another text in a cell.
    #[cfg(test)]
    pub(crate) fn set(&mut self, index: usize, text: &str) {
        self.0[index] = Value::from(text);
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is of another type is nothing")]
impl Cells for Kept {
    fn text(&self, index: usize) -> Result<Option<&str>, CellError> {
        match &self.0[index] {
            Value::String(text) => Ok(text.as_deref()),
            _other => Ok(None),
        }
    }

    fn integer(&self, index: usize) -> Result<Option<i64>, CellError> {
        match &self.0[index] {
            Value::BigInt(number) => Ok(*number),
            _other => Ok(None),
        }
    }

    fn number(&self, index: usize) -> Result<Option<f64>, CellError> {
        match &self.0[index] {
            Value::Double(number) => Ok(*number),
            _other => Ok(None),
        }
    }

    fn boolean(&self, index: usize) -> Result<Option<bool>, CellError> {
        match &self.0[index] {
            Value::Bool(value) => Ok(*value),
            _other => Ok(None),
        }
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

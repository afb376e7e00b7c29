//! The cells of a row of PostgreSQL, as they came from the server.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CellError, Cells, IdText, MomentText};
use crate::timestamp::Timestamp;

impl Cells for PgRow {
    fn text(&self, index: usize) -> Result<Option<&str>, CellError> {
        self.try_get(index).map_err(|error| wrong(index, error))
    }

    fn integer(&self, index: usize) -> Result<Option<i64>, CellError> {
        self.try_get(index).map_err(|error| wrong(index, error))
    }

    fn number(&self, index: usize) -> Result<Option<f64>, CellError> {
        self.try_get(index).map_err(|error| wrong(index, error))
    }

    fn boolean(&self, index: usize) -> Result<Option<bool>, CellError> {
        self.try_get(index).map_err(|error| wrong(index, error))
    }

    fn id<'b>(&'b self, index: usize, room: &'b mut IdText) -> Result<Option<&'b str>, CellError> {
        let id: Option<Uuid> = self.try_get(index).map_err(|error| wrong(index, error))?;
        Ok(id.map(|id| &*id.hyphenated().encode_lower(room)))
    }

    fn moment<'b>(
        &'b self,
        index: usize,
        room: &'b mut MomentText,
    ) -> Result<Option<&'b str>, CellError> {
        let at: Option<OffsetDateTime> =
            self.try_get(index).map_err(|error| wrong(index, error))?;
        Ok(at.map(|at| Timestamp::from(at).write(room)))
    }
}

fn wrong(index: usize, error: sqlx::Error) -> CellError {
    CellError { index, source: Some(Box::new(error)) }
}

//! What the database service answers.
//!
//! The host writes: rows with a [`RowsWriter`], all else with a function of this module. The plugin reads an
//! [`Answer`]. Rows stay in the parcel: [`RowsLayout`] checked them once and reads values in place, so what
//! a plugin does not look at costs it nothing.

use std::ops::Range;

use super::TransactionId;
use crate::value::{Value, write_row};
use crate::wire::{Reader, WireError, Writer};

/// The numbers of answers.
mod kind {
    pub(super) const ROWS: u8 = 1;
    pub(super) const TOUCHED: u8 = 2;
    pub(super) const BEGUN: u8 = 3;
    pub(super) const DONE: u8 = 4;
    pub(super) const FAULT: u8 = 5;
}

/// What a request brought.
#[derive(Debug, Clone)]
pub enum Answer<'a> {
    /// To `Query`.
    Rows(RowsLayout),
    /// To `Execute`: how many rows the statement touched.
    Touched(u64),
    /// To `Begin`.
    Begun(TransactionId),
    /// To everything else.
    Done,
    /// It did not work.
    Fault(Fault<'a>),
}

impl<'a> Answer<'a> {
    /// Reads the bytes that a call brought.
    ///
    /// # Errors
    /// When they are not an answer.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let unknown = reader.malformed("database answer");
        Ok(match reader.u8("database answer")? {
            kind::ROWS => Self::Rows(RowsLayout::read(bytes, &mut reader)?),
            kind::TOUCHED => Self::Touched(reader.u64("rows touched")?),
            kind::BEGUN => Self::Begun(reader.u64("transaction")?),
            kind::DONE => Self::Done,
            kind::FAULT => Self::Fault(Fault::read(&mut reader)?),
            _unknown => return Err(unknown),
        })
    }
}

/// The answer to `Execute`.
#[must_use]
pub fn touched(n_rows: u64) -> Vec<u8> {
    numbered(kind::TOUCHED, n_rows)
}

/// The answer to `Begin`.
#[must_use]
pub fn begun(transaction: TransactionId) -> Vec<u8> {
    numbered(kind::BEGUN, transaction)
}

/// The answer to what brings nothing.
#[must_use]
pub fn done() -> Vec<u8> {
    vec![kind::DONE]
}

fn numbered(kind: u8, number: u64) -> Vec<u8> {
    let mut writer = Writer::with_capacity(9);
    writer.u8(kind);
    writer.u64(number);
    writer.finish()
}

/// Writes rows, one after the other; the answer to `Query`.
#[derive(Debug)]
pub struct RowsWriter {
    writer: Writer,
    n_columns: usize,
}

impl RowsWriter {
    /// No rows yet, of columns with these names.
    ///
    /// # Panics
    /// When there are more than 65 535 columns, which no database allows.
    #[must_use]
    pub fn new<'c>(columns: impl ExactSizeIterator<Item = &'c str>) -> Self {
        let mut writer = Writer::with_capacity(1024);
        let n_columns = columns.len();
        writer.u8(kind::ROWS);
        writer.u16(u16::try_from(n_columns).expect("a row has far fewer than 65 536 columns"));
        columns.for_each(|name| writer.str(name));
        Self { writer, n_columns }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// When it has not one value for each column.
    pub fn push(&mut self, row: &[Value<'_>]) {
        assert_eq!(row.len(), self.n_columns, "a row has one value for each column");
        write_row(&mut self.writer, row);
    }

    /// How long the answer is so far; the host compares it with [`super::ANSWER_BYTES_MAX`].
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.writer.n_bytes()
    }

    /// The answer.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.writer.finish()
    }
}

/// Where in an answer its columns and rows lie. It was checked once; reading through it cannot fail.
#[derive(Debug, Clone)]
pub struct RowsLayout {
    columns: Vec<Range<usize>>,
    /// Where each row's first value starts.
    rows: Vec<usize>,
}

const CHECKED: &str = "the layout was read from this answer";

impl RowsLayout {
    fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let n_columns = reader.u16("columns")?;
        let columns = (0..n_columns).map(|_idx| {
            let malformed = reader.malformed("column name");
            let range = reader.range("column name")?;
            str::from_utf8(&bytes[range.clone()]).map_err(|_not_utf8| malformed)?;
            Ok(range)
        });
        let columns = columns.collect::<Result<_, WireError>>()?;
        let mut rows = Vec::new();
        while !reader.rest().is_empty() {
            let malformed = reader.malformed("row");
            if reader.u16("row")? != n_columns {
                return Err(malformed);
            }
            rows.push(reader.offset());
            for _idx in 0..n_columns {
                Value::read(reader)?;
            }
        }
        Ok(Self { columns, rows })
    }

    /// The names of the columns, read from the `answer` that the layout was made of.
    pub fn columns<'p>(&self, answer: &'p [u8]) -> impl ExactSizeIterator<Item = &'p str> {
        self.columns.iter().map(|range| str::from_utf8(&answer[range.clone()]).expect(CHECKED))
    }

    /// How many rows there are.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// The values of a row, read from the `answer` that the layout was made of.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row<'p>(
        &self,
        answer: &'p [u8],
        row_idx: usize,
    ) -> impl ExactSizeIterator<Item = Value<'p>> + use<'p> {
        let mut reader = Reader::new(&answer[self.rows[row_idx]..]);
        (0..self.columns.len()).map(move |_idx| Value::read(&mut reader).expect(CHECKED))
    }
}

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<'a> {
    /// For programs.
    pub kind: FaultKind,
    /// The database's own code: a SQLSTATE, or SQLite's extended result code in decimals; empty when it
    /// was the host that refused.
    pub code: &'a str,
    /// The constraint that was violated, when the database tells: its name on PostgreSQL,
    /// `table.column, …` on SQLite.
    pub constraint: Option<&'a str>,
    /// For the log of the plugin, never for a client: it may hold SQL and values.
    pub message: &'a str,
}

/// The kinds of faults. The numbers are frozen; new kinds are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum FaultKind {
    /// Anything else; the code and the message say what.
    Other = 0,
    /// A row of that key exists already.
    UniqueViolation = 1,
    /// A row that this one refers to does not exist, or one that refers to this one does.
    ForeignKeyViolation = 2,
    /// A column without a value must have one.
    NotNullViolation = 3,
    /// A value does not pass a check of its table.
    CheckViolation = 4,
    /// The table is not the plugin's own, or the statement not one that a plugin may run.
    Denied = 5,
    /// Another writer stood in the way (a lock, a deadlock, a conflict): the same again may work.
    Busy = 6,
    /// The statement or its transaction took too long. A transaction is over then, taken back.
    Timeout = 7,
    /// The statement is not SQL that this database understands, or names what does not exist.
    Syntax = 8,
    /// The request or the answer is larger than the limit that the message names.
    TooLarge = 9,
    /// There is no such transaction, or it is over.
    TransactionOver = 10,
    /// The database cannot be reached, or too much is asked of it at once.
    Unavailable = 11,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Other,
        Self::UniqueViolation,
        Self::ForeignKeyViolation,
        Self::NotNullViolation,
        Self::CheckViolation,
        Self::Denied,
        Self::Busy,
        Self::Timeout,
        Self::Syntax,
        Self::TooLarge,
        Self::TransactionOver,
        Self::Unavailable,
    ];

    /// The kind of this number; one of a later revision reads as [`FaultKind::Other`].
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number).unwrap_or(Self::Other)
    }
}

impl<'a> Fault<'a> {
    /// The answer that tells it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { kind, code, constraint, message } = self;
        let mut writer = Writer::with_capacity(32 + message.len());
        writer.u8(kind::FAULT);
        writer.u8(*kind as u8);
        writer.str(code);
        writer.opt_str(*constraint);
        writer.str(message);
        writer.finish()
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            kind: FaultKind::from_number(reader.u8("fault kind")?),
            code: reader.str("fault code")?,
            constraint: reader.opt_str("fault constraint")?,
            message: reader.str("fault message")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueType;

    fn two_rows() -> Vec<u8> {
        let mut rows = RowsWriter::new(["id", "name"].into_iter());
        rows.push(&[Value::I64(1), Value::Text("one")]);
        rows.push(&[Value::I64(2), Value::Null(ValueType::Text)]);
        assert_eq!(rows.n_bytes(), rows.writer.n_bytes());
        rows.finish()
    }

    fn fault(kind: FaultKind) -> Fault<'static> {
        let constraint = Some("demo_name_key");
        Fault { kind, code: "23505", constraint, message: "duplicate key value" }
    }

    #[test]
    fn rows_are_read_in_place_as_they_were_written() {
        let answer = two_rows();
        let Ok(Answer::Rows(rows)) = Answer::decode(&answer) else { panic!("no rows") };
        assert_eq!(rows.columns(&answer).collect::<Vec<_>>(), ["id", "name"]);
        let read: Vec<Vec<_>> =
            (0..rows.n_rows()).map(|idx| rows.row(&answer, idx).collect()).collect();
        let second = [Value::I64(2), Value::Null(ValueType::Text)];
        assert_eq!(read, [&[Value::I64(1), Value::Text("one")][..], &second[..]]);
    }

    #[test]
    fn no_rows_still_tell_their_columns() {
        let answer = RowsWriter::new(["id"].into_iter()).finish();
        let Ok(Answer::Rows(rows)) = Answer::decode(&answer) else { panic!("no rows") };
        assert_eq!((rows.columns(&answer).len(), rows.n_rows()), (1, 0));
    }

    #[test]
    fn answers_without_rows_survive_the_crossing() {
        assert!(matches!(Answer::decode(&touched(7)), Ok(Answer::Touched(7))));
        assert!(matches!(Answer::decode(&begun(8)), Ok(Answer::Begun(8))));
        assert!(matches!(Answer::decode(&done()), Ok(Answer::Done)));
        for kind in FaultKind::ALL {
            let bytes = fault(kind).encode();
            let Ok(Answer::Fault(read)) = Answer::decode(&bytes) else { panic!("no fault") };
            assert_eq!(read, fault(kind));
        }
        assert_eq!(FaultKind::from_number(250), FaultKind::Other);
    }

    #[test]
    fn truncated_answers_are_refused_and_never_panic() {
        let whole_rows = RowsWriter::new(["id", "name"].into_iter()).finish().len();
        let first_row = whole_rows + 2 + 9 + 8;
        for answer in [two_rows(), touched(1), begun(1), fault(FaultKind::Busy).encode()] {
            for n_bytes in 0..answer.len() {
                let is_rows = answer == two_rows();
                // Between rows an answer may end: there is no count that a host would have to know first.
                let is_whole = is_rows && (n_bytes == whole_rows || n_bytes == first_row);
                assert_eq!(Answer::decode(&answer[..n_bytes]).is_ok(), is_whole, "{n_bytes} bytes");
            }
        }
    }

    #[test]
    fn a_row_of_another_width_is_refused() {
        let mut answer = RowsWriter::new(["id"].into_iter()).finish();
        let mut row = Writer::default();
        write_row(&mut row, &[Value::Bool(true), Value::Bool(false)]);
        answer.extend(row.finish());
        let error = Answer::decode(&answer).unwrap_err();
        assert_eq!(error.to_string(), "malformed `row` at byte 9 of a message");
    }
}

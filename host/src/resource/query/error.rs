//! Why a list cannot be asked for this way.

use crate::nearest::nearest;

/// A parameter that says nothing which can be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// Its text does not follow its grammar.
    #[error("parameter {parameter}, column {column}: expected {wanted}")]
    Syntax {
        /// Which parameter.
        parameter: &'static str,
        /// Where, counted in characters from 1.
        column: usize,
        /// What was expected there.
        wanted: String,
    },
    /// It names what resources of this collection do not have.
    #[error("parameter {parameter}, column {column}: there is no field {field}")]
    UnknownField {
        /// Which parameter.
        parameter: &'static str,
        /// Where, counted in characters from 1.
        column: usize,
        /// The name.
        field: String,
        /// The nearest that there is.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// Its value is none of those that there are.
    #[error("parameter {parameter} is {value:?}: it must be {wanted}")]
    Value {
        /// Which parameter.
        parameter: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        wanted: String,
    },
}

/// What is wrong at a place of a text, before it is known which parameter the text is of.
#[derive(Debug)]
pub(super) struct Fault {
    /// In bytes.
    offset: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Wanted(String),
    Unknown { field: String, known: Vec<String> },
}

impl Fault {
    /// Something else was expected at `offset`.
    pub(super) fn wanted(offset: usize, wanted: impl Into<String>) -> Self {
        Self { offset, what: What::Wanted(wanted.into()) }
    }

    /// The name at `offset` is none of `known`.
    pub(super) fn unknown<'k>(
        offset: usize,
        field: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Self {
        let known = known.into_iter().map(str::to_owned).collect();
        Self { offset, what: What::Unknown { field: field.to_owned(), known } }
    }

    /// It as what is wrong with `parameter`, whose value is `text`.
    pub(super) fn of(self, parameter: &'static str, text: &str) -> QueryError {
        let Self { offset, what } = self;
        let before = text.get(..offset).unwrap_or(text);
        let column = before.chars().count().saturating_add(1);
        match what {
            What::Wanted(wanted) => QueryError::Syntax { parameter, column, wanted },
            What::Unknown { field, known } => {
                let nearest = nearest(&field, known.iter().map(String::as_str)).map(str::to_owned);
                QueryError::UnknownField { parameter, column, field, nearest, known }
            }
        }
    }
}

//! Why the database did not do what it was asked, and what a client may know of it.

use std::fmt;

use http::StatusCode;
use plugin_abi::database::answer::{Answer, Fault, FaultKind};
use plugin_abi::wire::WireError;
use plugin_abi::{AbiError, ErrorCode};

use crate::problem::Problem;
use crate::response::{IntoResponse, Response};

/// An error of the database: a kind for programs, words for the log.
///
/// With `?` it becomes a [`Problem`], and its words stay in the log: 404 for [`DbErrorKind::NoRow`], 409 for
/// a violated key, 422 for a violated check, 503 when trying again may help, else 500. Look at the kind
/// first where the client should be told more:
///
/// ```
/// # use plugin_sdk::prelude::*;
/// async fn insert(db: &Database, name: &str) -> Result<(), Problem> {
///     let inserted = db.execute("INSERT INTO demo_instances (name) VALUES ($1)", (name,)).await;
///     match inserted {
///         Err(error) if error.is_unique_violation() => {
///             let detail = format!("an instance `{name}` exists already");
///             Err(Problem::new(StatusCode::CONFLICT, "NAME_TAKEN", detail))
///         }
///         inserted => Ok(inserted.map(|_n_rows| ())?),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DbError(Box<Parts>);

#[derive(Clone, PartialEq, Eq)]
struct Parts {
    kind: DbErrorKind,
    code: String,
    constraint: Option<String>,
    message: String,
}

/// What kind of error a [`DbError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// A row of that key exists already.
    UniqueViolation,
    /// A row that this one refers to does not exist, or one that refers to this one does.
    ForeignKeyViolation,
    /// A column without a value must have one.
    NotNullViolation,
    /// A value does not pass a check of its table.
    CheckViolation,
    /// The table is not the plugin's own, or the statement not one that a plugin may run.
    Denied,
    /// Another writer stood in the way: the whole transaction, tried again, may work.
    Busy,
    /// The statement or its transaction took too long; the transaction is over, and taken back.
    Timeout,
    /// The statement is not SQL of this database, or names what does not exist.
    Syntax,
    /// The statement or what it brings is larger than a limit.
    TooLarge,
    /// The transaction is over: it took too long, or an earlier error ended it.
    TransactionOver,
    /// The database cannot be reached, or too much is asked of it at once; also what a probe is told.
    Unavailable,
    /// One row was wanted and there is none.
    NoRow,
    /// A column is not there, or not of the type that was asked for.
    Column,
    /// Anything else.
    Other,
}

impl DbErrorKind {
    fn of_fault(kind: FaultKind) -> Self {
        match kind {
            FaultKind::UniqueViolation => Self::UniqueViolation,
            FaultKind::ForeignKeyViolation => Self::ForeignKeyViolation,
            FaultKind::NotNullViolation => Self::NotNullViolation,
            FaultKind::CheckViolation => Self::CheckViolation,
            FaultKind::Denied => Self::Denied,
            FaultKind::Busy => Self::Busy,
            FaultKind::Timeout => Self::Timeout,
            FaultKind::Syntax => Self::Syntax,
            FaultKind::TooLarge => Self::TooLarge,
            FaultKind::TransactionOver => Self::TransactionOver,
            FaultKind::Unavailable => Self::Unavailable,
            FaultKind::Other | _ => Self::Other,
        }
    }

    fn of_abi(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Closed => Self::TransactionOver,
            ErrorCode::TooLarge => Self::TooLarge,
            ErrorCode::Denied => Self::Denied,
            ErrorCode::Unavailable | ErrorCode::Unsupported => Self::Unavailable,
            ErrorCode::Invalid | ErrorCode::Io | ErrorCode::Internal | _ => Self::Other,
        }
    }
}

impl DbError {
    pub(super) fn new(kind: DbErrorKind, message: impl Into<String>) -> Self {
        let (code, message) = (String::new(), message.into());
        Self(Box::new(Parts { kind, code, constraint: None, message }))
    }

    pub(super) fn of_fault(fault: &Fault<'_>) -> Self {
        let Fault { kind, code, constraint, message } = *fault;
        Self(Box::new(Parts {
            kind: DbErrorKind::of_fault(kind),
            code: code.to_owned(),
            constraint: constraint.map(str::to_owned),
            message: message.to_owned(),
        }))
    }

    pub(super) fn no_row() -> Self {
        Self::new(DbErrorKind::NoRow, "the query brought no row; `query_opt` allows that")
    }

    pub(super) fn in_probe() -> Self {
        let message = "there is no database in a probe; \
                       ask `Context::is_probe` before you use it in `start`";
        Self::new(DbErrorKind::Unavailable, message)
    }

    pub(super) fn malformed(error: WireError) -> Self {
        Self::new(DbErrorKind::Other, format!("the host's answer cannot be read: {error}"))
    }

    pub(super) fn unexpected(answer: Result<Answer<'_>, WireError>) -> Self {
        match answer {
            Err(error) => Self::malformed(error),
            Ok(_other) => Self::new(DbErrorKind::Other, "the host answered something else"),
        }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> DbErrorKind {
        self.0.kind
    }

    /// The database's own code: a SQLSTATE on PostgreSQL, an extended result code in decimals on SQLite;
    /// empty when it was not the database that refused.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The constraint that was violated, if it is known: its name on PostgreSQL, `table.column` on SQLite.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }

    /// What the database said. It may hold SQL and values: for logs, not for clients.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether a row of that key exists already.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        self.kind() == DbErrorKind::UniqueViolation
    }

    /// Whether a row that this one refers to does not exist, or one that refers to this one does.
    #[must_use]
    pub fn is_foreign_key_violation(&self) -> bool {
        self.kind() == DbErrorKind::ForeignKeyViolation
    }

    /// Whether the same, tried again, may work: a whole transaction, from its beginning.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), DbErrorKind::Busy | DbErrorKind::Timeout | DbErrorKind::Unavailable)
    }

    /// What a client is told.
    fn problem(&self) -> Problem {
        let conflict = |detail| Problem::new(StatusCode::CONFLICT, "CONFLICT", detail);
        let invalid =
            |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", detail);
        match self.kind() {
            DbErrorKind::NoRow => Problem::not_found("there is no such thing"),
            DbErrorKind::UniqueViolation => conflict("something with this key exists already"),
            DbErrorKind::ForeignKeyViolation => {
                conflict("this refers to something that is not there, or something refers to it")
            }
            DbErrorKind::NotNullViolation => invalid("a value that must be given is missing"),
            DbErrorKind::CheckViolation => invalid("a value is not allowed"),
            DbErrorKind::Busy | DbErrorKind::Timeout | DbErrorKind::Unavailable => {
                let detail = "the database cannot answer in time";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "DATABASE_UNAVAILABLE", detail)
                    .hint("try again in a moment")
            }
            DbErrorKind::Denied
            | DbErrorKind::Syntax
            | DbErrorKind::TooLarge
            | DbErrorKind::TransactionOver
            | DbErrorKind::Column
            | DbErrorKind::Other => {
                let detail = "the plugin's database did not do what it was asked";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail)
                    .hint("the log of the daemon says more, under this request's id")
            }
        }
    }
}

impl From<AbiError> for DbError {
    fn from(error: AbiError) -> Self {
        Self::new(DbErrorKind::of_abi(error.code), error.message)
    }
}

impl From<DbError> for Problem {
    /// The words go to the log, at a level that fits: a conflict is nothing to wake anybody for.
    fn from(error: DbError) -> Self {
        let problem = error.problem();
        let code = error.code();
        if problem.status().is_server_error() {
            tracing::error!(code, "the database refused: {error}");
        } else {
            tracing::debug!(code, "the database refused: {error}");
        }
        problem
    }
}

impl IntoResponse for DbError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { kind: _, code, constraint, message } = &*self.0;
        f.write_str(message)?;
        if let Some(constraint) = constraint {
            write!(f, ", constraint `{constraint}`")?;
        }
        if !code.is_empty() {
            write!(f, " (code {code})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())
    }
}

impl std::error::Error for DbError {}

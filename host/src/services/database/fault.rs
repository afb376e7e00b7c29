//! What goes wrong, as plugins are told it.

use std::time::Duration;

use plugin_abi::database::answer::{Fault, FaultKind};
use sqlx::error::DatabaseError;

use crate::log;
use crate::store::fence::{self, Fence, Refused, Session};

/// A fault that owns what it says.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) kind: FaultKind,
    code: String,
    constraint: Option<String>,
    message: String,
}

impl Trouble {
    /// One that the host found.
    pub(super) fn of_host(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, code: String::new(), constraint: None, message: message.into() }
    }

    /// A request about a transaction that is none.
    pub(super) fn over(limit: Duration) -> Self {
        let message = format!(
            "there is no such transaction any more: it was committed or taken back, or was open for more than {} ms",
            limit.as_millis()
        );
        Self::of_host(FaultKind::TransactionOver, message)
    }

    /// A statement that neither ended nor was ended by the database in time.
    pub(super) fn too_slow(limit: Duration) -> Self {
        let message = format!(
            "the statement took more than {} ms and was stopped; whether it was done before is not known",
            limit.as_millis()
        );
        Self::of_host(FaultKind::Timeout, message)
    }

    /// A transaction that did not end in time.
    pub(super) fn too_long(limit: Duration) -> Self {
        let message = format!(
            "the transaction was open for {} ms, the most that it may be, and was taken back",
            limit.as_millis()
        );
        Self::of_host(FaultKind::Timeout, message)
    }

    /// No connection.
    pub(super) fn of_fence(error: &fence::Error) -> Self {
        let kind = match error {
            fence::Error::NoPlace { .. } | fence::Error::Slow { .. } => FaultKind::Unavailable,
            fence::Error::Store(_)
            | fence::Error::CreateRole { .. }
            | fence::Error::OpenSchema { .. }
            | fence::Error::NoTable { .. }
            | fence::Error::NoPlainTable { .. }
            | fence::Error::Connect(_)
            | fence::Error::Login { .. }
            | fence::Error::Address(_)
            | fence::Error::Unfenced(_)
            | fence::Error::Random(_) => {
                let chain = log::chain(error);
                tracing::warn!(error = %chain, "no fenced connection for a plugin");
                FaultKind::Unavailable
            }
        };
        // The chain may tell of the host's own affairs; a plugin's log is read by operators too.
        Self::of_host(kind, log::chain(error).to_string())
    }

    /// What the database said to a statement in `session`.
    pub(super) fn of_database(error: &sqlx::Error, session: &Session, fence: &Fence) -> Self {
        let refused = match session {
            Session::Sqlite(session) => session.take_refused(),
            Session::Postgres(_) => None,
        };
        let Some(said) = error.as_database_error() else {
            return Self::of_host(kind_of_driver(error), error.to_string());
        };
        let code = said.code().unwrap_or_default();
        let (kind, constraint) = match session {
            Session::Sqlite(_) if refused.is_some() => (FaultKind::Denied, None),
            Session::Sqlite(_) => (kind_of_sqlite(&code), constraint_of_sqlite(said.message())),
            Session::Postgres(_) => (kind_of_postgres(&code), said.constraint().map(str::to_owned)),
        };
        let message = explain(kind, refused, said, fence);
        Self { kind, code: code.into_owned(), constraint, message }
    }

    /// An operator wants to know of a plugin that tried its fence.
    pub(super) fn warn_if_denied(&self) {
        if self.kind == FaultKind::Denied {
            let Self { message, code, .. } = self;
            tracing::warn!(target: "plugin", code, "the database refused: {message}");
        }
    }

    /// The answer that tells it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { kind, code, constraint, message } = self;
        Fault { kind: *kind, code, constraint: constraint.as_deref(), message }.encode()
    }
}

fn explain(
    kind: FaultKind,
    refused: Option<Refused>,
    said: &dyn DatabaseError,
    fence: &Fence,
) -> String {
    let said = said.message();
    match refused {
        Some(Refused::Table(table)) => fence.explain(&format!("touch table `{table}`")),
        Some(Refused::Function(name)) => fence.explain(&format!("call function `{name}`")),
        Some(Refused::Statement(what)) => fence.explain(&what),
        None if kind == FaultKind::Denied => format!("{} ({said})", fence.explain("do that")),
        None => said.to_owned(),
    }
}

/// Without an answer of the database: the connection broke, or sqlx could not read or write a value.
#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx's errors are many, and grow")]
fn kind_of_driver(error: &sqlx::Error) -> FaultKind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolClosed
        | sqlx::Error::PoolTimedOut => FaultKind::Unavailable,
        _ => FaultKind::Other,
    }
}

/// SQLite's result codes; the lowest byte is the primary one.
fn kind_of_sqlite(code: &str) -> FaultKind {
    use libsqlite3_sys as ffi;
    let code: i32 = code.parse().unwrap_or_default();
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => FaultKind::UniqueViolation,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => FaultKind::ForeignKeyViolation,
        ffi::SQLITE_CONSTRAINT_NOTNULL => FaultKind::NotNullViolation,
        ffi::SQLITE_CONSTRAINT_CHECK => FaultKind::CheckViolation,
        _other => match code & 0xff {
            ffi::SQLITE_ERROR => FaultKind::Syntax,
            ffi::SQLITE_AUTH => FaultKind::Denied,
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => FaultKind::Busy,
            ffi::SQLITE_INTERRUPT => FaultKind::Timeout,
            ffi::SQLITE_TOOBIG => FaultKind::TooLarge,
            ffi::SQLITE_FULL | ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN | ffi::SQLITE_NOMEM => {
                FaultKind::Unavailable
            }
            _other => FaultKind::Other,
        },
    }
}

/// `UNIQUE constraint failed: notes.a, notes.b` names what was violated after the colon.
fn constraint_of_sqlite(message: &str) -> Option<String> {
    let (_what, constraint) = message.split_once(" constraint failed: ")?;
    Some(constraint.to_owned())
}

/// SQLSTATEs; the first two characters are the class.
fn kind_of_postgres(code: &str) -> FaultKind {
    match code {
        "23505" | "23P01" => FaultKind::UniqueViolation,
        "23503" => FaultKind::ForeignKeyViolation,
        "23502" => FaultKind::NotNullViolation,
        "23514" => FaultKind::CheckViolation,
        "42501" => FaultKind::Denied,
        // A lock, a deadlock, a conflict of transactions.
        "55P03" | "40P01" | "40001" => FaultKind::Busy,
        "57014" => FaultKind::Timeout,
        "54000" | "54001" | "54011" | "54023" => FaultKind::TooLarge,
        _other => match code.get(..2).unwrap_or_default() {
            "42" => FaultKind::Syntax,
            "08" | "28" | "53" | "57" | "58" => FaultKind::Unavailable,
            _other => FaultKind::Other,
        },
    }
}

/// The host refused before the database was asked.
pub(super) fn denied(fence: &Fence, what: &str) -> Trouble {
    Trouble::of_host(FaultKind::Denied, fence.explain(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_mean_the_same() {
        for (sqlite, postgres, kind) in [
            ("2067", "23505", FaultKind::UniqueViolation),
            ("1555", "23505", FaultKind::UniqueViolation),
            ("787", "23503", FaultKind::ForeignKeyViolation),
            ("1299", "23502", FaultKind::NotNullViolation),
            ("275", "23514", FaultKind::CheckViolation),
            ("23", "42501", FaultKind::Denied),
            ("5", "55P03", FaultKind::Busy),
            ("517", "40001", FaultKind::Busy),
            ("9", "57014", FaultKind::Timeout),
            ("1", "42P01", FaultKind::Syntax),
            ("18", "54000", FaultKind::TooLarge),
            ("13", "53100", FaultKind::Unavailable),
            ("20", "22P02", FaultKind::Other),
        ] {
            assert_eq!(kind_of_sqlite(sqlite), kind, "{sqlite}");
            assert_eq!(kind_of_postgres(postgres), kind, "{postgres}");
        }
    }

    #[test]
    fn sqlite_names_a_constraint_by_its_columns() {
        let message = "UNIQUE constraint failed: notes.a, notes.b";
        assert_eq!(constraint_of_sqlite(message).as_deref(), Some("notes.a, notes.b"));
        assert_eq!(constraint_of_sqlite("FOREIGN KEY constraint failed"), None);
    }
}

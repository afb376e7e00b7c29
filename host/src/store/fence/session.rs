//! One connection of an element, the same on both databases: fenced, and only the host begins and ends transactions.
//!
//! What the plugin says runs on the connection inside, whose fence the database keeps. A session that was left in
//! the middle of something is never used again: its lease [ends](super::Lease::end) it or drops it.

use std::time::Instant;

use plugin_abi::database::SavepointId;

use super::postgres::PostgresSession;
use super::sqlite::SqliteSession;

/// See the module.
#[derive(Debug)]
pub(crate) enum Session {
    /// To the file.
    Sqlite(SqliteSession),
    /// To the server.
    Postgres(PostgresSession),
}

/// What the host says in a plugin's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// Begins a transaction; on SQLite one that may write, so that it is never refused halfway.
    Begin,
    /// Ends it and keeps what was done.
    Commit,
    /// Ends it and takes everything back.
    Rollback,
    /// Marks a place.
    Savepoint(SavepointId),
    /// Forgets a place.
    Release(SavepointId),
    /// Goes back to a place.
    RollbackTo(SavepointId),
}

impl Session {
    /// Says it.
    ///
    /// # Cancellation
    /// A session that this was dropped in the middle of must not be used again.
    pub(crate) async fn control(&mut self, control: Control) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(session) => session.say(control.sql("BEGIN IMMEDIATE")).await,
            Self::Postgres(session) => session.say(control.sql("BEGIN")).await,
        }
    }

    /// Lets statements run until then. On PostgreSQL it is the host that watches the clock, and ends the session.
    pub(crate) fn run_until(&self, end: Instant) {
        match self {
            Self::Sqlite(session) => session.gate().run_until(end),
            Self::Postgres(_) => {}
        }
    }

    /// Undoes what a statement may have left behind in the session. What fails here must not be used again.
    pub(super) async fn reset(&mut self) -> Result<(), sqlx::Error> {
        match self {
            // A session there keeps nothing that a plugin can change.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.reset().await,
        }
    }

    /// Still there, after a time in which nobody looked?
    pub(super) async fn is_alive(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(session) => session.is_alive().await,
        }
    }

    /// Makes it fit for other tables than it was opened for; one that cannot be is closed.
    pub(super) async fn learn_anew(&mut self) -> bool {
        match self {
            // It finds out about a changed schema in the middle of a statement, when sqlx has told its columns.
            Self::Sqlite(_) => false,
            Self::Postgres(session) => session.forget_statements().await.is_ok(),
        }
    }
}

impl Control {
    fn sql(self, begin: &str) -> String {
        match self {
            Self::Begin => begin.to_owned(),
            Self::Commit => "COMMIT".to_owned(),
            Self::Rollback => "ROLLBACK".to_owned(),
            Self::Savepoint(id) => format!("SAVEPOINT s{id}"),
            Self::Release(id) => format!("RELEASE SAVEPOINT s{id}"),
            Self::RollbackTo(id) => format!("ROLLBACK TO SAVEPOINT s{id}"),
        }
    }
}

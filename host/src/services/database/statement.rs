//! One statement of a plugin, on a fenced connection of either database.

use std::sync::Arc;

pub(super) use plugin_abi::database::Wanted;
use plugin_abi::database::answer::FaultKind;
use plugin_abi::database::{ANSWER_BYTES_MAX, Request, Statement};

use super::fault::Trouble;
use super::{postgres, sqlite};
use crate::store::fence::{Lease, Session};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database refused; a transaction may not be what it was.
    Database(Trouble),
    /// The host refused before or after; the database knows nothing of it.
    Host(Trouble),
}

impl Failure {
    /// The host refuses.
    pub(super) fn host(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::Host(Trouble::of_host(kind, message))
    }

    /// The answer has grown too long.
    pub(super) fn too_large() -> Self {
        let message = format!(
            "the rows are more than {ANSWER_BYTES_MAX} bytes, the most that one answer may have; ask for them in parts"
        );
        Self::host(FaultKind::TooLarge, message)
    }

    /// What to tell the plugin.
    pub(super) fn trouble(self) -> Trouble {
        match self {
            Self::Database(trouble) | Self::Host(trouble) => trouble,
        }
    }
}

/// What a driver came to: an answer, its own error, or ours.
#[derive(Debug)]
pub(super) enum Stopped {
    /// sqlx's error.
    Driver(sqlx::Error),
    /// Ours.
    Host(Failure),
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Host(failure)
    }
}

/// Runs the statement of a payload that stands alone.
pub(super) async fn run_alone(lease: &mut Lease, payload: &[u8]) -> Result<Vec<u8>, Trouble> {
    let done = match Request::decode(payload).expect("the desk has read it") {
        Request::Query(statement) => run(lease, Wanted::Rows, &statement).await,
        Request::Execute(statement) => run(lease, Wanted::Touched, &statement).await,
        Request::Begin
        | Request::Commit(_)
        | Request::Rollback(_)
        | Request::Savepoint(..)
        | Request::Release(..)
        | Request::RollbackTo(..) => {
            Err(Failure::host(FaultKind::TransactionOver, "transactions have numbers from 1 on"))
        }
    };
    done.map_err(Failure::trouble)
}

/// Runs a statement.
pub(super) async fn run(
    lease: &mut Lease,
    wanted: Wanted,
    statement: &Statement<'_>,
) -> Result<Vec<u8>, Failure> {
    let fence = Arc::clone(lease.fence());
    let ran = match lease.session() {
        Session::Sqlite(session) => sqlite::run(session, &fence, wanted, statement).await,
        Session::Postgres(session) => postgres::run(session, &fence, wanted, statement).await,
    };
    ran.map_err(|stopped| match stopped {
        Stopped::Host(failure) => failure,
        Stopped::Driver(error) => {
            Failure::Database(Trouble::of_database(&error, lease.session(), &fence))
        }
    })
}

//! Why a schema is not what was wanted, in sentences that say what stands and what to do next.

use packer::bundle::ElementName;
use sea_orm::{DbErr, RuntimeErr};

use super::chain::{ChainError, MigrationId};
use super::check::{Direction, Reason, Refusal};
use super::ledger::LedgerError;
use super::plan::PlanError;
use crate::store::fence;

/// Why a schema is not what was wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The migrations are no chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is no way to what is wanted.
    #[error(transparent)]
    Plan(#[from] Box<PlanError>),
    /// A statement is not allowed.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// The ledger is out of reach.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store is out of reach.
    #[error("the store did not do what migrations need of it")]
    Store(#[from] DbErr),
    /// The fence cannot be built.
    #[error(transparent)]
    Fence(#[from] fence::Error),
    /// Another element has applied a migration of this id.
    #[error(
        "migration `{name}` ({id}) has the id of one that element `{owner}` has applied; give it a fresh id"
    )]
    Taken {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// Whose it is.
        owner: String,
    },
    /// The database refused a statement.
    #[error(
        "migration `{name}` ({id}) failed and left nothing behind: statement {number} of its {direction}, `{sql}`: {reason}"
    )]
    Statement {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// Which half.
        direction: Direction,
        /// The how-manieth statement, from 1.
        number: usize,
        /// Its beginning.
        sql: String,
        /// What the database said.
        reason: String,
    },
    /// Statements did what nobody saw in them.
    #[error(
        "migration `{name}` ({id}) touched {what}, which is not its element's, and was taken back; its statements look harmless and are not"
    )]
    Strayed {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// What it touched.
        what: String,
    },
    /// Requests hold what the step needs.
    #[error(
        "migration `{name}` ({id}) waited {n_attempts} times for what requests hold, {wait_ms} ms each time, and left nothing behind; try again when fewer long transactions are open, or raise `migration.lock_wait_ms`"
    )]
    Blocked {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// How often.
        n_attempts: u32,
        /// How long each time.
        wait_ms: u64,
    },
    /// Somebody else changes the element's schema.
    #[error(
        "the schema of element `{element}` has been changed by somebody else for more than {limit_ms} ms, so nothing was done; try again when the statement of a daemon that ended is over, or raise `migration.statement_limit_ms`"
    )]
    Occupied {
        /// Whose.
        element: ElementName,
        /// How long was waited.
        limit_ms: u64,
    },
    /// A statement took too long.
    #[error(
        "migration `{name}` ({id}) was ended because statement {number} took more than {limit_ms} ms, and left nothing behind; fill in by a backfill, or raise `migration.statement_limit_ms`"
    )]
    TooSlow {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// The how-manieth statement, from 1.
        number: usize,
        /// How long it may take.
        limit_ms: u64,
    },
    /// What undoes a migration is not allowed.
    #[error(
        "migration `{name}` ({id}) cannot be undone and stays applied: statement {number} of its `down`: {reason}"
    )]
    DownRefused {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// The how-manieth statement, from 1.
        number: usize,
        /// Why.
        reason: Reason,
    },
    /// A declared field has no column.
    #[error(
        "table `{table}` has no column `{column}` for the declared field: `metapaas plugin migration new NAME` writes the expand step that adds it"
    )]
    NoColumn {
        /// Which table.
        table: String,
        /// Which field.
        column: String,
    },
    /// The column of a declared field does not hold its values.
    #[error(
        "column `{column}` of table `{table}` is `{declared}` and cannot hold the declared field, which needs `{wanted}`: write the steps that bring it there"
    )]
    ColumnType {
        /// Which table.
        table: String,
        /// Which field.
        column: String,
        /// What it is.
        declared: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// There is no way to undo a contract step.
    #[error(
        "contract migration `{name}` ({id}) has no `down` and stays applied; only a version that has it can come to serve"
    )]
    NoDown {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
    },
    /// A plugin does not fill in what a migration added.
    #[error(
        "the backfill of migration `{name}` ({id}) failed {n_attempts} times in a row, the last time because {reason}; what it filled in stays, and it goes on from there"
    )]
    Backfill {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// How often.
        n_attempts: u32,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// Whether it says nothing about the migrations, but that the store cannot be asked.
    pub(crate) fn is_of_the_store(&self) -> bool {
        match self {
            Self::Ledger(_) | Self::Store(_) => true,
            Self::Chain(_)
            | Self::Plan(_)
            | Self::Refused(_)
            | Self::Fence(_)
            | Self::Taken { .. }
            | Self::Statement { .. }
            | Self::Strayed { .. }
            | Self::Blocked { .. }
            | Self::Occupied { .. }
            | Self::TooSlow { .. }
            | Self::DownRefused { .. }
            | Self::NoColumn { .. }
            | Self::ColumnType { .. }
            | Self::NoDown { .. }
            | Self::Backfill { .. } => false,
        }
    }
}

/// What a database says about a statement, in its own words and without ours around them.
pub(super) fn said(error: &DbErr) -> String {
    database_error(error).map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// The code of a database error.
pub(super) fn code(error: &DbErr) -> Option<String> {
    Some(database_error(error)?.code()?.into_owned())
}

fn database_error(error: &DbErr) -> Option<&dyn sqlx::error::DatabaseError> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    error.as_database_error()
}

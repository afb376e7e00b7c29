//! What is wrong with the migrations of a descriptor, in sentences that say what to do.

use super::{MIGRATIONS_MAX, MigrationId, NAME_CHARS_MAX, STATEMENT_BYTES_MAX};

/// What is wrong with the migrations of a descriptor.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChainError {
    /// The descriptor is not one of an element's version.
    #[error("the descriptor names `{element}` {version}, which is no element and version")]
    Identity {
        /// What it says.
        element: String,
        /// What it says.
        version: String,
    },
    /// There are too many.
    #[error(
        "there are {n} migrations, at most {MIGRATIONS_MAX} are taken; begin a new chain with the schema as it is"
    )]
    TooMany {
        /// How many.
        n: usize,
    },
    /// An id is no UUID.
    #[error("migration `{name}` has the id `{id}`, which is not a UUID; give it a fresh one")]
    Id {
        /// Of which migration.
        name: String,
        /// What it says.
        id: String,
    },
    /// A name is empty, too long or cannot be printed.
    #[error(
        "migration {id} has the name {name:?}; wanted 1 to {NAME_CHARS_MAX} printable characters"
    )]
    Name {
        /// Of which migration.
        id: MigrationId,
        /// What it says.
        name: String,
    },
    /// Two migrations have one id.
    #[error(
        "migrations `{first}` and `{second}` have the same id {id}; give the newer a fresh one"
    )]
    Twice {
        /// The id.
        id: MigrationId,
        /// Who has it.
        first: String,
        /// Who has it too.
        second: String,
    },
    /// A dependency is not there.
    #[error(
        "migration `{name}` ({id}) depends on {missing}, which is not among the migrations of this version; keep every migration that was ever released"
    )]
    UnknownDependency {
        /// Whose dependency.
        name: String,
        /// Its id.
        id: MigrationId,
        /// What is missing.
        missing: String,
    },
    /// Dependencies go round in a circle.
    #[error("migrations depend on one another in a circle: {circle}")]
    Cycle {
        /// Which, by name.
        circle: String,
    },
    /// An expand step cannot be undone.
    #[error(
        "expand migration `{name}` ({id}) has no `down`; a rollout that fails must be able to undo it, so say how"
    )]
    NoDown {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
    },
    /// There are statements for the other database alone.
    #[error(
        "migration `{name}` ({id}) has no `{direction}` statements for {backend} and has some for the other database; write both"
    )]
    NoStatements {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// `up` or `down`.
        direction: &'static str,
        /// Which database.
        backend: &'static str,
    },
    /// It does nothing.
    #[error("migration `{name}` ({id}) has neither statements nor a backfill; leave it out")]
    Empty {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
    },
    /// A contract step cannot have a backfill.
    #[error(
        "contract migration `{name}` ({id}) has a backfill; fill in by an expand step, which runs while both versions work"
    )]
    BackfillOfContract {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
    },
    /// A statement is too long.
    #[error(
        "statement {number} of migration `{name}` ({id}) has {n_bytes} bytes, at most {STATEMENT_BYTES_MAX} are taken; split it"
    )]
    StatementTooLong {
        /// Which.
        name: String,
        /// Its id.
        id: MigrationId,
        /// The how-manieth, from 1.
        number: usize,
        /// How long it is.
        n_bytes: usize,
    },
}

//! What is said while a schema changes, for whoever keeps the operation's log.

use std::fmt;

/// What was done, or is about to be. Its text is a line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress<'a> {
    /// A step is applied.
    Applied {
        /// Its name.
        name: &'a str,
        /// `expand` or `contract`.
        phase: &'static str,
        /// How long it took.
        duration_ms: i64,
    },
    /// A step could not have its table yet and is tried again.
    Waiting {
        /// Its name.
        name: &'a str,
        /// How often it was tried.
        n_attempts: u32,
    },
    /// A step is undone.
    Undone {
        /// Its name.
        name: &'a str,
    },
    /// A plugin has filled in a batch.
    Filled {
        /// Of which migration.
        name: &'a str,
        /// How many rows, since this backfill was begun or taken up.
        n_rows: u64,
        /// Whether that was the last.
        end: End,
    },
    /// A batch failed and is tried again.
    Stumbled {
        /// Of which migration.
        name: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// Whether something goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It does.
    NotYet,
    /// It does not.
    Reached,
}

/// Who is told.
pub(crate) type Tell<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied { name, phase, duration_ms } => {
                write!(f, "{phase} migration `{name}` is applied, in {duration_ms} ms")
            }
            Self::Waiting { name, n_attempts } => write!(
                f,
                "migration `{name}` waited in vain for what requests hold, {n_attempts} times; \
                 it is tried again"
            ),
            Self::Undone { name } => write!(f, "migration `{name}` is undone"),
            Self::Filled { name, n_rows, end: End::NotYet } => {
                write!(f, "migration `{name}`: {n_rows} rows are filled in")
            }
            Self::Filled { name, n_rows, end: End::Reached } => {
                write!(f, "migration `{name}`: all rows are filled in, {n_rows} of them now")
            }
            Self::Stumbled { name, reason } => {
                write!(f, "a batch of the backfill of `{name}` failed and is tried again: {reason}")
            }
        }
    }
}

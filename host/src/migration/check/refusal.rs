//! Why a statement is refused, in words that say what to do instead.

use std::fmt;

use super::super::chain::MigrationId;

/// A migration that is refused, and where.
#[derive(Debug, thiserror::Error)]
#[error("migration `{name}` ({id}) is refused: statement {number} of its {direction}: {reason}")]
pub(crate) struct Refusal {
    /// Which migration.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: MigrationId,
    /// Which half of it.
    pub(crate) direction: Direction,
    /// The how-manieth statement, from 1.
    pub(crate) number: usize,
    /// Why.
    pub(crate) reason: Reason,
}

/// Which half of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What it does.
    Up,
    /// What undoes it.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "`up`",
            Self::Down => "`down`",
        })
    }
}

/// Why a statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    /// It cannot be read.
    #[error(
        "it cannot be read ({message}), and what cannot be read is not run; write it in plainer SQL"
    )]
    Parse {
        /// What the parser says.
        message: String,
    },
    /// It is no statement, or several.
    #[error("it holds {n} statements; write each as one of its own")]
    NotOne {
        /// How many.
        n: usize,
    },
    /// It is too deep to be looked at.
    #[error("it joins more than {max} operators into one expression; split it into statements")]
    TooDeep {
        /// How many may be.
        max: usize,
    },
    /// It is of no kind on the list.
    #[error(
        "`{what}` is not among what a migration may do: create, alter and drop the element's own tables and indexes, and insert, update, delete and select their rows"
    )]
    Kind {
        /// Its first words.
        what: String,
    },
    /// It has a part that is not on the list.
    #[error("`{part}` is not allowed in `{statement}`")]
    Part {
        /// What kind of statement.
        statement: &'static str,
        /// Which part.
        part: String,
    },
    /// It names the table of another element.
    #[error(
        "table `{table}` belongs to element `{owner}`; a migration may touch its own element's tables only"
    )]
    Foreign {
        /// Which table.
        table: String,
        /// Whose.
        owner: String,
    },
    /// It does more with the table of a declared resource than have columns there.
    #[error(
        "{what}: `{table}` holds declared resources, whose rows are the host's; a migration may add, fill and drop columns of its own there, with indexes on them"
    )]
    OfResource {
        /// Which table.
        table: String,
        /// What it does.
        what: String,
    },
    /// It names a table of the host or of the database.
    #[error(
        "`{name}` is the host's or the database's own; names that begin with `{prefix}` are reserved"
    )]
    Reserved {
        /// Which name.
        name: String,
        /// What is reserved.
        prefix: &'static str,
    },
    /// It names a table that is not there, or nobody's.
    #[error("`{table}` is not a table of this element, which has {own}")]
    Unknown {
        /// Which.
        table: String,
        /// What there is.
        own: String,
    },
    /// It makes what is there already.
    #[error("{kind} `{name}` is there already; choose another name")]
    Exists {
        /// `table` or `index`.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// A name is not one that the element may give.
    #[error(
        "{kind} `{name}` must begin with {prefixes} and be at most 63 characters of a-z, 0-9 and `_`"
    )]
    Name {
        /// `table` or `index`.
        kind: &'static str,
        /// Which name.
        name: String,
        /// How it may begin.
        prefixes: String,
    },
    /// A name is not a plain one.
    #[error(
        "the name `{name}` cannot be resolved: write it without schema or database, in a-z, 0-9 and `_`"
    )]
    Unresolvable {
        /// As it is written.
        name: String,
    },
    /// A subquery is called like a table.
    #[error("the subquery `{name}` has the name of a table; call it otherwise")]
    Shadows {
        /// Its name.
        name: String,
    },
    /// A function is not on the list.
    #[error(
        "the function `{name}` is not among those a migration may call; compute the value in the plugin's backfill instead"
    )]
    Function {
        /// Its name.
        name: String,
    },
    /// A type is not on the list.
    #[error("the type `{name}` is not among those a migration may use")]
    Type {
        /// Its name.
        name: String,
    },
    /// An expression is not on the list.
    #[error("the expression `{text}` is not among those a migration may use")]
    Expression {
        /// What it says.
        text: String,
    },
    /// It is not for an expand step.
    #[error(
        "{what} while the version before still serves, which may break it; make it a contract step"
    )]
    NotExpand {
        /// What it does, as the beginning of the sentence.
        what: String,
    },
    /// An index cannot be made beside a transaction.
    #[error(
        "`CONCURRENTLY` cannot run in a transaction, and every migration is one; leave the word out"
    )]
    Concurrently,
}

//! Why the store cannot be used, in sentences that say what to do next.

use std::io;

use sea_orm::{DbErr, RuntimeErr};

use super::Backend;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be made, read or written.
    #[error(
        "store `{store}` cannot be opened: the file and its directory must be readable and writable by this user"
    )]
    File {
        /// The file.
        store: String,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite cannot open, or may not write, what is there.
    #[error(
        "store `{store}` cannot be written: it and its directory must be regular, and writable by this user"
    )]
    NotWritable {
        /// The file.
        store: String,
        /// What the database said.
        source: DbErr,
    },
    /// Another program keeps it locked.
    #[error(
        "store `{store}` is locked by another program: end what has it open (a `sqlite3` shell, a copy under way) and try again"
    )]
    Locked {
        /// The database.
        store: String,
    },
    /// The disk is full.
    #[error(
        "no space is left for store `{store}`: free some and try again, what it held is unchanged"
    )]
    Full {
        /// The database.
        store: String,
    },
    /// The file is broken.
    #[error(
        "store `{store}` is damaged: put a backup in its place with `metapaas store restore FILE --force`"
    )]
    Damaged {
        /// The file.
        store: String,
        /// What the database said.
        source: DbErr,
    },
    /// The file is something else.
    #[error(
        "`{store}` is not a SQLite database: move it away and start again, or name another directory with `--data`"
    )]
    NotADatabase {
        /// The file.
        store: String,
    },
    /// The file system cannot do what durability needs.
    #[error(
        "store `{store}` cannot be kept in write-ahead mode (it stays in `{mode}`): put the data directory on a local file system"
    )]
    NoWriteAhead {
        /// The file.
        store: String,
        /// The mode that the database chose.
        mode: String,
    },
    /// The server does not answer.
    #[error(
        "database `{store}` cannot be reached: check its address and that PostgreSQL runs there"
    )]
    Unreachable {
        /// The database.
        store: String,
        /// What the attempt came to.
        source: DbErr,
    },
    /// The server does not let us in.
    #[error(
        "database `{store}` refuses this user: correct user and password in `store.database_url`"
    )]
    Unauthorized {
        /// The database.
        store: String,
        /// What the database said.
        source: DbErr,
    },
    /// The server has no such database.
    #[error(
        "database `{store}` does not exist: make it (`CREATE DATABASE … OWNER …`) and try again"
    )]
    Absent {
        /// The database.
        store: String,
    },
    /// The user may not do what a store needs.
    #[error(
        "the user of database `{store}` may not make tables in it: make it the owner of the database, or grant it CREATE on the schema"
    )]
    NotAllowed {
        /// The database.
        store: String,
        /// What the database said.
        source: DbErr,
    },
    /// Another daemon has it.
    #[error(
        "database `{store}` is in use by another daemon: stop that one or name another database with `--database-url`"
    )]
    InUse {
        /// The database.
        store: String,
    },
    /// It holds somebody else's tables and none of ours.
    #[error(
        "store `{store}` is not MetaPaaS's: it holds {tables}; name an empty database, or another directory with `--data`"
    )]
    Foreign {
        /// The database.
        store: String,
        /// Some of the tables, ready to print.
        tables: String,
    },
    /// A newer version wrote it.
    #[error(
        "store `{store}` was written by a newer version: this one does not know its schema step {steps}; start that version, or restore a backup made with this one"
    )]
    Newer {
        /// The database.
        store: String,
        /// The unknown steps, ready to print.
        steps: String,
    },
    /// Anything else that went wrong.
    #[error("store `{store}` cannot be brought into use; what it held is unchanged")]
    Statement {
        /// The database.
        store: String,
        /// What the database said.
        source: DbErr,
    },
}

impl Error {
    /// What `error` means for `store` on this backend.
    pub(super) fn of(backend: Backend, store: &str, error: DbErr) -> Self {
        let store = store.to_owned();
        match (backend, code(&error)) {
            (Backend::Sqlite, code) => Self::of_sqlite(store, code, error),
            (Backend::Postgres, Some(code)) => Self::of_postgres(store, &code, error),
            (Backend::Postgres, None) => Self::Unreachable { store, source: error },
        }
    }

    fn of_sqlite(store: String, code: Option<String>, source: DbErr) -> Self {
        // The extended codes keep the plain one in their low byte.
        match code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked { store },
            Some(3 | 8 | 10 | 14 | 23) => Self::NotWritable { store, source },
            Some(11) => Self::Damaged { store, source },
            Some(13) => Self::Full { store },
            Some(26) => Self::NotADatabase { store },
            Some(_) | None => Self::Statement { store, source },
        }
    }

    fn of_postgres(store: String, code: &str, source: DbErr) -> Self {
        match code {
            "28000" | "28P01" => Self::Unauthorized { store, source },
            "3D000" => Self::Absent { store },
            "42501" | "3F000" => Self::NotAllowed { store, source },
            "53100" => Self::Full { store },
            "55P03" => Self::Locked { store },
            "53300" => Self::Unreachable { store, source },
            _ if code.starts_with("08") || code.starts_with("57P") => {
                Self::Unreachable { store, source }
            }
            _ => Self::Statement { store, source },
        }
    }
}

/// The error of the driver as one of sea-orm's.
pub(super) fn connecting(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// SQLSTATE, or SQLite's extended code.
fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    Some(error.as_database_error()?.code()?.into_owned())
}

//! Why a backup cannot be made or restored. Whatever it is: a store that was there is as it was, and no half of a
//! backup is left.

use std::io;
use std::path::PathBuf;

use crate::{data, store};

/// Why a backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store itself is the matter.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The data directory is.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// There is nothing to back up.
    #[error(
        "there is no store `{store}`: name the data directory of the daemon with `--data`, or its database with `--database-url`"
    )]
    NoStore {
        /// Where it was looked for.
        store: String,
    },
    /// A restore was cut off.
    #[error("`{}` is in the middle of a restore: start the daemon, or restore again", data.display())]
    Unfinished {
        /// The data directory.
        data: PathBuf,
    },
    /// A file is there already.
    #[error("`{}` exists: name another file, or a folder to put a new one into", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The backup cannot be written.
    #[error("`{}` cannot be written; nothing of it is left", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the data directory, or the backup, cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no backup.
    #[error("`{}` is not a backup of a store: name a file that `metapaas store backup` made", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// Something is missing in it, or is not as it was written.
    #[error("backup `{}` is cut off or damaged: use another one, nothing was changed", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// A newer version made it.
    #[error("backup `{}` was made by version {made_by}, which is newer: restore it with that version, nothing was changed", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// That version.
        made_by: String,
    },
    /// It is of the other database.
    #[error("backup `{}` is of a store on {backup}, and `{store}` is on {configured}: a backup is restored to the database that it was made of", path.display())]
    OtherBackend {
        /// The file.
        path: PathBuf,
        /// What it was made of.
        backup: String,
        /// Where it was to go.
        store: String,
        /// What that is.
        configured: String,
    },
    /// There is a store with something in it.
    #[error("store `{store}` is not empty: add `--force` to replace all that it holds")]
    NotEmpty {
        /// Where it is.
        store: String,
    },
    /// A table has something that this kind of backup cannot hold.
    #[error("table `{table}` has {what}, which a backup cannot hold: use `pg_dump`")]
    Unsupported {
        /// The table.
        table: String,
        /// What it has, with its article.
        what: String,
    },
}

//! The daemon's store: one database, SQLite or PostgreSQL, that holds what must survive.
//!
//! The host's own tables are the [`entity`] module, made by the `migrations` crate. Queries live with the
//! module whose concept they are about; here are the connection and the shape of the rows. Guarantees: a commit
//! that was acknowledged survives power loss; one daemon at a time uses a database; what is not a store of ours,
//! or a newer one, is refused and left as it was. Not here: what plugins do with their own tables.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::time::timeout;

use crate::data::DataDir;

mod authorizer;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod entity;
mod error;
pub(crate) mod fence;
mod hold;
mod open;
mod readers;
#[cfg(test)]
pub(crate) mod testing;
mod transaction;
mod version;
pub(crate) mod writer;

pub(crate) use config::{Config, SecretUrl};
pub(crate) use error::Error;
use hold::Hold;
pub(crate) use readers::Readers;
pub(crate) use transaction::Transaction;
use transaction::Turns;

/// The file of a SQLite store in the data directory.
const FILE: &str = "metapaas.db";
/// Closing happens when all that used the store is over.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// How often it is asked whether the database is still ours.
const HOLD_PERIOD: Duration = Duration::from_secs(5);

/// An open store. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    connection: DatabaseConnection,
    /// Before a file, where one writes at a time.
    turns: Option<Turns>,
    place: Place,
}

/// Where the store is, and what keeps others out of it.
#[derive(Debug, Clone)]
enum Place {
    /// The data directory's own lock keeps others out.
    File { path: PathBuf, readers: Readers },
    /// A lock in the database keeps others out.
    Server(Arc<Hold>),
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A file, in this process.
    Sqlite,
    /// A server.
    Postgres,
}

impl Store {
    /// Opens the store, makes it if there is none yet, and brings its schema up to date.
    pub(crate) async fn open(config: &Config, data: &DataDir) -> Result<Self, Error> {
        match &config.database_url {
            Some(url) => Self::open_server(config, url).await,
            None => Self::open_file(config, &data.join(FILE)).await,
        }
    }

    async fn open_file(config: &Config, path: &Path) -> Result<Self, Error> {
        let pool = open::sqlite(path, config).await?;
        let readers = Readers::of(path, config.statement_timeout());
        let store = Self {
            connection: pool.clone().into(),
            turns: Some(Turns::new(config.lock_timeout())),
            place: Place::File { path: path.to_owned(), readers },
        };
        version::settle(&store).await?;
        open::write_ahead(path, &pool).await?;
        Ok(store)
    }

    async fn open_server(config: &Config, url: &SecretUrl) -> Result<Self, Error> {
        let hold = Arc::new(Hold::take(url, config).await?);
        let connection = open::postgres(url, config).await?.into();
        let store = Self { connection, turns: None, place: Place::Server(hold) };
        version::settle(&store).await?;
        Ok(store)
    }

    /// Which database it is.
    pub(crate) fn backend(&self) -> Backend {
        Backend::of(&self.connection)
    }

    /// For reading, and for statements that stand alone.
    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Begins a transaction that may write.
    ///
    /// On SQLite it has the right to write from the start: one that reads first and writes later can be
    /// refused halfway. Who asks first is first.
    pub(crate) async fn begin(&self) -> Result<Transaction, DbErr> {
        let turn = match &self.turns {
            Some(turns) => Some(turns.take().await?),
            None => None,
        };
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        Ok(Transaction::new(self.connection.begin_with_options(options).await?, turn))
    }

    /// The file, if it is one.
    pub(crate) fn sqlite_path(&self) -> Option<&Path> {
        match &self.place {
            Place::File { path, .. } => Some(path),
            Place::Server(..) => None,
        }
    }

    /// Connections that read where they are used, if it is a file.
    pub(crate) fn readers(&self) -> Option<&Readers> {
        match &self.place {
            Place::File { readers, .. } => Some(readers),
            Place::Server(..) => None,
        }
    }

    /// Ends when another daemon took the database, which can happen only after this one lost its connection to
    /// the server. A file cannot be lost.
    ///
    /// # Cancellation
    /// Cancel-safe.
    pub(crate) async fn lost(&self) -> Error {
        match &self.place {
            Place::File { .. } => std::future::pending().await,
            Place::Server(hold) => hold.lost(HOLD_PERIOD).await,
        }
    }

    /// Closes every connection once its statement is done, and gives the database up. One that is still in
    /// use after [`CLOSE_DEADLINE`] is left to the end of the process, which loses nothing either.
    pub(crate) async fn close(self) {
        match timeout(CLOSE_DEADLINE, self.close_all()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = crate::log::chain(&error).to_string();
                tracing::warn!(error, "the store was not closed cleanly");
            }
            Err(_) => tracing::warn!("the store was still in use when it had to be closed"),
        }
    }

    async fn close_all(self) -> Result<(), DbErr> {
        let Self { connection, turns: _, place } = self;
        if let Place::File { readers, .. } = &place {
            readers.close();
        }
        connection.close().await?;
        match place {
            Place::File { .. } => Ok(()),
            Place::Server(hold) => hold.release().await.map_err(error::connecting),
        }
    }

    /// What `error` means for this store.
    fn error(&self, error: DbErr) -> Error {
        Error::of(self.backend(), &self.place.to_string(), error)
    }

    /// A new SQLite store in `folder`.
    #[cfg(test)]
    pub(crate) async fn temporary(folder: &Path) -> Self {
        Self::open_file(&Config::default(), &folder.join(FILE)).await.unwrap()
    }
}

impl Backend {
    /// That of a connection of ours.
    pub(crate) fn of(db: &impl ConnectionTrait) -> Self {
        match db.get_database_backend() {
            DbBackend::Sqlite => Self::Sqlite,
            // Nothing but these two is compiled in.
            DbBackend::Postgres | DbBackend::MySql | _ => Self::Postgres,
        }
    }
}

impl From<Backend> for plugin_abi::database::Backend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite,
            Backend::Postgres => Self::Postgres,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Server(hold) => write!(f, "{}", hold.url()),
        }
    }
}

#[cfg(test)]
mod tests;

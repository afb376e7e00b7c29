//! The fence around each plugin's tables: connections on which the database itself refuses everything else.
//!
//! In reading order: what an element owns is its [`territory`]; on SQLite a [`gate`] decides by a [`verdict`] what
//! each statement may do, on PostgreSQL an element has a LOGIN role of its own ([`roles`], [`login`]); a [`session`] is
//! one such connection ([`sqlite`], [`postgres`]), and a [`lease`] somebody's hold on one.
//!
//! Invariants: no statement of a plugin runs on a connection of the host; what is not granted is refused, whatever
//! the statement looks like, because nothing here reads SQL; an element that asks for nothing has no connection. Not
//! here: who decides what an element owns (`migration`), what travels to plugins (`services::database`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use packer::bundle::ElementName;
use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::OnceCell;

use super::{Backend, Config, Store, authorizer};

pub(super) mod gate;
mod lease;
mod login;
mod postgres;
mod roles;
mod session;
mod sqlite;
mod territory;
mod verdict;

pub(crate) use gate::Refused;
pub(crate) use lease::{Fence, Lease, Use};
use login::RoleName;
pub(crate) use postgres::PostgresSession;
use roles::Home;
pub(crate) use session::{Control, Session};
pub(crate) use sqlite::SqliteSession;
use territory::Names;
pub(crate) use territory::Tables;

/// The fences of all elements. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Fences {
    shared: Arc<Shared>,
}

/// What all fences have in common.
#[derive(Debug)]
struct Shared {
    store: Store,
    config: Config,
    /// Made when somebody first asks, and kept.
    fences: Mutex<HashMap<ElementName, Arc<Fence>>>,
    /// What there is in the file; not used on PostgreSQL.
    names: Arc<Names>,
    /// Where the host's tables are; not used on SQLite.
    home: OnceCell<Home>,
}

/// Why there is no fenced connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The host's own statement failed.
    #[error("the store did not do what its fence needs")]
    Store(#[from] DbErr),
    /// The host may not make roles.
    #[error(
        "plugins with tables need a PostgreSQL role each, which {user} may not make: run `ALTER ROLE {user} CREATEROLE` as a superuser"
    )]
    CreateRole {
        /// The host's role.
        user: String,
    },
    /// Whoever can connect may create tables where the host has its own.
    #[error(
        "everybody may create tables in the schema {schema}, and it is not this role's to forbid: run `REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC` as its owner"
    )]
    OpenSchema {
        /// The host's schema.
        schema: String,
    },
    /// A grant on nothing.
    #[error("there is no table `{table}` that could be granted")]
    NoTable {
        /// What was to be granted.
        table: String,
    },
    /// A grant on what would hand on the rights of its owner.
    #[error(
        "`{table}` is no plain table: a view reads with the rights of its owner, so it needs `WITH (security_invoker = true)` on PostgreSQL"
    )]
    NoPlainTable {
        /// What was to be granted.
        table: String,
    },
    /// No connection could be opened.
    #[error("no connection could be opened for the element")]
    Connect(#[source] sqlx::Error),
    /// The server does not let the role in.
    #[error(
        "the server does not let the role `{role}` log in: its `pg_hba.conf` must accept passwords (`scram-sha-256`) from this host for roles that begin with `mp_`"
    )]
    Login {
        /// Which.
        role: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The store's address is none.
    #[error("the address of the store cannot be used")]
    Address(#[source] super::Error),
    /// A connection without a fence is closed at once.
    #[error("the connection could not be fenced")]
    Unfenced(#[from] authorizer::Unfenced),
    /// All connections are in use.
    #[error(
        "all {n_max} connections of the element were in use for {} ms; see `store.plugin_connections_max`",
        waited.as_millis()
    )]
    NoPlace {
        /// The limit.
        n_max: usize,
        /// How long was waited.
        waited: Duration,
    },
    /// Opening took too long.
    #[error("the database did not answer within {} ms", waited.as_millis())]
    Slow {
        /// How long was waited.
        waited: Duration,
    },
    /// The system has no randomness.
    #[error("the system gave no random bytes for a password")]
    Random(#[source] getrandom::Error),
}

impl Fences {
    /// The fences of the elements whose tables are in `store`.
    pub(crate) fn new(store: Store, config: Config) -> Self {
        let shared = Shared {
            store,
            config,
            fences: Mutex::default(),
            names: Arc::default(),
            home: OnceCell::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The limits of what plugins do in the database.
    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Which database it is.
    pub(crate) fn backend(&self) -> Backend {
        self.shared.store.backend()
    }

    /// The fence of an element. Nothing is opened or read yet.
    pub(crate) fn of(&self, element: &ElementName) -> Arc<Fence> {
        let mut fences = self.lock();
        let fence = fences
            .entry(element.clone())
            .or_insert_with(|| Fence::new(element.clone(), Arc::clone(&self.shared)));
        Arc::clone(fence)
    }

    /// Can the fence be built at all? Before a plugin that brings tables is let near the store.
    ///
    /// # Errors
    /// Which grant is missing.
    pub(crate) async fn can_make_roles(&self) -> Result<(), Error> {
        match self.backend() {
            Backend::Sqlite => Ok(()),
            Backend::Postgres => {
                let db = self.shared.store.connection();
                Home::of(db).await?.prepare(db).await
            }
        }
    }

    /// Lets the element use a table, as part of the transaction `db` that creates or changes it. Again for the same
    /// table is fine, and needed when a step gave it a column with a sequence.
    ///
    /// # Errors
    /// When the table is not one that can be fenced, or the database refuses.
    pub(crate) async fn grant(
        &self,
        db: &impl ConnectionTrait,
        element: &ElementName,
        table: &str,
    ) -> Result<(), Error> {
        match self.backend() {
            Backend::Sqlite => {
                // Other elements may be reading when the transaction commits.
                self.shared.names.add([table.to_owned()]);
                Ok(())
            }
            Backend::Postgres => {
                let (home, role) = self.shared.role(element).await?;
                Home::of(db).await?.prepare(db).await?;
                home.make(db, &role).await?;
                home.grant(db, &role, table).await
            }
        }
    }

    /// Learns anew what the element owns, after a transaction that changed it was committed. On PostgreSQL an
    /// element that owns tables has been able to log in when this returns.
    ///
    /// # Errors
    /// When the store cannot be read, or the element's role cannot log in.
    pub(crate) async fn refresh(&self, element: &ElementName) -> Result<(), Error> {
        let fence = self.of(element);
        let owns_tables = fence.learn().await?;
        if owns_tables && self.backend() == Backend::Postgres {
            fence
                .lease(Use::Statement, Instant::now() + self.config().connect_timeout())
                .await?
                .give_back()
                .await;
        }
        Ok(())
    }

    /// Takes the element's role away, as part of the transaction that dropped its tables.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn drop_role(
        &self,
        db: &impl ConnectionTrait,
        element: &ElementName,
    ) -> Result<(), Error> {
        self.forget(element);
        match self.backend() {
            Backend::Sqlite => Ok(()),
            Backend::Postgres => {
                let (home, role) = self.shared.role(element).await?;
                Ok(home.drop(db, &role).await?)
            }
        }
    }

    /// Closes the connections that nobody has used for a while.
    pub(crate) fn close_idle(&self) {
        let Some(before) = Instant::now().checked_sub(self.config().plugin_idle()) else { return };
        let fences: Vec<_> = self.lock().values().cloned().collect();
        for fence in fences {
            fence.close_idle(before);
        }
    }

    /// Closes the fence of an element: the next that is asked for starts anew.
    fn forget(&self, element: &ElementName) {
        if let Some(fence) = self.lock().remove(element) {
            fence.close_idle(Instant::now() + Duration::from_secs(1));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ElementName, Arc<Fence>>> {
        self.shared.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Where the role of an element is, and what it is called.
    async fn role(&self, element: &ElementName) -> Result<(&Home, RoleName), Error> {
        let home = self.home.get_or_try_init(|| Home::of(self.store.connection())).await?;
        Ok((home, RoleName::new(&home.database, element)))
    }
}

#[cfg(test)]
mod tests;

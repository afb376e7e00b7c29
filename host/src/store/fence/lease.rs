//! The connections of one element, and somebody's hold on one of them.
//!
//! Guarantees: no more than `store.plugin_connections_max` are open; transactions leave one for plain statements, so
//! that a plugin whose transactions wait for such a statement does not wait for itself; a connection that was not
//! given back in order is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use packer::bundle::ElementName;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::login::{Password, quoted};
use super::postgres::PostgresSession;
use super::session::Session;
use super::sqlite::SqliteSession;
use super::territory::{Columns, Rows, Table, Tables};
use super::{Error, Shared};
use crate::store::{Backend, open};

/// A connection that lay idle for less is not asked whether it is still there.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// The edition of what was never read.
const UNREAD: u64 = 0;

/// The fence of one element.
#[derive(Debug)]
pub(crate) struct Fence {
    element: ElementName,
    shared: Arc<Shared>,
    own: Arc<ArcSwap<Tables>>,
    /// Held while `own` is read, so that what was read last is what stands.
    learning: tokio::sync::Mutex<()>,
    /// Set once the role was made ready; not used on SQLite.
    login: OnceCell<PgConnectOptions>,
    /// One for each connection.
    places: Arc<Semaphore>,
    /// One for each transaction; one fewer.
    transactions: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// A statement that stands alone.
    Statement,
    /// A transaction.
    Transaction,
}

/// A connection that waits to be used again.
#[derive(Debug)]
pub(super) struct Idle {
    session: Session,
    edition: u64,
    since: Instant,
}

/// A hold on a connection. Whoever does not [give it back](Lease::give_back) closes it.
#[derive(Debug)]
pub(crate) struct Lease {
    /// There until the lease is over.
    session: Option<Session>,
    edition: u64,
    fence: Arc<Fence>,
    _places: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Fence {
    pub(super) fn new(element: ElementName, shared: Arc<Shared>) -> Arc<Self> {
        let n_max = shared.config.plugin_connections_max;
        Arc::new(Self {
            element,
            shared,
            own: Arc::default(),
            learning: tokio::sync::Mutex::default(),
            login: OnceCell::new(),
            places: Arc::new(Semaphore::new(n_max)),
            transactions: Arc::new(Semaphore::new((n_max - 1).max(1))),
            idle: Mutex::default(),
        })
    }

    /// What the element owns, as far as it was read.
    pub(crate) fn tables(&self) -> Arc<Tables> {
        self.own.load_full()
    }

    /// A sentence that says what was refused and what would not have been.
    pub(crate) fn explain(&self, what: &str) -> String {
        let (element, own) = (&self.element, self.own.load().list());
        format!("element `{element}` may not {what}: its own tables are {own}")
    }

    /// Waits for a connection, and opens one if none is idle.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        use_for: Use,
        until: Instant,
    ) -> Result<Lease, Error> {
        let began = Instant::now();
        let deadline = until.into();
        let no_place = |_elapsed| Error::NoPlace {
            n_max: self.shared.config.plugin_connections_max,
            waited: began.elapsed(),
        };
        let transaction = match use_for {
            Use::Statement => None,
            Use::Transaction => {
                let place = Arc::clone(&self.transactions).acquire_owned();
                Some(timeout_at(deadline, place).await.map_err(no_place)?.expect(NEVER_CLOSED))
            }
        };
        let place = Arc::clone(&self.places).acquire_owned();
        let place = timeout_at(deadline, place).await.map_err(no_place)?.expect(NEVER_CLOSED);
        let ready = async {
            if self.own.load().edition == UNREAD {
                self.learn().await?;
            }
            self.session().await
        };
        let (session, edition) = timeout_at(deadline, ready)
            .await
            .map_err(|_elapsed| Error::Slow { waited: began.elapsed() })??;
        let places = (place, transaction);
        Ok(Lease { session: Some(session), edition, fence: Arc::clone(self), _places: places })
    }

    /// One that is idle and fit, or a new one.
    async fn session(&self) -> Result<(Session, u64), Error> {
        let edition = self.own.load().edition;
        while let Some(mut idle) = self.take_idle() {
            if idle.since.elapsed() > TRUSTED_FOR && !idle.session.is_alive().await {
                continue;
            }
            // A statement that is compiled is not asked about again, and may know columns that are gone.
            if idle.edition == edition || idle.session.learn_anew().await {
                return Ok((idle.session, edition));
            }
        }
        Ok((self.open().await?, edition))
    }

    async fn open(&self) -> Result<Session, Error> {
        let Shared { store, config, names, .. } = &*self.shared;
        match store.sqlite_path() {
            Some(path) => {
                let (own, all) = (Arc::clone(&self.own), Arc::clone(names));
                SqliteSession::open(path, config, own, all).await.map(Session::Sqlite)
            }
            None => {
                let options = self.login.get_or_try_init(|| self.log_in()).await?;
                let opened = PostgresSession::open(options.clone()).await;
                opened.map(Session::Postgres).map_err(|error| refused_login(options, error))
            }
        }
    }

    /// Makes the element's role ready, and says how to connect as it.
    async fn log_in(&self) -> Result<PgConnectOptions, Error> {
        let Shared { store, config, .. } = &*self.shared;
        let (home, role) = self.shared.role(&self.element).await?;
        let password = Password::random().map_err(Error::Random)?;
        home.admit(store, &self.element, &role, &password, config.plugin_connections_max).await?;
        let url = config.database_url.as_ref().expect("a store on a server has an address");
        let options = open::postgres_options(url, config).map_err(Error::Address)?;
        let lock_limit = config.plugin_lock_limit().as_millis();
        Ok(options
            .username(role.as_str())
            .password(password.reveal())
            .application_name(&format!("metapaas {}", self.element))
            .options([
                ("search_path", quoted(&home.schema)),
                ("statement_timeout", config.plugin_statement_limit_ms.to_string()),
                ("lock_timeout", lock_limit.to_string()),
                (
                    "idle_in_transaction_session_timeout",
                    config.plugin_session_limit_ms().to_string(),
                ),
                // What the server has to say about a session is of no use to anybody.
                ("client_min_messages", "error".to_owned()),
            ]))
    }

    /// Reads what the element owns, and says whether that is anything.
    pub(super) async fn learn(&self) -> Result<bool, Error> {
        let _learning = self.learning.lock().await;
        let tables = match self.shared.store.backend() {
            Backend::Sqlite => self.read_file().await?,
            Backend::Postgres => self.read_server().await?,
        };
        let owns_tables = !tables.is_empty();
        let edition = self.own.load().edition + 1;
        self.own.store(Arc::new(Tables::new(edition, tables)));
        Ok(owns_tables)
    }

    async fn read_file(&self) -> Result<HashMap<String, Table>, Error> {
        let db = self.shared.store.connection();
        let sql = "SELECT t.name AS owned, t.resource AS resource, c.name AS name, c.type AS type FROM metapaas_plugin_tables t \
            LEFT JOIN pragma_table_info(t.name) c WHERE t.element = $1";
        let owned =
            Statement::from_sql_and_values(DbBackend::Sqlite, sql, [self.element.as_str().into()]);
        let mut tables: HashMap<String, Table> = HashMap::new();
        for row in db.query_all_raw(owned).await? {
            let rows = Rows::of(row.try_get("", "resource")?);
            let table = tables.entry(row.try_get("", "owned")?);
            let Table { columns, .. } =
                table.or_insert_with(|| Table { rows, columns: Columns::new() });
            let name: Option<String> = row.try_get("", "name")?;
            let declared: Option<String> = row.try_get("", "type")?;
            if let (Some(name), Some(declared)) = (name, declared) {
                columns.insert(name.to_ascii_lowercase(), declared.to_ascii_lowercase());
            }
        }
        let sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') \
            UNION SELECT name FROM pragma_module_list";
        let names = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
        let names = names.iter().map(|row| row.try_get("", "name"));
        self.shared.names.add(names.collect::<Result<Vec<String>, _>>()?);
        Ok(tables)
    }

    async fn read_server(&self) -> Result<HashMap<String, Table>, Error> {
        let sql = "SELECT name, resource FROM metapaas_plugin_tables WHERE element = $1";
        let owned = Statement::from_sql_and_values(
            DbBackend::Postgres,
            sql,
            [self.element.as_str().into()],
        );
        let rows = self.shared.store.connection().query_all_raw(owned).await?;
        let tables = rows.iter().map(|row| {
            let rows = Rows::of(row.try_get("", "resource")?);
            Ok((row.try_get("", "name")?, Table { rows, columns: Columns::new() }))
        });
        tables.collect()
    }

    /// Closes what lay idle since before then.
    pub(super) fn close_idle(&self, before: Instant) {
        self.idle().retain(|idle| idle.since >= before);
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle().pop()
    }

    pub(super) fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The connection.
    pub(crate) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect(HELD)
    }

    /// Whose it is.
    pub(crate) fn fence(&self) -> &Arc<Fence> {
        &self.fence
    }

    /// Gives the connection back for the next one. Nothing runs on it, and no transaction is open.
    pub(crate) async fn give_back(mut self) {
        let mut session = self.session.take().expect(HELD);
        // What cannot be put in order is closed.
        if session.reset().await.is_ok() {
            let idle = Idle { session, edition: self.edition, since: Instant::now() };
            self.fence.idle().push(idle);
        }
    }

    /// Ends whatever runs on the connection, takes its transaction back, and closes it.
    pub(crate) async fn end(mut self) {
        match self.session.take().expect(HELD) {
            // The statement sees that its time is over; closing takes the transaction back.
            session @ Session::Sqlite(_) => session.run_until(Instant::now()),
            Session::Postgres(session) => {
                let shared = &self.fence.shared;
                let ended = match shared.role(&self.fence.element).await {
                    Ok((_home, role)) => session.terminate(&shared.store, &role).await,
                    Err(_no_home) => Ok(()),
                };
                if let Err(error) = ended {
                    tracing::warn!(
                        element = %self.fence.element,
                        error = %crate::log::chain(&error),
                        "a session of the element could not be ended; the server's own limits will",
                    );
                }
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A statement on a dropped connection would go on until it is done.
        if let Some(session) = &self.session {
            session.run_until(Instant::now());
        }
    }
}

/// A role that the server does not let in is a matter of its configuration.
fn refused_login(options: &PgConnectOptions, error: Error) -> Error {
    if let Error::Connect(source) = error {
        let role = options.get_username().to_owned();
        let refused = is_refused(&source);
        return if refused { Error::Login { role, source } } else { Error::Connect(source) };
    }
    error
}

fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // `invalid_authorization_specification` and `invalid_password`.
    code.is_some_and(|code| code.starts_with("28"))
}

const NEVER_CLOSED: &str = "nobody closes these semaphores";
const HELD: &str = "a lease holds its session until it is over";

//! One daemon for a database on a server: an advisory lock, held by a connection of its own.
//!
//! Guarantees: nobody else opens the store while the connection lives; the server notices within half a minute
//! that this machine is gone; a connection that was lost is made again, and it is told when somebody else was
//! faster. Needs a session of its own: a pooler between daemon and server must pool sessions, not transactions.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::error::connecting;
use super::{Backend, Config, Error, SecretUrl, open};
use crate::log;

/// The advisory locks of a database are told apart by two numbers; ours all begin with this one ("mpas").
pub(super) const SPACE: i32 = 0x6d70_6173;
/// The lock that the one daemon of a database holds.
const DAEMON: i32 = 1;
/// The lock of a transaction that changes who may do what.
pub(super) const RIGHTS: i32 = 2;

/// How soon the server gives up a client that is silent: after 10 s it asks three times, every 5 s.
const KEEPALIVES: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// A database that is ours.
#[derive(Debug)]
pub(super) struct Hold {
    url: SecretUrl,
    config: Config,
    /// None between the loss of one and the next, and after the end.
    connection: Mutex<Option<PgConnection>>,
}

impl Hold {
    /// Takes the database for this process.
    pub(super) async fn take(url: &SecretUrl, config: &Config) -> Result<Self, Error> {
        let connection = Mutex::new(Some(connect(url, config).await?));
        Ok(Self { url: url.clone(), config: config.clone(), connection })
    }

    /// The database.
    pub(super) fn url(&self) -> &SecretUrl {
        &self.url
    }

    /// Asks every `period` whether the database is still ours; ends when it is somebody else's.
    pub(super) async fn lost(&self, period: Duration) -> Error {
        loop {
            sleep(period).await;
            if let Err(in_use @ Error::InUse { .. }) = self.renew().await {
                return in_use;
            }
        }
    }

    /// Gives the database up.
    pub(super) async fn release(&self) -> Result<(), sqlx::Error> {
        match self.connection.lock().await.take() {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }

    /// The connection itself, for whoever wants the database for one thing only.
    pub(super) fn into_connection(self) -> Option<PgConnection> {
        self.connection.into_inner()
    }

    async fn renew(&self) -> Result<(), Error> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_mut() {
            let answer = timeout(self.config.connect_timeout(), connection.ping()).await;
            let Some(error) = answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).err() else {
                return Ok(());
            };
            tracing::warn!(%error, "lost the connection that keeps the database ours: taking it again");
            *held = None;
        }
        let connection = connect(&self.url, &self.config).await.inspect_err(|error| {
            let error = log::chain(error).to_string();
            tracing::warn!(error, "the database is not ours for now");
        })?;
        *held = Some(connection);
        tracing::info!("the database is ours again");
        Ok(())
    }
}

/// Waits a little for the lock: a daemon that was just killed may not be quite gone.
async fn connect(url: &SecretUrl, config: &Config) -> Result<PgConnection, Error> {
    let failed = |error| Error::of(Backend::Postgres, &url.to_string(), connecting(error));
    let options = open::postgres_options(url, config)?.options(KEEPALIVES);
    let connected = timeout(config.connect_timeout(), options.connect()).await;
    let mut connection = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)?;
    let lock = sqlx::query("SELECT pg_advisory_lock($1, $2)").bind(SPACE).bind(DAEMON);
    match lock.execute(&mut connection).await.map_err(failed) {
        Err(Error::Locked { store }) => Err(Error::InUse { store }),
        Err(error) => Err(error),
        Ok(_) => Ok(connection),
    }
}

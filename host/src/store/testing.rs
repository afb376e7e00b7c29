//! Databases for the tests: a fresh one for each, on every database that there is.
//!
//! SQLite always; PostgreSQL when `METAPAAS_TEST_POSTGRES` holds the URL of a superuser (`tests/run` sees to
//! that). A variable that leads nowhere fails the test: a database that was meant to be tested was not. The
//! store's own user is no superuser, as in real life: it owns its database and may make roles.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::{Backend, Config, Error, SecretUrl, Store};
use crate::data::DataDir;

const VARIABLE: &str = "METAPAAS_TEST_POSTGRES";

/// A database of one test's own, empty until it is opened.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) config: Config,
    pub(crate) data: DataDir,
    _folder: TempDir,
    /// Its name on the server, which is its user's too.
    name: Option<String>,
}

impl Database {
    /// One of each kind.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite()];
        all.extend(Self::postgres().await);
        all
    }

    /// A file.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        Self { config: Config::default(), data, _folder: folder, name: None }
    }

    /// One on the server, if there is a server.
    pub(crate) async fn postgres() -> Option<Self> {
        let name = format!("metapaas_test_{}", uuid::Uuid::now_v7().simple());
        let mut server = server().await?;
        for sql in [
            format!("CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{name}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await.unwrap();
        }
        let url = options()?.username(&name).password(&name).database(&name).to_url_lossy();
        let url = SecretUrl::try_from(url.to_string()).unwrap();
        let sqlite = Self::sqlite();
        let config = Config { database_url: Some(url), ..Config::default() };
        Some(Self { config, name: Some(name), ..sqlite })
    }

    /// Which it is.
    pub(crate) fn backend(&self) -> Backend {
        if self.config.database_url.is_some() { Backend::Postgres } else { Backend::Sqlite }
    }

    /// The store in it.
    pub(crate) async fn open(&self) -> Result<Store, Error> {
        Store::open(&self.config, &self.data).await
    }

    /// Runs statements on it as its own user, whatever it holds.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.config.database_url {
            Some(url) => {
                let options = PgConnectOptions::from_str(url.reveal()).unwrap();
                let mut connection = options.connect().await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            None => {
                let path = self.data.join(super::FILE);
                let options = super::open::sqlite_options(&path, &self.config);
                let mut connection = options.create_if_missing(true).connect().await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Runs statements on it as the server's superuser.
    pub(crate) async fn run_as_superuser(&self, sql: &str) {
        let name = self.name.as_deref().expect("only a server has a superuser");
        let options = options().expect("there is a server").database(name);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Takes it off the server; a test that fails leaves it there to be looked at.
    pub(crate) async fn end(self) {
        let Some(name) = self.name else { return };
        let mut server = server().await.unwrap();
        // The roles of its elements are the server's, and its user commands them.
        let roles_of_elements = format!(
            "DO $$ DECLARE element TEXT; BEGIN FOR element IN SELECT roleid::regrole FROM pg_auth_members \
             WHERE member = '{name}'::regrole LOOP EXECUTE 'DROP ROLE ' || element; END LOOP; END $$"
        );
        for sql in [
            format!("DROP DATABASE {name} WITH (FORCE)"),
            roles_of_elements,
            format!("DROP ROLE {name}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await.unwrap();
        }
    }
}

fn options() -> Option<PgConnectOptions> {
    let url = std::env::var(VARIABLE).ok()?;
    Some(
        PgConnectOptions::from_str(&url).expect("METAPAAS_TEST_POSTGRES is the URL of a superuser"),
    )
}

async fn server() -> Option<PgConnection> {
    let options = options()?;
    Some(options.connect().await.expect("the server of METAPAAS_TEST_POSTGRES answers"))
}

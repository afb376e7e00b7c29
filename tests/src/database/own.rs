//! A database of PostgreSQL that belongs to one daemon, with the role that owns it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Builder;

use super::POSTGRES;

/// A database of PostgreSQL that belongs to one daemon, dropped when this is.
#[derive(Debug)]
pub struct OwnDatabase {
    /// Of the database, and of the role that owns it.
    name: String,
    /// The server as its superuser sees it, without the database: `postgres://USER:PASSWORD@HOST:PORT/`.
    server: String,
}

impl OwnDatabase {
    /// Makes one.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn make() -> Self {
        static N_MADE: AtomicU32 = AtomicU32::new(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let number = N_MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("own_{:x}_{:x}_{number}", std::process::id(), since.as_millis());
        let own = Self { name, server: server() };
        let name = &own.name;
        own.execute_as_superuser(
            "postgres",
            &[
                format!("CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{name}'"),
                format!("CREATE DATABASE {name} OWNER {name}"),
            ],
        )
        .await
        .expect("the superuser can make a role and a database");
        own
    }

    /// What the daemon connects to: as the owner, who is no superuser but may make roles.
    #[must_use]
    pub fn url(&self) -> String {
        let Self { name, server } = self;
        let (_, host) = server.rsplit_once('@').expect("the URL of the server names a user");
        format!("postgres://{name}:{name}@{host}{name}")
    }

    /// The role that the daemon has.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.name
    }

    /// The same database as the superuser sees it.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        let Self { name, server } = self;
        format!("{server}{name}")
    }

    /// Takes the right to make roles from the owner.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn forbid_roles(&self) {
        let statement = format!("ALTER ROLE {} NOCREATEROLE", self.name);
        let done = self.execute_as_superuser("postgres", &[statement]).await;
        done.expect("the superuser can alter a role");
    }

    /// The roles that the daemon has made in it for elements.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn roles_of_elements(&self) -> Vec<String> {
        self.roles().await.expect("the superuser can look")
    }

    /// What the database itself says to these statements of a role, in a transaction that is taken back: the code
    /// of the first one that is refused.
    ///
    /// # Panics
    /// When the server cannot be asked.
    pub async fn refusal(&self, role: &str, statements: &[String]) -> Option<String> {
        let connection = PgConnection::connect(&self.superuser_url()).await;
        let mut connection = connection.expect("the superuser can connect");
        let become_it = format!("SET SESSION AUTHORIZATION {role}");
        for prepare in [become_it.as_str(), "BEGIN"] {
            let done = connection.execute(sqlx::AssertSqlSafe(prepare)).await;
            done.expect("the superuser can become any role");
        }
        for statement in statements {
            if let Err(error) = connection.execute(sqlx::AssertSqlSafe(statement.as_str())).await {
                let code = error.as_database_error().and_then(|error| error.code());
                return Some(code.map_or_else(|| error.to_string(), |code| code.into_owned()));
            }
        }
        None
    }

    async fn execute_as_superuser(
        &self,
        database: &str,
        statements: &[String],
    ) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect(&format!("{}{database}", self.server)).await?;
        for statement in statements {
            connection.execute(sqlx::AssertSqlSafe(statement.as_str())).await?;
        }
        connection.close().await
    }

    /// Drops the database, the roles that have rights in it alone, and the owner.
    async fn drop_all(&self) -> Result<(), sqlx::Error> {
        let name = &self.name;
        let roles = self.roles().await?;
        let mut statements = vec![format!("DROP DATABASE {name} WITH (FORCE)")];
        statements.extend(roles.iter().map(|role| format!("DROP ROLE {role}")));
        statements.push(format!("DROP ROLE {name}"));
        self.execute_as_superuser("postgres", &statements).await
    }

    async fn roles(&self) -> Result<Vec<String>, sqlx::Error> {
        let mut connection = PgConnection::connect(&self.superuser_url()).await?;
        let query = self.roles_query();
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await
    }

    /// Asks for the roles that were given rights in this database, or are called after it; the owner excepted.
    #[must_use]
    pub fn roles_query(&self) -> String {
        let query = "SELECT role.rolname FROM pg_shdepend AS depend \
            JOIN pg_roles AS role ON role.oid = depend.refobjid AND depend.refclassid = 'pg_authid'::regclass \
            JOIN pg_database AS database ON depend.dbid = database.oid \
                OR (depend.classid = 'pg_database'::regclass AND depend.objid = database.oid) \
            WHERE database.datname = '{own}' AND role.rolname <> '{own}' AND NOT role.rolsuper \
            UNION SELECT rolname FROM pg_roles \
            WHERE rolname LIKE 'mp\\_' || left(encode(sha256('{own}'::bytea), 'hex'), 8) || '\\_%' ORDER BY 1";
        query.replace("{own}", &self.name)
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        // A thread of its own, because this one may belong to a runtime, which must not wait for another.
        let dropped = thread::scope(|scope| {
            let drop_all = || {
                let runtime = Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime needs an epoll instance").block_on(self.drop_all())
            };
            scope.spawn(drop_all).join()
        });
        // What is left is gone with the cluster; a failing test must not fail once more.
        if !matches!(dropped, Ok(Ok(()))) && !thread::panicking() {
            panic!("the database `{}` is not dropped: {dropped:?}", self.name);
        }
    }
}

/// The server of the tests, as its superuser sees it.
fn server() -> String {
    let url = std::env::var(POSTGRES).unwrap_or_else(|_| {
        panic!("no PostgreSQL: run the tests by `tests/run`, or `export {POSTGRES}=$(tests/postgres start)`")
    });
    let (server, _database) = url.rsplit_once('/').expect("the URL names a database");
    format!("{server}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn roles_named_after(own: &str) -> i64 {
        let mut connection = PgConnection::connect(&format!("{}postgres", server())).await.unwrap();
        let query = "SELECT count(*) FROM pg_roles WHERE rolname LIKE $1 || '%'";
        sqlx::query_scalar(query).bind(own).fetch_one(&mut connection).await.unwrap()
    }

    #[tokio::test]
    async fn a_database_goes_with_the_roles_that_were_made_for_it() {
        let own = OwnDatabase::make().await;
        let name = own.name.clone();
        let mut connection = PgConnection::connect(&own.url()).await.unwrap();
        for statement in [
            "CREATE TABLE things (id BIGINT)".to_owned(),
            format!("CREATE ROLE {name}_by_table LOGIN"),
            format!("GRANT SELECT ON things TO {name}_by_table"),
            format!("CREATE ROLE {name}_by_connect LOGIN"),
            format!("GRANT CONNECT ON DATABASE {name} TO {name}_by_connect"),
        ] {
            connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
        }
        assert_eq!(roles_named_after(&name).await, 3);
        drop(own);
        assert_eq!(roles_named_after(&name).await, 0);
    }

    #[tokio::test]
    async fn its_owner_is_no_superuser_and_may_be_kept_from_making_roles() {
        let own = OwnDatabase::make().await;
        let mut connection = PgConnection::connect(&own.url()).await.unwrap();
        let make = format!("CREATE ROLE {}_other", own.name);
        assert!(connection.execute("ALTER SYSTEM SET fsync = off").await.is_err());
        own.forbid_roles().await;
        let refused = connection.execute(sqlx::AssertSqlSafe(make)).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{refused}");
    }
}

//! What plugins try, on every database, against the database alone: nothing here has looked at their SQL.

use std::fmt::Write as _;

use expect_test::{ExpectFile, expect_file};
use sea_orm::ConnectionTrait as _;
use sqlx::AssertSqlSafe;

use super::*;
use crate::store::testing::Database;

mod statements;

use statements::{FINE, FOREIGN, ON_POSTGRES, ON_SQLITE};

/// A store with the host's tables, one of the plugin's own and one of a neighbor's.
struct Street {
    database: Database,
    store: Store,
    fences: Fences,
}

const SOON: Duration = Duration::from_secs(5);

fn mine() -> ElementName {
    "mine".parse().unwrap()
}

impl Street {
    async fn of(database: Database) -> Self {
        let store = database.open().await.unwrap();
        let fences = Fences::new(store.clone(), database.config.clone());
        fences.can_make_roles().await.unwrap();
        let street = Self { database, store, fences };
        let serial = match street.store.backend() {
            Backend::Sqlite => "INTEGER PRIMARY KEY",
            Backend::Postgres => "BIGSERIAL PRIMARY KEY",
        };
        for element in ["mine", "theirs"] {
            street
                .migrate(element, &format!("{element}_notes"), &format!("(id {serial}, text TEXT)"))
                .await;
        }
        street.host("INSERT INTO theirs_notes (text) VALUES ('secret')").await;
        street.host("INSERT INTO mine_notes (text) VALUES ('hello')").await;
        street
    }

    /// Does what a migration does.
    async fn migrate(&self, element: &str, table: &str, columns: &str) {
        let name = element.parse().unwrap();
        let transaction = self.store.begin().await.unwrap();
        for sql in [
            format!("CREATE TABLE {table} {columns}"),
            format!("INSERT INTO metapaas_plugin_tables VALUES ('{table}', '{element}')"),
        ] {
            transaction.execute_unprepared(&sql).await.unwrap();
        }
        self.fences.grant(&transaction, &name, table).await.unwrap();
        transaction.commit().await.unwrap();
        self.fences.refresh(&name).await.unwrap();
    }

    async fn host(&self, sql: &str) {
        self.store.connection().execute_unprepared(sql).await.unwrap();
    }

    async fn lease(&self) -> Lease {
        self.fences.of(&mine()).lease(Use::Statement, Instant::now() + SOON).await.unwrap()
    }

    /// All that is not the plugin's, as text.
    async fn others(&self) -> String {
        let mut all = String::new();
        let (tables, columns) = match self.store.backend() {
            Backend::Sqlite => (
                "SELECT name || coalesce(sql, '') AS line FROM sqlite_master ORDER BY 1",
                "SELECT name || type AS line FROM sqlite_temp_master ORDER BY 1",
            ),
            Backend::Postgres => (
                "SELECT relname || relkind::text || relowner::text || coalesce(relacl::text, '') AS line \
                 FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
                "SELECT attrelid::regclass::text || attname || format_type(atttypid, atttypmod) AS line \
                 FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid \
                 WHERE relnamespace = 'public'::regnamespace AND attnum > 0 ORDER BY 1",
            ),
        };
        let contents = "SELECT text AS line FROM theirs_notes UNION ALL \
            SELECT name || element FROM metapaas_plugin_tables ORDER BY 1";
        for sql in [tables, columns, contents] {
            let backend = self.store.connection().get_database_backend();
            let statement = sea_orm::Statement::from_string(backend, sql);
            for row in self.store.connection().query_all_raw(statement).await.unwrap() {
                let line: String = row.try_get("", "line").unwrap();
                writeln!(all, "{line}").unwrap();
            }
        }
        all
    }

    async fn end(self) {
        let Self { database, store, fences } = self;
        let transaction = store.begin().await.unwrap();
        for element in ["mine", "theirs"] {
            transaction.execute_unprepared(&format!("DROP TABLE {element}_notes")).await.unwrap();
            fences.drop_role(&transaction, &element.parse().unwrap()).await.unwrap();
        }
        transaction.commit().await.unwrap();
        drop(fences);
        store.close().await;
        database.end().await;
    }
}

/// What the database says to a statement of the plugin: how many rows came or were touched, or its code.
async fn attempt(lease: &mut Lease, sql: &str) -> String {
    let sql = AssertSqlSafe(sql.to_owned());
    match lease.session() {
        Session::Sqlite(session) => {
            let rows = sqlx::query(sql).fetch_all(session.connection()).await;
            match (rows, session.take_refused()) {
                (Ok(rows), None) => format!("{} rows", rows.len()),
                (Ok(_), Some(refused)) => format!("REFUSED AND DONE: {refused:?}"),
                (Err(error), Some(refused)) => format!("{} {refused:?}", code(&error)),
                (Err(error), None) => format!("{} {error}", code(&error)),
            }
        }
        Session::Postgres(session) => {
            match sqlx::query(sql).fetch_all(session.connection()).await {
                Ok(rows) => format!("{} rows", rows.len()),
                Err(error) => code(&error),
            }
        }
    }
}

fn code(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.map_or_else(|| error.to_string(), |code| code.into_owned())
}

/// Tries each statement in a session of its own and writes down what came of it.
async fn check(street: &Street, statements: [&[&str]; 2], wanted: &ExpectFile) {
    let before = street.others().await;
    let mut said = String::new();
    for sql in statements.concat() {
        let mut lease = street.lease().await;
        let outcome = attempt(&mut lease, sql).await;
        writeln!(said, "{sql} => {outcome}").unwrap();
        lease.end().await;
        assert!(street.others().await == before, "`{sql}` changed what is not the plugin's");
    }
    wanted.assert_eq(&said);
}

#[tokio::test]
async fn its_own_tables_are_free_to_use() {
    for database in Database::each().await {
        let street = Street::of(database).await;
        let mut lease = street.lease().await;
        for sql in FINE {
            let outcome = attempt(&mut lease, sql).await;
            assert!(outcome.ends_with(" rows"), "{:?}: {sql}: {outcome}", street.fences.backend());
        }
        lease.give_back().await;
        street.end().await;
    }
}

#[tokio::test]
async fn what_is_foreign_is_refused_by_sqlite() {
    let street = Street::of(Database::sqlite()).await;
    check(&street, [FOREIGN, ON_SQLITE], &expect_file!["tests/refused_by_sqlite.txt"]).await;
    street.end().await;
}

#[tokio::test]
async fn what_is_foreign_is_refused_by_postgres() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    check(&street, [FOREIGN, ON_POSTGRES], &expect_file!["tests/refused_by_postgres.txt"]).await;
    street.end().await;
}

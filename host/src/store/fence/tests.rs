//! What plugins try, on every database, against the database alone: nothing here has looked at their SQL.

use std::fmt::Write as _;

use expect_test::{ExpectFile, expect_file};
use plugin_abi::resource::columns;
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
            format!(
                "INSERT INTO metapaas_plugin_tables (name, element) VALUES ('{table}', '{element}')"
            ),
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
        let outcome = match attempt(&mut lease, sql).await {
            // Which index comes first depends on all the tables that there are.
            outcome if sql == "REINDEX" => outcome.split('`').next().unwrap_or_default().to_owned(),
            outcome => outcome,
        };
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

#[tokio::test]
async fn nothing_that_a_session_says_gives_it_more() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    for (sql, outcome) in [
        ("RESET ROLE", "0 rows"),
        ("SET ROLE NONE", "0 rows"),
        ("SELECT set_config('role', 'none', false)", "1 rows"),
        ("RESET SESSION AUTHORIZATION", "0 rows"),
        ("SET row_security = off", "0 rows"),
        ("SET search_path = pg_temp, public", "0 rows"),
        ("SET allow_system_table_mods = on", "42501"),
        ("SET session_replication_role = replica", "42501"),
        ("ALTER ROLE CURRENT_USER SET search_path = pg_temp", "0 rows"),
        ("DROP OWNED BY CURRENT_USER", "0 rows"),
    ] {
        let mut lease = street.lease().await;
        let said = attempt(&mut lease, sql).await;
        let then = attempt(&mut lease, "SELECT * FROM public.theirs_notes").await;
        let and = attempt(&mut lease, "SELECT * FROM public.metapaas_elements").await;
        assert_eq!((&*said, &*then, &*and), (outcome, "42501", "42501"), "{sql}");
        lease.give_back().await;
    }
    // The last one threw its own rights away; the next daemon gives them back.
    street.fences.forget(&mine());
    assert_eq!(attempt(&mut street.lease().await, "SELECT * FROM mine_notes").await, "1 rows");
    street.end().await;
}

#[tokio::test]
async fn what_others_do_stays_hidden() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    street.host("SELECT lo_from_bytea(4711, 'secret')").await;
    let mut lease = street.lease().await;
    for (sql, outcome) in [
        ("SELECT 1 WHERE database_to_xml(true, true, '')::text LIKE '%secret%'", "0 rows"),
        (
            "SELECT 1 FROM pg_stat_activity WHERE usename <> current_user AND query NOT LIKE '<insufficient%'",
            "0 rows",
        ),
        (
            "SELECT 1 FROM pg_stats WHERE tablename NOT LIKE 'mine%' AND schemaname = 'public'",
            "0 rows",
        ),
        ("SELECT lo_get(4711)", "42501"),
        ("SELECT lo_unlink(4711)", "42501"),
        ("SELECT passwd FROM pg_user WHERE passwd <> '********'", "0 rows"),
    ] {
        assert_eq!(attempt(&mut lease, sql).await, outcome, "{sql}");
    }
    lease.give_back().await;
    street.end().await;
}

#[tokio::test]
async fn a_session_keeps_nothing_for_the_next() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    let left_behind = "SELECT current_setting('statement_timeout'), \
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
        (SELECT count(*) FROM pg_listening_channels()), \
        (SELECT count(*) FROM pg_cursors WHERE name <> ''), current_setting('search_path')";
    let seen = async |lease: &mut Lease| {
        let Session::Postgres(session) = lease.session() else { panic!("no server") };
        let row = sqlx::query(left_behind).fetch_one(session.connection()).await.unwrap();
        let number = |idx| sqlx::Row::get::<i64, usize>(&row, idx);
        let text = |idx| sqlx::Row::get::<String, usize>(&row, idx);
        (text(0), number(1), number(2), number(3), text(4))
    };
    let clean = ("10s".to_owned(), 0, 0, 0, "\"public\"".to_owned());
    let mut lease = street.lease().await;
    assert_eq!(seen(&mut lease).await, clean);
    for sql in [
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT set_config('search_path', 'pg_catalog', false)",
        "SELECT pg_advisory_lock(1)",
        "LISTEN gossip",
        "BEGIN",
        "DECLARE open_cursor CURSOR WITH HOLD FOR SELECT 1",
    ] {
        let said = attempt(&mut lease, sql).await;
        assert!(said.ends_with(" rows"), "{sql}: {said}");
    }
    assert_ne!(seen(&mut lease).await, clean);
    lease.give_back().await;
    assert_eq!(seen(&mut street.lease().await).await, clean);
    street.end().await;
}

#[tokio::test]
async fn the_daemons_own_lock_cannot_be_taken() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    let mut lease = street.lease().await;
    let sql = "SELECT 1 WHERE pg_try_advisory_lock(1836081523, 1)";
    assert_eq!(attempt(&mut lease, sql).await, "0 rows");
    lease.give_back().await;
    street.end().await;
}

#[tokio::test]
async fn a_new_daemon_has_new_passwords_and_mends_what_is_missing() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    let role = street.fences.shared.role(&mine()).await.unwrap().1;
    // As after a restore into another server: the tables are there, the roles are not.
    street.host(&format!("DROP OWNED BY {0}; DROP ROLE {0}", role.quoted())).await;
    let again = Fences::new(street.store.clone(), street.database.config.clone());
    let until = || Instant::now() + SOON;
    let mut lease = again.of(&mine()).lease(Use::Statement, until()).await.unwrap();
    let insert = "INSERT INTO mine_notes (text) VALUES ('a') RETURNING id";
    assert_eq!(attempt(&mut lease, insert).await, "1 rows", "rows and their sequence");
    // What the daemon before knew lets nobody in any more.
    street.fences.of(&mine()).close_idle(until());
    let old = street.fences.of(&mine()).lease(Use::Statement, until()).await.unwrap_err();
    let Error::Login { role: refused, .. } = old else { panic!("{old}") };
    assert_eq!(refused, role.as_str());
    lease.give_back().await;
    street.end().await;
}

#[tokio::test]
async fn the_missing_grant_is_named() {
    let Some(database) = Database::postgres().await else { return };
    let store = database.open().await.unwrap();
    let fences = Fences::new(store.clone(), database.config.clone());
    let user = Home::of(store.connection()).await.unwrap().user;
    database.run_as_superuser(&format!("ALTER ROLE {user} NOCREATEROLE")).await;
    assert_eq!(
        fences.can_make_roles().await.unwrap_err().to_string(),
        format!(
            "plugins with tables need a PostgreSQL role each, which \"{user}\" may not make: run `ALTER ROLE \"{user}\" CREATEROLE` as a superuser"
        )
    );
    database.run_as_superuser(&format!("ALTER ROLE {user} CREATEROLE")).await;
    fences.can_make_roles().await.unwrap();
    // As it was before PostgreSQL 15. The database's owner can close the schema, and does.
    database.run_as_superuser("GRANT CREATE ON SCHEMA public TO PUBLIC").await;
    fences.can_make_roles().await.unwrap();
    assert!(!Home::of(store.connection()).await.unwrap().is_open);
    // Somebody else's schema is not the host's to close.
    database
        .run_as_superuser(
            "GRANT CREATE ON SCHEMA public TO PUBLIC; ALTER SCHEMA public OWNER TO CURRENT_USER",
        )
        .await;
    assert_eq!(
        fences.can_make_roles().await.unwrap_err().to_string(),
        "everybody may create tables in the schema \"public\", and it is not this role's to forbid: run `REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC` as its owner"
    );
    store.close().await;
    database.end().await;
}

#[tokio::test]
async fn what_all_have_in_common_is_prepared_by_many_at_once() {
    let Some(database) = Database::postgres().await else { return };
    let store = database.open().await.unwrap();
    let fences = Fences::new(store.clone(), database.config.clone());
    // A schema that nobody may use unasked, so that each role needs the use of it.
    let owner = Home::of(store.connection()).await.unwrap().user;
    database
        .run_as_superuser(&format!(
            "ALTER SCHEMA public OWNER TO {owner}; REVOKE USAGE ON SCHEMA public FROM PUBLIC"
        ))
        .await;
    let made = (0..8).map(async |number| {
        fences.can_make_roles().await?;
        let element = format!("element-{number}").parse().unwrap();
        let transaction = store.begin().await?;
        let role = fences.shared.role(&element).await?.1;
        Home::of(&transaction).await?.make(&transaction, &role).await?;
        transaction.commit().await?;
        Ok::<_, Error>(())
    });
    for made in futures_util::future::join_all(made).await {
        made.unwrap();
    }
    store.close().await;
    database.end().await;
}

#[tokio::test]
async fn a_view_of_the_host_is_not_handed_on() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    let (stale, own) = ("mine_view", "mine_own");
    street.host(&format!("CREATE VIEW {stale} AS SELECT * FROM theirs_notes")).await;
    let invoker = "WITH (security_invoker = true)";
    street.host(&format!("CREATE VIEW {own} {invoker} AS SELECT * FROM theirs_notes")).await;
    let db = street.store.connection();
    let refused = street.fences.grant(db, &mine(), stale).await.unwrap_err();
    assert!(matches!(refused, Error::NoPlainTable { .. }), "{refused}");
    let refused = street.fences.grant(db, &mine(), "mine_nothing").await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no table `mine_nothing` that could be granted");
    street.fences.grant(db, &mine(), own).await.unwrap();
    let mut lease = street.lease().await;
    for view in [stale, own] {
        assert_eq!(attempt(&mut lease, &format!("SELECT * FROM {view}")).await, "42501");
    }
    lease.give_back().await;
    street.host(&format!("DROP VIEW {own}, {stale}")).await;
    street.end().await;
}

#[tokio::test]
async fn a_purged_element_leaves_no_role() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    let role = street.fences.shared.role(&mine()).await.unwrap().1;
    let mut lease = street.lease().await;
    assert_eq!(attempt(&mut lease, "SELECT lo_create(0)").await, "1 rows");
    lease.give_back().await;
    let transaction = street.store.begin().await.unwrap();
    street.fences.drop_role(&transaction, &mine()).await.unwrap();
    transaction.commit().await.unwrap();
    let sql = format!(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = '{role}') \
         + (SELECT count(*) FROM pg_largeobject_metadata) AS n"
    );
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
    let left = street.store.connection().query_one_raw(statement).await.unwrap().unwrap();
    assert_eq!(left.try_get::<i64>("", "n").unwrap(), 0);
    street.end().await;
}

#[tokio::test]
async fn an_element_opens_what_it_uses_and_no_more() {
    for mut database in Database::each().await {
        database.config.plugin_connections_max = 2;
        let street = Street::of(database).await;
        let fence = street.fences.of(&mine());
        let long = || Instant::now() + SOON;
        let short = || Instant::now() + Duration::from_millis(50);
        let first = fence.lease(Use::Statement, long()).await.unwrap();
        let second = fence.lease(Use::Transaction, long()).await.unwrap();
        let refused = fence.lease(Use::Statement, short()).await.unwrap_err().to_string();
        let wanted = "all 2 connections of the element were in use for";
        assert!(refused.starts_with(wanted), "{refused}");
        first.give_back().await;
        let refused = fence.lease(Use::Transaction, short()).await.unwrap_err();
        assert!(matches!(refused, Error::NoPlace { .. }), "one is for plain statements");
        second.give_back().await;
        assert_eq!(fence.idle().len(), 2);
        fence.lease(Use::Statement, long()).await.unwrap().give_back().await;
        assert_eq!(fence.idle().len(), 2, "it was used again");
        fence.close_idle(long());
        assert_eq!(fence.idle().len(), 0);
        drop(fence.lease(Use::Statement, long()).await.unwrap());
        assert_eq!(fence.idle().len(), 0, "what was not given back is closed");
        assert_eq!(street.fences.of(&"other".parse().unwrap()).idle().len(), 0);
        street.end().await;
    }
}

#[tokio::test]
async fn a_statement_that_the_host_says_is_not_lent() {
    let street = Street::of(Database::sqlite()).await;
    let mut lease = street.lease().await;
    lease.session().control(Control::Begin).await.unwrap();
    lease.session().control(Control::Savepoint(1)).await.unwrap();
    for sql in ["COMMIT", "ROLLBACK", "SAVEPOINT s1", "RELEASE SAVEPOINT s1", "BEGIN IMMEDIATE"] {
        let outcome = attempt(&mut lease, sql).await;
        assert!(outcome.starts_with("23 "), "{sql}: {outcome}");
    }
    lease.session().control(Control::Release(1)).await.unwrap();
    lease.session().control(Control::Rollback).await.unwrap();
    for sql in ["COMMIT", "ROLLBACK", "BEGIN IMMEDIATE"] {
        let outcome = attempt(&mut lease, sql).await;
        assert!(outcome.starts_with("23 "), "{sql}, which the host has just said: {outcome}");
    }
    lease.give_back().await;
    street.end().await;
}

#[tokio::test]
async fn a_trigger_of_ones_own_reaches_no_further() {
    let street = Street::of(Database::sqlite()).await;
    for sql in [
        "CREATE TRIGGER mine_spy AFTER INSERT ON mine_notes BEGIN \
         INSERT INTO theirs_notes (text) VALUES (new.text); END",
        "CREATE VIEW mine_view AS SELECT * FROM theirs_notes",
        "INSERT INTO metapaas_plugin_tables (name, element) VALUES ('mine_view', 'mine')",
    ] {
        street.host(sql).await;
    }
    street.fences.refresh(&mine()).await.unwrap();
    let mut lease = street.lease().await;
    for sql in ["INSERT INTO mine_notes (text) VALUES ('x')", "SELECT * FROM mine_view"] {
        assert_eq!(attempt(&mut lease, sql).await, "23 Table(\"theirs_notes\")", "{sql}");
    }
    lease.give_back().await;
    street.end().await;
}

#[tokio::test]
async fn a_table_that_came_a_moment_ago_is_known() {
    let street = Street::of(Database::sqlite()).await;
    let mut lease = street.lease().await;
    // The neighbor's migration, committed and not learned of yet.
    let transaction = street.store.begin().await.unwrap();
    transaction.execute_unprepared("CREATE TABLE theirs_more (id INTEGER)").await.unwrap();
    let theirs = "theirs".parse().unwrap();
    street.fences.grant(&transaction, &theirs, "theirs_more").await.unwrap();
    transaction.commit().await.unwrap();
    for sql in ["SELECT count(*) FROM theirs_more", "SELECT id FROM theirs_more"] {
        assert_eq!(attempt(&mut lease, sql).await, "23 Table(\"theirs_more\")", "{sql}");
    }
    lease.give_back().await;
    street.end().await;
}

#[tokio::test]
async fn of_declared_resources_a_plugin_reads_all_and_writes_its_own_columns() {
    for database in Database::each().await {
        let street = Street::of(database).await;
        let transaction = street.store.begin().await.unwrap();
        for sql in columns::create("mine_disks", street.store.backend().into()).into_iter().chain([
            "ALTER TABLE mine_disks ADD COLUMN size bigint".to_owned(),
            "INSERT INTO metapaas_plugin_tables (name, element, resource) VALUES ('mine_disks', 'mine', true)"
                .to_owned(),
        ]) {
            transaction.execute_unprepared(&sql).await.unwrap();
        }
        street.fences.grant(&transaction, &mine(), "mine_disks").await.unwrap();
        transaction.commit().await.unwrap();
        street.fences.refresh(&mine()).await.unwrap();
        let refused = match street.store.backend() {
            Backend::Sqlite => "23 Table(\"mine_disks\")",
            Backend::Postgres => "42501",
        };
        let mut lease = street.lease().await;
        for (sql, outcome) in [
            ("SELECT * FROM mine_disks", "0 rows"),
            ("UPDATE mine_disks SET size = size + 1 WHERE name = 'a'", "0 rows"),
            ("UPDATE mine_disks SET status = 'ACTIVE'", refused),
            ("UPDATE mine_disks SET size = 1, revision = revision + 1", refused),
            ("DELETE FROM mine_disks", refused),
            ("INSERT INTO mine_disks (size) VALUES (1)", refused),
        ] {
            assert_eq!(attempt(&mut lease, sql).await, outcome, "{sql}");
        }
        if street.store.backend() == Backend::Sqlite {
            assert_eq!(attempt(&mut lease, "UPDATE mine_disks SET rowid = 7").await, refused);
        }
        lease.give_back().await;
        // A daemon that starts anew mends the same rights and no more.
        street.fences.forget(&mine());
        let mut lease = street.lease().await;
        assert_eq!(attempt(&mut lease, "UPDATE mine_disks SET status = 'x'").await, refused);
        assert_eq!(attempt(&mut lease, "UPDATE mine_disks SET size = 1").await, "0 rows");
        lease.give_back().await;
        street.host("DROP TABLE mine_disks").await;
        street.end().await;
    }
}

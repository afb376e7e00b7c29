//! What plugins try, on every database, against the database alone: nothing here has looked at their SQL.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use sea_orm::ConnectionTrait as _;
use sqlx::AssertSqlSafe;

use super::*;
use crate::store::testing::Database;

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
async fn check(street: &Street, statements: &[&str], wanted: &Expect) {
    let before = street.others().await;
    let mut said = String::new();
    for sql in statements {
        let mut lease = street.lease().await;
        let outcome = attempt(&mut lease, sql).await;
        writeln!(said, "{sql} => {outcome}").unwrap();
        lease.end().await;
        assert!(street.others().await == before, "`{sql}` changed what is not the plugin's");
    }
    wanted.assert_eq(&said);
}

/// What a plugin may do, spelled in every way that has to work.
const FINE: [&str; 14] = [
    "INSERT INTO mine_notes (text) VALUES ('a'), ('b')",
    "SELECT * FROM mine_notes",
    "SELECT count(*) FROM mine_notes",
    "SELECT count(*) FROM (SELECT id FROM mine_notes) AS sub",
    "WITH n AS (SELECT id FROM mine_notes) SELECT count(*) FROM n",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT * FROM n",
    "INSERT INTO mine_notes (id, text) VALUES (100, 'c') ON CONFLICT (id) DO UPDATE SET text = excluded.text RETURNING id",
    "UPDATE mine_notes SET text = upper(text) WHERE id IN (SELECT id FROM mine_notes) RETURNING *",
    "DELETE FROM mine_notes WHERE EXISTS (SELECT 1 FROM mine_notes AS other WHERE other.id = 100)",
    "SELECT CURRENT_TIMESTAMP, coalesce(NULL, 1), round(1.5), substr('abc', 1, 1)",
    "SELECT m.id FROM mine_notes AS m LEFT JOIN mine_notes AS n ON n.id = m.id",
    "SELECT row_number() OVER (ORDER BY id), text FROM mine_notes",
    "VALUES (1), (2)",
    "SELECT 1 UNION SELECT 2",
];

/// What a plugin may not, in words that both databases understand.
const FOREIGN: [&str; 33] = [
    "SELECT * FROM metapaas_elements",
    "SELECT count(*) FROM metapaas_elements",
    "SELECT 1 FROM theirs_notes",
    "SELECT count(*) FROM THEIRS_NOTES",
    "SELECT EXISTS (SELECT 1 FROM theirs_notes)",
    "SELECT * FROM mine_notes WHERE text IN (SELECT text FROM theirs_notes)",
    "WITH n AS (SELECT text FROM theirs_notes) SELECT * FROM n",
    "SELECT * FROM mine_notes UNION ALL SELECT * FROM theirs_notes",
    "INSERT INTO theirs_notes (text) VALUES ('mine now')",
    "INSERT INTO mine_notes (text) SELECT text FROM theirs_notes",
    "INSERT INTO metapaas_plugin_tables VALUES ('theirs_notes', 'mine') ON CONFLICT (name) DO UPDATE SET element = 'mine'",
    "UPDATE theirs_notes SET text = 'x'",
    "UPDATE mine_notes SET text = t.text FROM theirs_notes AS t",
    "UPDATE metapaas_plugin_tables SET element = 'mine'",
    "DELETE FROM theirs_notes",
    "DELETE FROM plugin_migrations",
    "CREATE TABLE mine_more (id INTEGER)",
    "CREATE TABLE mine_copy AS SELECT * FROM theirs_notes",
    "CREATE TABLE mine_refers (id INTEGER REFERENCES theirs_notes (id))",
    "CREATE TEMP TABLE metapaas_elements (name TEXT)",
    "CREATE TEMP VIEW theirs_view AS SELECT * FROM theirs_notes",
    "CREATE VIEW mine_view AS SELECT * FROM theirs_notes",
    "CREATE INDEX theirs_index ON theirs_notes (text)",
    "CREATE TRIGGER spy AFTER INSERT ON theirs_notes BEGIN INSERT INTO mine_notes (text) VALUES (new.text); END",
    "ALTER TABLE theirs_notes RENAME TO mine_stolen",
    "ALTER TABLE mine_notes RENAME TO metapaas_evil",
    "ALTER TABLE mine_notes ADD COLUMN more TEXT",
    "DROP TABLE theirs_notes",
    "DROP TABLE mine_notes",
    "DROP VIEW theirs_notes",
    "DROP INDEX metapaas_operations_by_state",
    "REINDEX metapaas_elements",
    "EXPLAIN SELECT * FROM theirs_notes",
];

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
    check(&street, &FOREIGN, &expect![[r#"
        SELECT * FROM metapaas_elements => 23 Table("metapaas_elements")
        SELECT count(*) FROM metapaas_elements => 23 Table("metapaas_elements")
        SELECT 1 FROM theirs_notes => 23 Table("theirs_notes")
        SELECT count(*) FROM THEIRS_NOTES => 23 Table("THEIRS_NOTES")
        SELECT EXISTS (SELECT 1 FROM theirs_notes) => 23 Table("theirs_notes")
        SELECT * FROM mine_notes WHERE text IN (SELECT text FROM theirs_notes) => 23 Table("theirs_notes")
        WITH n AS (SELECT text FROM theirs_notes) SELECT * FROM n => 23 Table("theirs_notes")
        SELECT * FROM mine_notes UNION ALL SELECT * FROM theirs_notes => 23 Table("theirs_notes")
        INSERT INTO theirs_notes (text) VALUES ('mine now') => 23 Table("theirs_notes")
        INSERT INTO mine_notes (text) SELECT text FROM theirs_notes => 23 Table("theirs_notes")
        INSERT INTO metapaas_plugin_tables VALUES ('theirs_notes', 'mine') ON CONFLICT (name) DO UPDATE SET element = 'mine' => 23 Table("metapaas_plugin_tables")
        UPDATE theirs_notes SET text = 'x' => 23 Table("theirs_notes")
        UPDATE mine_notes SET text = t.text FROM theirs_notes AS t => 23 Table("theirs_notes")
        UPDATE metapaas_plugin_tables SET element = 'mine' => 23 Table("metapaas_plugin_tables")
        DELETE FROM theirs_notes => 23 Table("theirs_notes")
        DELETE FROM plugin_migrations => 23 Table("plugin_migrations")
        CREATE TABLE mine_more (id INTEGER) => 23 Statement("change the schema")
        CREATE TABLE mine_copy AS SELECT * FROM theirs_notes => 23 Statement("change the schema")
        CREATE TABLE mine_refers (id INTEGER REFERENCES theirs_notes (id)) => 23 Statement("change the schema")
        CREATE TEMP TABLE metapaas_elements (name TEXT) => 23 Statement("change the schema")
        CREATE TEMP VIEW theirs_view AS SELECT * FROM theirs_notes => 23 Statement("change the schema")
        CREATE VIEW mine_view AS SELECT * FROM theirs_notes => 23 Statement("change the schema")
        CREATE INDEX theirs_index ON theirs_notes (text) => 23 Statement("change the schema")
        CREATE TRIGGER spy AFTER INSERT ON theirs_notes BEGIN INSERT INTO mine_notes (text) VALUES (new.text); END => 23 Statement("create the trigger `spy`")
        ALTER TABLE theirs_notes RENAME TO mine_stolen => 23 Statement("alter the table `theirs_notes`")
        ALTER TABLE mine_notes RENAME TO metapaas_evil => 23 Statement("alter the table `mine_notes`")
        ALTER TABLE mine_notes ADD COLUMN more TEXT => 23 Statement("alter the table `mine_notes`")
        DROP TABLE theirs_notes => 23 Statement("change the schema")
        DROP TABLE mine_notes => 23 Statement("change the schema")
        DROP VIEW theirs_notes => 23 Statement("change the schema")
        DROP INDEX metapaas_operations_by_state => 23 Statement("change the schema")
        REINDEX metapaas_elements => 23 Statement("rebuild the index `sqlite_autoindex_metapaas_elements_1`")
        EXPLAIN SELECT * FROM theirs_notes => 23 Table("theirs_notes")
    "#]]).await;
    let of_its_own = [
        "SELECT * FROM sqlite_master",
        "SELECT count(*) FROM sqlite_schema",
        "SELECT count(*) FROM main.sqlite_master",
        "SELECT * FROM temp.sqlite_master",
        "SELECT * FROM pragma_table_info('metapaas_elements')",
        "SELECT count(*) FROM pragma_table_list",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_dbpage",
        "PRAGMA table_info(theirs_notes)",
        "PRAGMA writable_schema = ON",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA trusted_schema = ON",
        "ATTACH DATABASE 'other.db' AS other",
        "ATTACH DATABASE ':memory:' AS other",
        "DETACH DATABASE main",
        "VACUUM",
        "VACUUM INTO 'stolen.db'",
        "ANALYZE",
        "ANALYZE theirs_notes",
        "REINDEX",
        "SELECT load_extension('evil')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/evil', 'x')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT fts3_tokenizer('simple', x'0000000000000000')",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT edit('x')",
        "SELECT * FROM fsdir('/')",
        "CREATE VIRTUAL TABLE mine_search USING fts5(text)",
        "CREATE VIRTUAL TABLE temp.mine_stat USING dbstat(main)",
        "CREATE TABLE mine_strict (id INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT",
        "CREATE TRIGGER IF NOT EXISTS mine_trigger AFTER INSERT ON mine_notes BEGIN DELETE FROM theirs_notes; END",
        "CREATE TEMP TRIGGER mine_trigger AFTER INSERT ON main.mine_notes BEGIN DELETE FROM theirs_notes; END",
        "UPDATE sqlite_master SET sql = ''",
        "DELETE FROM sqlite_sequence",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s1",
        "RELEASE s1",
        "SELECT \"unknown\"",
        "SELECT zeroblob(100000000)",
        "SELECT * FROM json_each('[1,2]')",
        "SELECT value ->> 'a' FROM json_each('[{\"a\": 1}]')",
    ];
    check(&street, &of_its_own, &expect![[r#"
        SELECT * FROM sqlite_master => 23 Table("sqlite_master")
        SELECT count(*) FROM sqlite_schema => 23 Table("sqlite_schema")
        SELECT count(*) FROM main.sqlite_master => 23 Table("sqlite_master")
        SELECT * FROM temp.sqlite_master => 23 Table("sqlite_temp_master")
        SELECT * FROM pragma_table_info('metapaas_elements') => 23 Table("pragma_table_info")
        SELECT count(*) FROM pragma_table_list => 23 Table("pragma_table_list")
        SELECT * FROM dbstat => 23 Table("dbstat")
        SELECT * FROM sqlite_dbpage => 1 error returned from database: (code: 1) no such table: sqlite_dbpage
        PRAGMA table_info(theirs_notes) => 23 Statement("use the pragma `table_info`")
        PRAGMA writable_schema = ON => 23 Statement("use the pragma `writable_schema`")
        PRAGMA foreign_keys = OFF => 23 Statement("use the pragma `foreign_keys`")
        PRAGMA journal_mode = DELETE => 23 Statement("use the pragma `journal_mode`")
        PRAGMA trusted_schema = ON => 23 Statement("use the pragma `trusted_schema`")
        ATTACH DATABASE 'other.db' AS other => 23 Statement("attach the file `other.db`")
        ATTACH DATABASE ':memory:' AS other => 23 Statement("attach the file `:memory:`")
        DETACH DATABASE main => 23 Statement("detach the database `main`")
        VACUUM => 23 Statement("attach the file ``")
        VACUUM INTO 'stolen.db' => 23 Statement("attach the file `stolen.db`")
        ANALYZE => 23 Statement("change the schema")
        ANALYZE theirs_notes => 23 Statement("change the schema")
        REINDEX => 23 Statement("rebuild the index `sqlite_autoindex_metapaas_backfills_1`")
        SELECT load_extension('evil') => 1 Function("load_extension")
        SELECT readfile('/etc/passwd') => 1 error returned from database: (code: 1) no such function: readfile
        SELECT writefile('/tmp/evil', 'x') => 1 error returned from database: (code: 1) no such function: writefile
        SELECT fts3_tokenizer('simple') => 1 Function("fts3_tokenizer")
        SELECT fts3_tokenizer('simple', x'0000000000000000') => 1 Function("fts3_tokenizer")
        SELECT sqlite_compileoption_get(1) => 1 Function("sqlite_compileoption_get")
        SELECT edit('x') => 1 error returned from database: (code: 1) no such function: edit
        SELECT * FROM fsdir('/') => 1 error returned from database: (code: 1) no such table: fsdir
        CREATE VIRTUAL TABLE mine_search USING fts5(text) => 23 Statement("change the schema")
        CREATE VIRTUAL TABLE temp.mine_stat USING dbstat(main) => 23 Statement("change the schema")
        CREATE TABLE mine_strict (id INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT => 23 Statement("change the schema")
        CREATE TRIGGER IF NOT EXISTS mine_trigger AFTER INSERT ON mine_notes BEGIN DELETE FROM theirs_notes; END => 23 Statement("create the trigger `mine_trigger`")
        CREATE TEMP TRIGGER mine_trigger AFTER INSERT ON main.mine_notes BEGIN DELETE FROM theirs_notes; END => 23 Statement("create the trigger `mine_trigger`")
        UPDATE sqlite_master SET sql = '' => 1 error returned from database: (code: 1) table sqlite_master may not be modified
        DELETE FROM sqlite_sequence => 1 error returned from database: (code: 1) no such table: sqlite_sequence
        BEGIN => 23 Statement("begin or end a transaction by a statement")
        COMMIT => 23 Statement("begin or end a transaction by a statement")
        ROLLBACK => 23 Statement("begin or end a transaction by a statement")
        SAVEPOINT s1 => 23 Statement("begin or end a transaction by a statement")
        RELEASE s1 => 23 Statement("begin or end a transaction by a statement")
        SELECT "unknown" => 1 error returned from database: (code: 1) no such column: "unknown" - should this be a string literal in single-quotes?
        SELECT zeroblob(100000000) => 18 error returned from database: (code: 18) string or blob too big
        SELECT * FROM json_each('[1,2]') => 2 rows
        SELECT value ->> 'a' FROM json_each('[{"a": 1}]') => 1 rows
    "#]]).await;
    street.end().await;
}

#[tokio::test]
async fn what_is_foreign_is_refused_by_postgres() {
    let Some(database) = Database::postgres().await else { return };
    let street = Street::of(database).await;
    check(&street, &FOREIGN, &expect![[r#"
        SELECT * FROM metapaas_elements => 42501
        SELECT count(*) FROM metapaas_elements => 42501
        SELECT 1 FROM theirs_notes => 42501
        SELECT count(*) FROM THEIRS_NOTES => 42501
        SELECT EXISTS (SELECT 1 FROM theirs_notes) => 42501
        SELECT * FROM mine_notes WHERE text IN (SELECT text FROM theirs_notes) => 42501
        WITH n AS (SELECT text FROM theirs_notes) SELECT * FROM n => 42501
        SELECT * FROM mine_notes UNION ALL SELECT * FROM theirs_notes => 42501
        INSERT INTO theirs_notes (text) VALUES ('mine now') => 42501
        INSERT INTO mine_notes (text) SELECT text FROM theirs_notes => 42501
        INSERT INTO metapaas_plugin_tables VALUES ('theirs_notes', 'mine') ON CONFLICT (name) DO UPDATE SET element = 'mine' => 42501
        UPDATE theirs_notes SET text = 'x' => 42501
        UPDATE mine_notes SET text = t.text FROM theirs_notes AS t => 42501
        UPDATE metapaas_plugin_tables SET element = 'mine' => 42501
        DELETE FROM theirs_notes => 42501
        DELETE FROM plugin_migrations => 42501
        CREATE TABLE mine_more (id INTEGER) => 42501
        CREATE TABLE mine_copy AS SELECT * FROM theirs_notes => 42501
        CREATE TABLE mine_refers (id INTEGER REFERENCES theirs_notes (id)) => 42501
        CREATE TEMP TABLE metapaas_elements (name TEXT) => 42501
        CREATE TEMP VIEW theirs_view AS SELECT * FROM theirs_notes => 42501
        CREATE VIEW mine_view AS SELECT * FROM theirs_notes => 42501
        CREATE INDEX theirs_index ON theirs_notes (text) => 42501
        CREATE TRIGGER spy AFTER INSERT ON theirs_notes BEGIN INSERT INTO mine_notes (text) VALUES (new.text); END => 42601
        ALTER TABLE theirs_notes RENAME TO mine_stolen => 42501
        ALTER TABLE mine_notes RENAME TO metapaas_evil => 42501
        ALTER TABLE mine_notes ADD COLUMN more TEXT => 42501
        DROP TABLE theirs_notes => 42501
        DROP TABLE mine_notes => 42501
        DROP VIEW theirs_notes => 42809
        DROP INDEX metapaas_operations_by_state => 42501
        REINDEX metapaas_elements => 42601
        EXPLAIN SELECT * FROM theirs_notes => 42501
    "#]]).await;
    let of_its_own = [
        "SELECT * FROM public.metapaas_elements",
        "TRUNCATE mine_notes",
        "TRUNCATE theirs_notes",
        "COPY theirs_notes TO '/tmp/stolen'",
        "COPY mine_notes FROM PROGRAM 'id'",
        "COPY (SELECT * FROM theirs_notes) TO '/tmp/stolen'",
        "COMMENT ON TABLE theirs_notes IS 'mine'",
        "GRANT ALL ON theirs_notes TO PUBLIC",
        "GRANT ALL ON mine_notes TO PUBLIC",
        "REVOKE ALL ON theirs_notes FROM PUBLIC",
        "ALTER TABLE mine_notes OWNER TO CURRENT_USER",
        "ALTER TABLE mine_notes INHERIT theirs_notes",
        "CREATE TABLE mine_child () INHERITS (theirs_notes)",
        "CREATE TABLE mine_like (LIKE theirs_notes)",
        "CREATE TABLE mine_part PARTITION OF theirs_notes DEFAULT",
        "CREATE RULE spy AS ON INSERT TO theirs_notes DO ALSO INSERT INTO mine_notes VALUES (1)",
        "CREATE TRIGGER spy AFTER INSERT ON theirs_notes EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE FUNCTION mine_spy() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT text FROM theirs_notes $$",
        "CREATE STATISTICS mine_stat ON id, text FROM theirs_notes",
        "CREATE SCHEMA mine",
        "CREATE EXTENSION dblink",
        "CREATE ROLE evil",
        "CREATE DATABASE evil",
        "CREATE SERVER evil FOREIGN DATA WRAPPER postgres_fdw",
        "CREATE PUBLICATION evil FOR TABLE theirs_notes",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER SYSTEM SET log_statement = 'all'",
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC",
        "DROP SEQUENCE theirs_notes_id_seq",
        "SELECT nextval('theirs_notes_id_seq')",
        "SELECT setval('mine_notes_id_seq', 1)",
        "REINDEX TABLE mine_notes",
        "VACUUM theirs_notes",
        "ANALYZE theirs_notes",
        "LOCK TABLE theirs_notes",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT set_config('role', datdba::regrole::text, false) FROM pg_database WHERE datname = current_database()",
        "RESET ROLE",
        "SELECT set_config('role', 'none', true)",
        "SELECT query_to_xml('SELECT * FROM theirs_notes', true, true, '')",
        "SELECT table_to_xml('theirs_notes', true, true, '')",
        "SELECT database_to_xml(true, true, '')",
        "SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t (one INT)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_get(1)",
        "SELECT * FROM pg_largeobject",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_user_mapping",
        "SELECT pg_reload_conf()",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
        "SELECT pg_switch_wal()",
        "LOAD 'auto_explain'",
        "DO $$ BEGIN EXECUTE 'DELETE FROM theirs_notes'; END $$",
        "SELECT 1; SELECT 2",
        "WITH gone AS (DELETE FROM theirs_notes RETURNING *) SELECT * FROM gone",
        "WITH gone AS (UPDATE metapaas_plugin_tables SET element = 'mine' RETURNING *) SELECT * FROM gone",
        "MERGE INTO theirs_notes USING mine_notes ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
        "SELECT text INTO mine_into FROM mine_notes",
        "SELECT text INTO TEMP mine_into FROM mine_notes",
        "SELECT * FROM mine_notes, LATERAL (SELECT * FROM theirs_notes) AS t",
        "SELECT (SELECT t FROM theirs_notes AS t LIMIT 1)::text",
        "TABLE theirs_notes",
        "SELECT pg_advisory_lock(1835098483, 1)",
    ];
    check(&street, &of_its_own, &expect![[r#"
        SELECT * FROM public.metapaas_elements => 42501
        TRUNCATE mine_notes => 42501
        TRUNCATE theirs_notes => 42501
        COPY theirs_notes TO '/tmp/stolen' => 42501
        COPY mine_notes FROM PROGRAM 'id' => 42501
        COPY (SELECT * FROM theirs_notes) TO '/tmp/stolen' => 42501
        COMMENT ON TABLE theirs_notes IS 'mine' => 42501
        GRANT ALL ON theirs_notes TO PUBLIC => 42501
        GRANT ALL ON mine_notes TO PUBLIC => 0 rows
        REVOKE ALL ON theirs_notes FROM PUBLIC => 42501
        ALTER TABLE mine_notes OWNER TO CURRENT_USER => 42501
        ALTER TABLE mine_notes INHERIT theirs_notes => 42501
        CREATE TABLE mine_child () INHERITS (theirs_notes) => 42501
        CREATE TABLE mine_like (LIKE theirs_notes) => 42501
        CREATE TABLE mine_part PARTITION OF theirs_notes DEFAULT => 42501
        CREATE RULE spy AS ON INSERT TO theirs_notes DO ALSO INSERT INTO mine_notes VALUES (1) => 42501
        CREATE TRIGGER spy AFTER INSERT ON theirs_notes EXECUTE FUNCTION suppress_redundant_updates_trigger() => 42501
        CREATE FUNCTION mine_spy() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT text FROM theirs_notes $$ => 42501
        CREATE STATISTICS mine_stat ON id, text FROM theirs_notes => 42501
        CREATE SCHEMA mine => 42501
        CREATE EXTENSION dblink => 42501
        CREATE ROLE evil => 42501
        CREATE DATABASE evil => 42501
        CREATE SERVER evil FOREIGN DATA WRAPPER postgres_fdw => 42704
        CREATE PUBLICATION evil FOR TABLE theirs_notes => 42501
        ALTER ROLE CURRENT_USER SUPERUSER => 42501
        ALTER SYSTEM SET log_statement = 'all' => 42501
        ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC => 0 rows
        DROP SEQUENCE theirs_notes_id_seq => 42501
        SELECT nextval('theirs_notes_id_seq') => 42501
        SELECT setval('mine_notes_id_seq', 1) => 42501
        REINDEX TABLE mine_notes => 42501
        VACUUM theirs_notes => 0 rows
        ANALYZE theirs_notes => 0 rows
        LOCK TABLE theirs_notes => 25P01
        SET ROLE postgres => 42501
        SET SESSION AUTHORIZATION postgres => 42501
        SELECT set_config('role', 'postgres', false) => 42501
        SELECT set_config('role', datdba::regrole::text, false) FROM pg_database WHERE datname = current_database() => 42501
        RESET ROLE => 0 rows
        SELECT set_config('role', 'none', true) => 1 rows
        SELECT query_to_xml('SELECT * FROM theirs_notes', true, true, '') => 42501
        SELECT table_to_xml('theirs_notes', true, true, '') => 42501
        SELECT database_to_xml(true, true, '') => 1 rows
        SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t (one INT) => 42883
        SELECT pg_read_file('/etc/passwd') => 42501
        SELECT pg_ls_dir('/') => 42501
        SELECT lo_import('/etc/passwd') => 42501
        SELECT lo_get(1) => 42704
        SELECT * FROM pg_largeobject => 42501
        SELECT * FROM pg_authid => 42501
        SELECT * FROM pg_shadow => 42501
        SELECT * FROM pg_statistic => 42501
        SELECT * FROM pg_user_mapping => 42501
        SELECT pg_reload_conf() => 42501
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user => 42501
        SELECT pg_switch_wal() => 42501
        LOAD 'auto_explain' => 42501
        DO $$ BEGIN EXECUTE 'DELETE FROM theirs_notes'; END $$ => 42501
        SELECT 1; SELECT 2 => 42601
        WITH gone AS (DELETE FROM theirs_notes RETURNING *) SELECT * FROM gone => 42501
        WITH gone AS (UPDATE metapaas_plugin_tables SET element = 'mine' RETURNING *) SELECT * FROM gone => 42501
        MERGE INTO theirs_notes USING mine_notes ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES => 42501
        SELECT text INTO mine_into FROM mine_notes => 42501
        SELECT text INTO TEMP mine_into FROM mine_notes => 42501
        SELECT * FROM mine_notes, LATERAL (SELECT * FROM theirs_notes) AS t => 42501
        SELECT (SELECT t FROM theirs_notes AS t LIMIT 1)::text => 42501
        TABLE theirs_notes => 42501
        SELECT pg_advisory_lock(1835098483, 1) => 1 rows
    "#]]).await;
    street.end().await;
}

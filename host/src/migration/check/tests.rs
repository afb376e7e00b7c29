//! What is refused, with which words, and what is allowed; on both databases and in both phases.

use super::*;
use crate::migration::chain::MigrationId;
use crate::migration::checksum::Checksum;
use crate::store::Backend;

const BOTH: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];
const PHASES: [Phase; 2] = [Phase::Expand, Phase::Contract];

fn world(backend: Backend) -> World {
    let mut world = World::new(&"demo-app".parse().unwrap(), &["demo".to_owned()], backend);
    world.add_table("demo_notes", Owner::Element("demo-app".to_owned()));
    world.add_table("demo_tags", Owner::Element("demo-app".to_owned()));
    world.add_table("demo_taken", Owner::Element("demo-app-two".to_owned()));
    world.add_table("mail_boxes", Owner::Element("mail".to_owned()));
    world.add_table("strangers", Owner::Nobody);
    world.add_table("demo_strangers", Owner::Nobody);
    world.add_table("metapaas_elements", Owner::Nobody);
    world.add_index("demo_notes_by_name", "demo_notes");
    world.add_index("mail_boxes_by_name", "mail_boxes");
    world
}

fn migration(phase: Phase, up: &[&str], down: &[&str]) -> Migration {
    let owned = |all: &[&str]| all.iter().map(|sql| (*sql).to_owned()).collect::<Vec<_>>();
    Migration {
        id: "5f0c6f3e-0000-4000-8000-000000000001".parse::<MigrationId>().unwrap(),
        author: Author::Plugin,
        name: "test".to_owned(),
        depends_on: Vec::new(),
        phase,
        up: owned(up),
        down: Some(owned(down)),
        backfill: None,
        checksum: Checksum::from_ledger(String::new()),
    }
}

fn outcome(backend: Backend, phase: Phase, up: &[&str]) -> Result<Vec<Effect>, String> {
    check(&mut world(backend), &migration(phase, up, &[]), Direction::Up)
        .map_err(|refusal| refusal.reason.to_string())
}

/// What is wrong with how a statement is refused, if it is.
fn not_refused(backend: Backend, phase: Phase, sql: &str, wanted: &str) -> Option<String> {
    match outcome(backend, phase, &[sql]) {
        Err(reason) if reason.contains(wanted) => None,
        Err(reason) => Some(format!(
            "{backend:?} {phase:?}: {sql}\n  refused because: {reason}\n  wanted: {wanted}"
        )),
        Ok(_allowed) => Some(format!("{backend:?} {phase:?}: allowed: {sql}")),
    }
}

#[track_caller]
fn check_refused(backend: Backend, phase: Phase, sql: &str, wanted: &str) {
    assert_eq!(not_refused(backend, phase, sql, wanted), None);
}

#[track_caller]
fn check_allowed(backend: Backend, phase: Phase, sql: &str) {
    if let Err(reason) = outcome(backend, phase, &[sql]) {
        panic!("{backend:?} {phase:?}: {sql}\n  refused because: {reason}");
    }
}

/// Refused whatever the phase.
#[track_caller]
fn refused(backends: &[Backend], cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, wanted) in cases {
        for backend in backends {
            wrong.extend(
                PHASES.iter().filter_map(|phase| not_refused(*backend, *phase, sql, wanted)),
            );
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const OF_MAIL: &str = "`mail_boxes` belongs to element `mail`";
const OF_HOST: &str = "`metapaas_elements` is the host's or the database's own";

/// Ways that both databases have.
const TO_OTHERS: &[(&str, &str)] = &[
    ("SELECT * FROM mail_boxes", OF_MAIL),
    (
        "SELECT * FROM strangers",
        "`strangers` is not a table of this element, which has `demo_notes`, `demo_tags`",
    ),
    ("SELECT * FROM demo_strangers", "`demo_strangers` is not a table of this element"),
    ("SELECT * FROM metapaas_elements", OF_HOST),
    ("SELECT * FROM plugin_migrations", "names that begin with `plugin_` are reserved"),
    ("SELECT * FROM \"mail_boxes\"", OF_MAIL),
    ("SELECT * FROM MAIL_Boxes", OF_MAIL),
    ("CREATE TABLE demo_x (id int REFERENCES mail_boxes (id))", OF_MAIL),
    ("CREATE TABLE demo_x (id int, FOREIGN KEY (id) REFERENCES mail_boxes (id))", OF_MAIL),
    ("CREATE TABLE demo_x AS SELECT * FROM mail_boxes", OF_MAIL),
    ("CREATE TABLE mail_boxes (id int)", OF_MAIL),
    ("CREATE TABLE IF NOT EXISTS mail_boxes (id int)", OF_MAIL),
    ("CREATE TABLE demo_taken (id int)", "`demo_taken` belongs to element `demo-app-two`"),
    ("DROP TABLE mail_boxes", OF_MAIL),
    ("DROP TABLE IF EXISTS mail_boxes", OF_MAIL),
    ("DROP TABLE metapaas_elements", OF_HOST),
    ("DROP TABLE sqlite_sequence", "names that begin with `sqlite_` are reserved"),
    ("DROP TABLE pg_class", "names that begin with `pg_` are reserved"),
    ("DROP INDEX mail_boxes_by_name", OF_MAIL),
    ("ALTER TABLE mail_boxes ADD COLUMN x int", OF_MAIL),
    ("ALTER TABLE mail_boxes RENAME TO demo_mail", OF_MAIL),
    ("ALTER TABLE demo_notes RENAME TO mail_boxes", OF_MAIL),
    ("ALTER TABLE demo_notes RENAME TO metapaas_elements", OF_HOST),
    ("ALTER TABLE demo_notes RENAME TO pg_notes", "names that begin with `pg_`"),
    ("ALTER TABLE demo_notes ADD COLUMN x int REFERENCES mail_boxes (id)", OF_MAIL),
    ("CREATE INDEX demo_i ON mail_boxes (id)", OF_MAIL),
    (
        "CREATE INDEX mail_i ON demo_notes (id)",
        "index `mail_i` must begin with `demo_` or `demo_app_`",
    ),
    (
        "CREATE INDEX mail_boxes_by_name ON demo_notes (id)",
        "index `mail_boxes_by_name` is there already",
    ),
    ("CREATE INDEX demo_tags ON demo_notes (id)", "table `demo_tags` is there already"),
    ("CREATE INDEX demo_i ON demo_notes (id) WHERE id IN (SELECT id FROM mail_boxes)", OF_MAIL),
    ("INSERT INTO mail_boxes VALUES (1)", OF_MAIL),
    ("INSERT INTO demo_notes SELECT * FROM mail_boxes", OF_MAIL),
    ("INSERT INTO demo_notes (id) VALUES ((SELECT id FROM mail_boxes))", OF_MAIL),
    (
        "INSERT INTO demo_notes (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = (SELECT 1 FROM mail_boxes)",
        OF_MAIL,
    ),
    ("INSERT INTO demo_notes (id) VALUES (1) RETURNING (SELECT 1 FROM mail_boxes)", OF_MAIL),
    ("UPDATE mail_boxes SET id = 1", OF_MAIL),
    ("UPDATE demo_notes SET id = (SELECT id FROM mail_boxes)", OF_MAIL),
    ("UPDATE demo_notes SET id = mail_boxes.id FROM mail_boxes", OF_MAIL),
    ("UPDATE demo_notes SET id = 1 WHERE EXISTS (SELECT 1 FROM mail_boxes)", OF_MAIL),
    (
        "UPDATE demo_notes SET id = CASE WHEN id IN (SELECT id FROM mail_boxes) THEN 1 ELSE 2 END",
        OF_MAIL,
    ),
    ("DELETE FROM mail_boxes", OF_MAIL),
    ("DELETE FROM demo_notes WHERE id = ANY (SELECT id FROM mail_boxes)", OF_MAIL),
    ("SELECT * FROM demo_notes JOIN mail_boxes ON true", OF_MAIL),
    ("SELECT * FROM demo_notes JOIN demo_tags ON (SELECT true FROM mail_boxes)", OF_MAIL),
    ("SELECT * FROM (SELECT * FROM mail_boxes) x", OF_MAIL),
    ("SELECT * FROM demo_notes UNION SELECT * FROM mail_boxes", OF_MAIL),
    ("SELECT * FROM demo_notes ORDER BY (SELECT 1 FROM mail_boxes)", OF_MAIL),
    ("SELECT * FROM demo_notes LIMIT (SELECT 1 FROM mail_boxes)", OF_MAIL),
    ("SELECT count(*) FILTER (WHERE id IN (SELECT id FROM mail_boxes)) FROM demo_notes", OF_MAIL),
    ("SELECT sum(id) OVER (PARTITION BY (SELECT 1 FROM mail_boxes)) FROM demo_notes", OF_MAIL),
    ("SELECT coalesce(id, (SELECT 1 FROM mail_boxes)) FROM demo_notes", OF_MAIL),
    ("SELECT id FROM demo_notes GROUP BY id HAVING id IN (SELECT 1 FROM mail_boxes)", OF_MAIL),
    ("WITH x AS (SELECT * FROM mail_boxes) SELECT * FROM x", OF_MAIL),
    ("WITH x AS (SELECT 1) SELECT * FROM mail_boxes", OF_MAIL),
    (
        "WITH mail_boxes AS (SELECT * FROM mail_boxes) SELECT * FROM mail_boxes",
        "`mail_boxes` has the name of a table",
    ),
    ("WITH metapaas_x AS (SELECT 1) SELECT * FROM metapaas_x", "is the host's"),
    ("WITH strangers AS (SELECT 1) SELECT * FROM strangers", "`strangers` has the name of a table"),
    (
        "SELECT (WITH x AS (SELECT 1) SELECT 1), (SELECT 1 FROM x)",
        "`x` is not a table of this element",
    ),
];

/// Ways of PostgreSQL alone.
const TO_OTHERS_ON_POSTGRES: &[(&str, &str)] = &[
    ("SELECT * FROM public.mail_boxes", OF_MAIL),
    ("SELECT * FROM other.demo_notes", "`other.demo_notes` cannot be resolved"),
    ("SELECT * FROM pg_catalog.pg_class", "`pg_catalog.pg_class` cannot be resolved"),
    ("SELECT * FROM information_schema.tables", "cannot be resolved"),
    ("SELECT * FROM \"Demo_notes\"", "the name `\"Demo_notes\"` cannot be resolved"),
    ("SELECT * FROM demo_nötes", "`demo_nötes` cannot be resolved"),
    ("CREATE TABLE demo_x () INHERITS (mail_boxes)", "`INHERITS"),
    ("CREATE TABLE demo_x (LIKE mail_boxes)", "`LIKE"),
    (
        "CREATE TABLE demo_x PARTITION OF mail_boxes FOR VALUES IN (1)",
        "`PARTITION OF` is not allowed",
    ),
    ("CREATE TABLE demo_x (LIKE mail_boxes INCLUDING ALL)", "it cannot be read"),
    ("DELETE FROM demo_notes USING mail_boxes", OF_MAIL),
    (
        "ALTER TABLE demo_notes ADD CONSTRAINT x FOREIGN KEY (id) REFERENCES mail_boxes (id)",
        OF_MAIL,
    ),
    ("WITH x AS (DELETE FROM mail_boxes RETURNING *) SELECT * FROM x", OF_MAIL),
    ("WITH x AS (INSERT INTO mail_boxes VALUES (1) RETURNING *) SELECT * FROM x", OF_MAIL),
    ("SELECT * FROM demo_notes, LATERAL (SELECT * FROM mail_boxes) x", OF_MAIL),
    ("SELECT ARRAY(SELECT id FROM mail_boxes)", ""),
    ("SELECT * INTO demo_x FROM demo_notes", "`INTO` is not allowed in `SELECT`"),
    ("TABLE mail_boxes", ""),
    ("ALTER INDEX mail_boxes_by_name RENAME TO demo_y", OF_MAIL),
];

/// Ways of SQLite alone.
const TO_OTHERS_ON_SQLITE: &[(&str, &str)] = &[
    ("SELECT * FROM main.mail_boxes", OF_MAIL),
    ("SELECT * FROM temp.demo_notes", "`temp.demo_notes` cannot be resolved"),
    ("SELECT * FROM [mail_boxes]", OF_MAIL),
    ("SELECT * FROM `Mail_Boxes`", OF_MAIL),
    ("SELECT * FROM \"MAIL_BOXES\"", OF_MAIL),
    ("SELECT * FROM sqlite_master", "names that begin with `sqlite_` are reserved"),
    ("SELECT * FROM main.SQLITE_SCHEMA", "names that begin with `sqlite_` are reserved"),
    ("SELECT * FROM pragma_database_list", "is not a table of this element"),
    ("SELECT * FROM pragma_table_info('x')", "the function `pragma_table_info`"),
    ("CREATE TEMP TABLE demo_x (id int)", "`TEMPORARY TABLE` is not allowed"),
    ("CREATE TEMPORARY TABLE mail_boxes (id int)", "is not allowed"),
];

/// Ways to another's table that a visitor of the parser's relations does not see.
#[test]
fn every_way_to_a_table_of_others_is_seen() {
    refused(&BOTH, TO_OTHERS);
    refused(&[Backend::Postgres], TO_OTHERS_ON_POSTGRES);
    refused(&[Backend::Sqlite], TO_OTHERS_ON_SQLITE);
}

const KIND: &str = "is not among what a migration may do";
const NO_FUNCTION: &str = "is not among those a migration may call";

/// What neither list has.
const UNLISTED: &[(&str, &str)] = &[
    ("CREATE VIEW demo_v AS SELECT * FROM demo_notes", KIND),
    ("DROP VIEW demo_v", "`DROP VIEW` is not among"),
    ("GRANT ALL ON demo_notes TO PUBLIC", KIND),
    ("COPY mail_boxes TO STDOUT", KIND),
    ("ATTACH DATABASE 'x.db' AS x", ""),
    ("TRUNCATE TABLE demo_notes", "`TRUNCATE TABLE` is not among"),
    ("SET ROLE none", KIND),
    ("RESET ROLE", KIND),
    ("BEGIN", KIND),
    ("COMMIT", KIND),
    ("ROLLBACK", KIND),
    ("SAVEPOINT x", KIND),
    ("VACUUM", KIND),
    ("EXPLAIN SELECT 1", KIND),
    ("ANALYZE demo_notes", KIND),
    ("SELECT set_config('role', 'none', true)", NO_FUNCTION),
    ("SELECT query_to_xml('select * from mail_boxes', true, true, '')", NO_FUNCTION),
    ("SELECT * FROM dblink('x', 'select 1') AS t(a int)", NO_FUNCTION),
    ("SELECT load_extension('x')", NO_FUNCTION),
    ("SELECT pg_read_file('/etc/passwd')", NO_FUNCTION),
    ("SELECT pg_catalog.now()", NO_FUNCTION),
    ("SELECT public.lower('x')", NO_FUNCTION),
    ("SELECT nextval('mail_boxes_id_seq')", NO_FUNCTION),
    ("SELECT currval('x'), lower('X')", NO_FUNCTION),
    ("CREATE TABLE demo_x (id int DEFAULT pg_backend_pid())", NO_FUNCTION),
    ("CREATE TABLE demo_x (id int CHECK (load_extension('x') = 1))", NO_FUNCTION),
    ("ALTER TABLE demo_notes ADD COLUMN x int DEFAULT nextval('x')", NO_FUNCTION),
    ("CREATE INDEX demo_i ON demo_notes (pg_sleep(1))", NO_FUNCTION),
    ("INSERT INTO demo_notes VALUES ($1)", "the expression `$1`"),
    ("INSERT INTO demo_notes VALUES (?)", ""),
    ("MERGE INTO demo_notes USING demo_tags ON true WHEN MATCHED THEN DELETE", KIND),
    ("SELECT 1; DROP TABLE mail_boxes", "it holds 2 statements"),
    ("", "it holds 0 statements"),
    ("-- nothing", "it holds 0 statements"),
    ("SELECT 'a", "it cannot be read"),
    ("DELETE demo_notes FROM demo_notes", ""),
    ("SELECT * FROM demo_notes FOR UPDATE", ""),
    ("CREATE TABLE notes (id int)", "table `notes` must begin with `demo_` or `demo_app_`"),
    ("CREATE TABLE demo_ (id int)", "must begin with"),
    ("CREATE TABLE demo_notes (id int)", "table `demo_notes` is there already"),
    ("CREATE TABLE demo_strangers (id int)", "table `demo_strangers` is there already"),
    ("CREATE TABLE demo_notes_by_name (id int)", "index `demo_notes_by_name` is there already"),
    ("DROP TABLE demo_notes CASCADE", "`CASCADE` is not allowed in `DROP`"),
];

/// What PostgreSQL would do.
const UNLISTED_ON_POSTGRES: &[(&str, &str)] = &[
    ("DO $$ BEGIN DROP TABLE mail_boxes; END $$", "it cannot be read"),
    ("CREATE STATISTICS demo_s ON a, b FROM demo_notes", "it cannot be read"),
    ("CREATE FUNCTION demo_f() RETURNS int LANGUAGE sql AS 'select 1'", KIND),
    ("CREATE TRIGGER demo_t AFTER INSERT ON demo_notes EXECUTE FUNCTION f()", KIND),
    ("CREATE RULE demo_r AS ON INSERT TO demo_notes DO INSTEAD NOTHING", "it cannot be read"),
    ("COMMENT ON TABLE mail_boxes IS 'x'", KIND),
    ("CREATE EXTENSION dblink", KIND),
    ("CREATE SEQUENCE demo_s", KIND),
    ("CREATE TYPE demo_t AS ENUM ('a')", KIND),
    ("CREATE SCHEMA demo", KIND),
    ("CREATE MATERIALIZED VIEW demo_v AS SELECT 1", KIND),
    ("CREATE POLICY demo_p ON demo_notes USING (true)", KIND),
    ("CREATE ROLE x SUPERUSER", KIND),
    ("ALTER ROLE postgres PASSWORD 'x'", KIND),
    ("ALTER TABLE demo_notes OWNER TO x", "is not allowed in `ALTER TABLE`"),
    ("ALTER TABLE demo_notes DISABLE TRIGGER ALL", "is not allowed in `ALTER TABLE`"),
    ("ALTER TABLE demo_notes ENABLE ROW LEVEL SECURITY", "is not allowed in `ALTER TABLE`"),
    ("ALTER TABLE demo_notes SET SCHEMA other", ""),
    ("ALTER TABLE demo_notes DROP COLUMN x CASCADE", "`CASCADE` is not allowed"),
    ("REINDEX TABLE demo_notes", "it cannot be read"),
    ("LOCK TABLE mail_boxes", ""),
    ("LISTEN x", KIND),
    ("NOTIFY x", KIND),
    ("CALL demo_p()", KIND),
    ("PREPARE x AS SELECT 1", KIND),
    ("DECLARE x CURSOR FOR SELECT 1", KIND),
    ("DISCARD ALL", KIND),
    (
        "CREATE INDEX CONCURRENTLY demo_i ON demo_notes (id)",
        "`CONCURRENTLY` cannot run in a transaction",
    ),
    ("CREATE INDEX ON demo_notes (id)", "an index without a name"),
    ("SELECT 'mail_boxes'::regclass", "the type `REGCLASS`"),
    ("SELECT CAST('x' AS regrole)", "the type `regrole`"),
    ("CREATE TABLE demo_x (id other.type)", "the type `other.type`"),
    ("CREATE TABLE demo_x (id mail_boxes)", "the type `mail_boxes`"),
    ("SELECT 1 OPERATOR(other.+) 2", "the expression"),
    ("SELECT * FROM generate_series(1, 2)", NO_FUNCTION),
    ("SELECT U&'x'", "the expression"),
    ("CREATE UNLOGGED TABLE demo_x (id int)", "`UNLOGGED TABLE` is not allowed"),
    ("CREATE TABLE demo_x (id int) TABLESPACE x", ""),
    ("CREATE TABLE demo_x (id int) WITH (autovacuum_enabled = false)", "is not allowed"),
    ("CREATE TABLE demo_x (id int COLLATE other.x)", "`other.x` cannot be resolved"),
];

/// What SQLite would do.
const UNLISTED_ON_SQLITE: &[(&str, &str)] = &[
    ("CREATE TRIGGER demo_t AFTER INSERT ON demo_notes BEGIN DELETE FROM mail_boxes; END", KIND),
    ("CREATE TRIGGER IF NOT EXISTS demo_t AFTER INSERT ON demo_notes BEGIN SELECT 1; END", ""),
    ("PRAGMA writable_schema = 1", KIND),
    ("PRAGMA foreign_keys=OFF", "it cannot be read"),
    ("ATTACH DATABASE 'x.db' AS x", KIND),
    ("DETACH DATABASE x", ""),
    ("REINDEX", "it cannot be read"),
    ("VACUUM INTO 'x'", ""),
    ("CREATE VIRTUAL TABLE demo_f USING fts5(body)", KIND),
    ("CREATE TABLE demo_x (id int) WITHOUT ROWID, STRICT", "it cannot be read"),
    ("REPLACE INTO mail_boxes VALUES (1)", OF_MAIL),
    ("INSERT OR REPLACE INTO mail_boxes VALUES (1)", OF_MAIL),
    ("UPDATE OR IGNORE mail_boxes SET id = 1", OF_MAIL),
];

#[test]
fn statements_that_are_not_on_the_list_are_refused() {
    refused(&BOTH, UNLISTED);
    refused(&[Backend::Postgres], UNLISTED_ON_POSTGRES);
    refused(&[Backend::Sqlite], UNLISTED_ON_SQLITE);
}

#[test]
fn an_expand_step_adds_and_fills_and_nothing_else() {
    let contract = "make it a contract step";
    let cases = [
        (
            "DROP TABLE demo_notes",
            "it would drop table `demo_notes` while the version before still serves",
        ),
        ("DROP INDEX demo_notes_by_name", "it would drop index `demo_notes_by_name`"),
        ("ALTER TABLE demo_notes DROP COLUMN name", "it would drop column `name` of `demo_notes`"),
        ("ALTER TABLE demo_notes RENAME COLUMN name TO title", "it would rename column `name`"),
        ("ALTER TABLE demo_notes RENAME TO demo_texts", "it would rename table `demo_notes`"),
        (
            "ALTER TABLE demo_notes ADD COLUMN x int NOT NULL",
            "column `x` is `NOT NULL` without a default",
        ),
        (
            "ALTER TABLE demo_notes ADD COLUMN x int NOT NULL DEFAULT NULL",
            "is `NOT NULL` without a default",
        ),
        ("ALTER TABLE demo_notes ADD COLUMN x int PRIMARY KEY", "`PRIMARY KEY` on column `x`"),
        ("ALTER TABLE demo_notes ADD COLUMN x int DEFAULT 1 UNIQUE", "`UNIQUE` on column `x`"),
        (
            "ALTER TABLE demo_notes ADD COLUMN x int CHECK (name IS NOT NULL)",
            "on column `x` would refuse rows",
        ),
        (
            "ALTER TABLE demo_notes ADD COLUMN x int DEFAULT 1 REFERENCES demo_tags (id) ON DELETE CASCADE",
            "on column `x` would refuse rows",
        ),
        (
            "ALTER TABLE demo_notes ADD COLUMN x int REFERENCES demo_tags (id)",
            "would keep those of `demo_tags` from being deleted",
        ),
        (
            "CREATE TABLE demo_x (id int REFERENCES demo_notes (id))",
            "would keep those of `demo_notes` from being deleted",
        ),
        (
            "CREATE UNIQUE INDEX demo_i ON demo_notes (name)",
            "a unique index would refuse rows that `demo_notes` takes now",
        ),
        ("DELETE FROM demo_notes WHERE id = 1", "it would delete rows of `demo_notes`"),
    ];
    for (sql, wanted) in cases {
        for backend in BOTH {
            check_refused(backend, Phase::Expand, sql, wanted);
            check_refused(backend, Phase::Expand, sql, contract);
            check_allowed(backend, Phase::Contract, sql);
        }
    }
    let cases = [
        ("ALTER TABLE demo_notes ALTER COLUMN name TYPE text", "it would change column `name`"),
        ("ALTER TABLE demo_notes ALTER COLUMN name SET NOT NULL", "it would change column `name`"),
        ("ALTER TABLE demo_notes ALTER COLUMN name DROP NOT NULL", "it would change column `name`"),
        (
            "ALTER TABLE demo_notes ADD CONSTRAINT x CHECK (id > 0)",
            "would refuse rows that `demo_notes` takes now",
        ),
        ("ALTER TABLE demo_notes ADD CONSTRAINT x UNIQUE (id)", "would refuse rows"),
        ("ALTER TABLE demo_notes DROP CONSTRAINT x", "it would drop constraint `x`"),
        ("ALTER TABLE demo_notes RENAME CONSTRAINT x TO y", "it would rename constraint `x`"),
        ("ALTER INDEX demo_notes_by_name RENAME TO demo_y", "it would rename index"),
        ("WITH x AS (DELETE FROM demo_notes RETURNING id) SELECT * FROM x", "it would delete rows"),
    ];
    for (sql, wanted) in cases {
        check_refused(Backend::Postgres, Phase::Expand, sql, wanted);
        check_allowed(Backend::Postgres, Phase::Contract, sql);
    }
}

#[test]
fn what_an_expand_step_makes_it_may_change() {
    let ups: [&[&str]; 4] = [
        &[
            "CREATE TABLE demo_x (id int)",
            "CREATE UNIQUE INDEX demo_i ON demo_x (id)",
            "DROP INDEX demo_i",
        ],
        &[
            "CREATE TABLE demo_x (id int)",
            "ALTER TABLE demo_x RENAME TO demo_y",
            "DROP TABLE demo_y",
        ],
        &[
            "CREATE TABLE demo_x (id int)",
            "CREATE TABLE demo_y (id int REFERENCES demo_x (id))",
            "DELETE FROM demo_x",
        ],
        &[
            "ALTER TABLE demo_notes ADD COLUMN x text",
            "CREATE UNIQUE INDEX demo_i ON demo_notes (x)",
        ],
    ];
    for backend in BOTH {
        for up in ups {
            let found = outcome(backend, Phase::Expand, up);
            assert!(found.is_ok(), "{backend:?}: {up:?}: {found:?}");
        }
        let filled = [
            "ALTER TABLE demo_notes ADD COLUMN x text NOT NULL DEFAULT ''",
            "CREATE UNIQUE INDEX demo_i ON demo_notes (x)",
        ];
        let reason = outcome(backend, Phase::Expand, &filled).unwrap_err();
        assert!(reason.starts_with("a unique index would refuse rows"), "{reason}");
    }
}

#[test]
fn ordinary_migrations_pass() {
    let both = [
        "CREATE TABLE demo_x (id text PRIMARY KEY, n integer NOT NULL DEFAULT 0, at timestamp DEFAULT CURRENT_TIMESTAMP, UNIQUE (n, at), CHECK (n >= 0))",
        "CREATE TABLE IF NOT EXISTS demo_app_x (id int, parent int REFERENCES demo_notes (id) ON DELETE CASCADE)",
        "CREATE TABLE \"demo_x\" ( \"id\" uuid_text NOT NULL PRIMARY KEY, \"parent\" varchar REFERENCES \"demo_x\" (\"id\") )",
        "CREATE TABLE demo_x AS SELECT id, upper(name) AS name FROM demo_notes",
        "ALTER TABLE demo_notes ADD COLUMN x text",
        "ALTER TABLE demo_notes ADD COLUMN x text NOT NULL DEFAULT 'x'",
        "ALTER TABLE demo_notes ADD COLUMN x int CHECK (x > 0)",
        "ALTER TABLE demo_notes ADD COLUMN x int REFERENCES demo_tags (id) ON DELETE SET NULL",
        "CREATE INDEX IF NOT EXISTS demo_i ON demo_notes (name, lower(title) DESC) WHERE name IS NOT NULL",
        "INSERT INTO demo_notes (id, name) VALUES (1, 'a'), (-2, 'b') ON CONFLICT (id) DO NOTHING",
        "INSERT INTO demo_notes (id) SELECT id FROM demo_tags WHERE name LIKE 'a%'",
        "UPDATE demo_notes SET name = coalesce(name, '') || CAST(id AS text), n = n + 1 WHERE name IS NULL",
        "UPDATE demo_notes SET n = (SELECT count(*) FROM demo_tags t WHERE t.note = demo_notes.id)",
        "WITH x AS (SELECT id FROM demo_notes), y AS (SELECT * FROM x) SELECT x.* FROM x JOIN y USING (id)",
        "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT * FROM x",
        "INSERT INTO demo_notes (id) WITH x AS (SELECT 1 AS id) SELECT id FROM x",
        "SELECT row_number() OVER (PARTITION BY name ORDER BY id) FROM demo_notes ORDER BY 1 LIMIT 3",
        "/* why */ SELECT 1 -- because",
        "SELECT 1;",
    ];
    for backend in BOTH {
        for sql in both {
            if !(sql.contains("uuid_text") && backend == Backend::Postgres) {
                check_allowed(backend, Phase::Expand, sql);
            }
        }
    }
    for sql in [
        "CREATE TABLE public.demo_x (id bigserial PRIMARY KEY, tags text[] NOT NULL DEFAULT '{}', doc jsonb, at timestamptz DEFAULT now())",
        "CREATE TABLE demo_x (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, u uuid DEFAULT gen_random_uuid())",
        "CREATE INDEX demo_i ON demo_notes USING gin (doc jsonb_path_ops)",
        "UPDATE demo_notes n SET doc = jsonb_set(n.doc, '{a}', to_jsonb(t.name)) FROM demo_tags t WHERE t.id = n.id",
        "UPDATE DEMO_Notes SET at = now() - interval '1 day', doc = doc->'a' WHERE name ~ '^x'",
        "ALTER TABLE demo_notes ADD COLUMN x int, ADD COLUMN y int DEFAULT 1",
    ] {
        check_allowed(Backend::Postgres, Phase::Expand, sql);
    }
    for sql in [
        "CREATE TABLE main.demo_x (id INTEGER PRIMARY KEY AUTOINCREMENT, at datetime_text DEFAULT (datetime('now'))) STRICT",
        "CREATE TABLE [demo_x] (`id` integer, any)",
        "INSERT OR IGNORE INTO demo_notes (id) VALUES (X'00')",
        "UPDATE \"DEMO_NOTES\" SET name = json_extract(doc, '$.name'), n = iif(n > 1, 1, 0)",
        "CREATE TABLE demo_x (id text, low text GENERATED ALWAYS AS (lower(id)) STORED)",
    ] {
        check_allowed(Backend::Sqlite, Phase::Expand, sql);
    }
    for sql in [
        "CREATE TABLE demo_x (id text)",
        "INSERT INTO demo_tags SELECT * FROM demo_notes",
        "DROP TABLE demo_notes",
        "ALTER TABLE demo_tags RENAME TO demo_texts",
        "ALTER TABLE demo_notes DROP COLUMN x",
        "DELETE FROM demo_notes",
    ] {
        check_allowed(Backend::Sqlite, Phase::Contract, sql);
    }
}

#[test]
fn what_statements_make_is_told_and_counts_for_the_next() {
    let mut world = world(Backend::Sqlite);
    let rebuild = migration(
        Phase::Contract,
        &[
            "CREATE TABLE demo_new (id int)",
            "INSERT INTO demo_new SELECT id FROM demo_notes",
            "DROP TABLE demo_notes",
            "ALTER TABLE demo_new RENAME TO demo_notes",
            "CREATE INDEX demo_notes_by_name ON demo_notes (id)",
        ],
        &["DROP TABLE demo_notes"],
    );
    let effects = check(&mut world, &rebuild, Direction::Up).unwrap();
    let (new, notes) = ("demo_new".to_owned(), "demo_notes".to_owned());
    let renamed = Effect::Renamed { from: new.clone(), to: notes.clone() };
    assert_eq!(effects, [Effect::Created(new), Effect::Dropped(notes.clone()), renamed]);
    let effects = check(&mut world, &rebuild, Direction::Down).unwrap();
    assert_eq!(effects, [Effect::Dropped(notes)]);
    let refusal = check(&mut world, &rebuild, Direction::Down).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "migration `test` (5f0c6f3e-0000-4000-8000-000000000001) is refused: statement 1 of its \
         `down`: `demo_notes` is not a table of this element, which has `demo_tags`"
    );
}

#[test]
fn a_statement_as_deep_as_it_is_long_is_refused_before_it_is_walked() {
    let sum = format!("SELECT {}1", "1 + ".repeat(50_000));
    let union = format!("SELECT 1{}", " UNION SELECT 1".repeat(20_000));
    let nots = format!("SELECT {} true", "NOT ".repeat(50_000));
    let casts = format!("SELECT 1{}", "::int".repeat(50_000));
    for sql in [sum, union, nots, casts] {
        check_refused(Backend::Postgres, Phase::Expand, &sql, "it joins more than 300 operators");
    }
    let parens = format!("SELECT {}1{}", "(".repeat(50_000), ")".repeat(50_000));
    check_refused(Backend::Sqlite, Phase::Expand, &parens, "it cannot be read");
    let rows = format!("INSERT INTO demo_notes VALUES (-1, 'a'){}", ", (-1, 'a')".repeat(5_000));
    check_allowed(Backend::Sqlite, Phase::Expand, &rows);
}

#[test]
fn the_elements_own_prefix_is_not_a_reserved_one() {
    let mut world =
        World::new(&"metapaas-demo".parse().unwrap(), &["demo".to_owned()], Backend::Sqlite);
    let bad = migration(Phase::Expand, &["CREATE TABLE metapaas_demo_x (id int)"], &[]);
    let refusal = check(&mut world, &bad, Direction::Up).unwrap_err();
    assert!(matches!(refusal.reason, Reason::Reserved { .. }), "{refusal}");
    let bad = migration(Phase::Expand, &["CREATE TABLE notes (id int)"], &[]);
    let refusal = check(&mut world, &bad, Direction::Up).unwrap_err();
    assert!(refusal.to_string().ends_with(
        "table `notes` must begin with `demo_` and be at most 63 characters of a-z, 0-9 and `_`"
    ));
}

#[test]
fn a_resources_table_takes_columns_and_indexes_and_nothing_else() {
    let outcome = |backend, sql: &str| {
        let mut world = world(backend);
        world.add_table("demo_disks", Owner::Element("demo-app".to_owned()));
        world.add_resource("demo_disks");
        world.add_index("demo_disks_by_age", "demo_disks");
        world.add_index("demo_disks_size", "demo_disks");
        let checked = check(&mut world, &migration(Phase::Contract, &[sql], &[]), Direction::Up);
        checked.map(drop).map_err(|refusal| refusal.reason.to_string())
    };
    let fine = [
        "ALTER TABLE demo_disks ADD COLUMN size bigint",
        "ALTER TABLE demo_disks ADD COLUMN size bigint DEFAULT 5",
        "ALTER TABLE demo_disks DROP COLUMN size",
        "ALTER TABLE demo_disks RENAME COLUMN size TO bytes",
        "CREATE INDEX demo_disks_by_size ON demo_disks (size, id)",
        "CREATE UNIQUE INDEX demo_disks_by_serial ON demo_disks (project_id, serial)",
        "DROP INDEX demo_disks_size",
        "UPDATE demo_disks SET size = 5 WHERE name = 'a'",
        "SELECT id, size FROM demo_disks",
        "CREATE TABLE demo_x (disk uuid REFERENCES demo_disks (id) ON DELETE CASCADE)",
    ];
    let refused = [
        ("DROP TABLE demo_disks", "it would drop the table"),
        ("ALTER TABLE demo_disks RENAME TO demo_x", "it would rename the table"),
        ("ALTER TABLE demo_disks DROP COLUMN status", "it would touch column `status`"),
        ("ALTER TABLE demo_disks DROP COLUMN \"id\"", "it would touch column `id`"),
        ("ALTER TABLE demo_disks RENAME COLUMN labels TO x", "it would touch column `labels`"),
        (
            "ALTER TABLE demo_disks ADD COLUMN size int NOT NULL DEFAULT 1",
            "`NOT NULL` on column size",
        ),
        (
            "ALTER TABLE demo_disks ADD COLUMN size int CHECK (size > 1)",
            "would refuse what the host writes",
        ),
        (
            "ALTER TABLE demo_disks ADD COLUMN note int REFERENCES demo_notes (id)",
            "would refuse what the host writes",
        ),
        (
            "CREATE UNIQUE INDEX demo_disks_one ON demo_disks (name)",
            "a unique index on the host's columns alone",
        ),
        ("DROP INDEX demo_disks_by_age", "it would touch index `demo_disks_by_age`"),
        ("INSERT INTO demo_disks (id) VALUES (1)", "it would add rows"),
        ("DELETE FROM demo_disks", "it would delete rows"),
        ("UPDATE demo_disks SET status = 'ACTIVE'", "it would touch column `status`"),
        ("UPDATE demo_disks SET size = 1, generation = 2", "it would touch column `generation`"),
        (
            "CREATE TABLE demo_x (disk uuid REFERENCES demo_disks (id))",
            "would keep its own from being deleted",
        ),
    ];
    for backend in BOTH {
        for sql in fine {
            assert_eq!(outcome(backend, sql), Ok(()), "{backend:?} {sql}");
        }
        for (sql, wanted) in refused {
            let told = outcome(backend, sql).unwrap_err();
            assert!(told.contains(wanted), "{backend:?} {sql}: {told}");
        }
    }
}

//! A plugin that wants to do harm: whatever SQL it runs, the database itself keeps it off tables that are not its own.
//!
//! The tables that it tries are one of the host's and one of a neighbor's, and they are looked at past the daemon.

use std::collections::BTreeSet;

use expect_test::expect;
use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};

use crate::migrating;

on_each_database![own_tables_are_its_own, tables_of_others_are_out_of_reach];

/// No matter what the daemon lets through: the role of an element has no rights elsewhere.
#[tokio::test]
async fn the_role_of_an_element_is_refused_by_the_server() {
    let daemon = scene(Database::Postgres).await;
    let own = daemon.own_database().unwrap();
    let roles = own.roles_of_elements().await;
    let role = roles.iter().find(|role| role.ends_with("_trespasser")).unwrap();
    let before = everything_else(&daemon).await;
    // The one who asks is a superuser at heart, so these two would succeed for it alone.
    let is_possible = |attempt: &Attempt| {
        !attempt.statements.iter().any(|sql| sql.contains("SESSION AUTHORIZATION"))
    };
    let mut codes = BTreeSet::new();
    for Attempt { statements, .. } in
        attempts(Database::Postgres, own.owner()).into_iter().filter(is_possible)
    {
        let refusal = own.refusal(role, &statements).await;
        codes.insert(refusal.unwrap_or_else(|| panic!("not refused: {statements:?}")));
    }
    expect!["25001 42501"].assert_eq(&codes.into_iter().collect::<Vec<_>>().join(" "));
    assert_eq!(everything_else(&daemon).await, before);
}

const TRESPASSER: &str = "/v1/types/trespasser";
/// The host's table and the neighbor's, each with its key.
const OTHERS: [(&str, &str); 2] = [("metapaas_elements", "name"), ("migrates_rows", "id")];
const SECRET: &str = "the-neighbors-secret";

/// What every database understands. `{t}` is a table of somebody else, `{c}` its key.
const ANYWHERE: [&str; 23] = [
    "SELECT * FROM {t}",
    "SELECT count(*) FROM {t}",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM {t})",
    "SELECT note FROM trespasser_notes UNION ALL SELECT CAST(1 AS text) FROM {t}",
    "WITH theirs AS (SELECT * FROM {t}) SELECT * FROM theirs",
    "EXPLAIN SELECT * FROM {t}",
    "INSERT INTO {t} SELECT * FROM {t}",
    "INSERT INTO trespasser_notes (id, note) SELECT 7, CAST(count(*) AS text) FROM {t}",
    "UPDATE {t} SET {c} = {c}",
    "UPDATE trespasser_notes SET note = (SELECT CAST(count(*) AS text) FROM {t})",
    "DELETE FROM {t}",
    "DELETE FROM trespasser_notes WHERE id IN (SELECT 1 FROM {t})",
    "DROP TABLE {t}",
    "ALTER TABLE {t} ADD COLUMN more text",
    "ALTER TABLE {t} RENAME TO trespasser_theirs",
    "CREATE TABLE trespasser_copy AS SELECT * FROM {t}",
    "CREATE TABLE trespasser_child (id text REFERENCES {t} ({c}))",
    "CREATE VIEW trespasser_view AS SELECT * FROM {t}",
    "CREATE INDEX trespasser_index ON {t} ({c})",
    "CREATE TABLE trespasser_more (id text)",
    "DROP TABLE trespasser_notes",
    "ALTER TABLE trespasser_notes RENAME TO {t}",
    "ALTER TABLE trespasser_notes ADD COLUMN more text",
];

const ON_SQLITE: [&str; 18] = [
    "SELECT * FROM main.{t}",
    "SELECT * FROM pragma_table_info('{t}')",
    "SELECT sql FROM sqlite_schema",
    "UPDATE sqlite_schema SET sql = 'x' WHERE name = '{t}'",
    "PRAGMA writable_schema = ON",
    "PRAGMA table_info({t})",
    "PRAGMA journal_mode = OFF",
    "ATTACH DATABASE ':memory:' AS other",
    "ATTACH DATABASE 'metapaas.db' AS other",
    "VACUUM INTO 'stolen.db'",
    "REINDEX {t}",
    "ANALYZE {t}",
    "SELECT load_extension('x')",
    "CREATE TRIGGER IF NOT EXISTS trespasser_trigger AFTER INSERT ON {t} BEGIN DELETE FROM {t}; END",
    "CREATE TEMP TRIGGER trespasser_trigger AFTER INSERT ON main.{t} BEGIN SELECT 1; END",
    "CREATE TEMP TABLE trespasser_temporary AS SELECT * FROM {t}",
    "CREATE TABLE trespasser_strict (id INTEGER) WITHOUT ROWID, STRICT",
    "CREATE VIRTUAL TABLE trespasser_words USING fts5(word, content='{t}')",
];

const ON_POSTGRES: [&str; 29] = [
    "TABLE {t}",
    "TRUNCATE {t}",
    "LOCK TABLE {t}",
    "COPY {t} TO STDOUT",
    "COPY {t} FROM '/etc/passwd'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COMMENT ON TABLE {t} IS 'mine'",
    "GRANT ALL ON {t} TO PUBLIC",
    "REVOKE ALL ON {t} FROM PUBLIC",
    "ALTER TABLE {t} OWNER TO CURRENT_USER",
    "ALTER TABLE {t} DISABLE TRIGGER ALL",
    "CREATE TABLE trespasser_child () INHERITS ({t})",
    "CREATE TABLE trespasser_like (LIKE {t})",
    "CREATE STATISTICS trespasser_statistics ON {c}, {c} FROM {t}",
    "CREATE RULE trespasser_rule AS ON INSERT TO {t} DO INSTEAD NOTHING",
    "CREATE FUNCTION trespasser_all() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM {t}'",
    "DO $$ BEGIN EXECUTE 'DROP TABLE {t}'; END $$",
    "SELECT query_to_xml('SELECT * FROM {t}', true, true, '')",
    "SELECT table_to_xml('{t}', true, true, '')",
    "WITH gone AS (DELETE FROM {t} RETURNING *) SELECT * FROM gone",
    "REINDEX TABLE {t}",
    "CREATE EXTENSION dblink",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "CREATE ROLE trespasser_role",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER SYSTEM SET fsync = off",
    "SELECT rolpassword FROM pg_authid",
    "CREATE SCHEMA trespasser_schema",
];

/// Steps that are harmless by themselves and lead to the last one. `{owner}` is the host's role.
const IN_STEPS_ON_POSTGRES: [&[&str]; 6] = [
    &["SELECT set_config('role', 'none', true)", "SELECT * FROM {t}"],
    &["SELECT set_config('role', '{owner}', true)", "SELECT * FROM {t}"],
    &["SET ROLE {owner}", "SELECT * FROM {t}"],
    &["RESET ROLE", "SELECT * FROM {t}"],
    &["SET SESSION AUTHORIZATION {owner}", "SELECT * FROM {t}"],
    &["RESET SESSION AUTHORIZATION", "DROP TABLE {t}"],
];

/// Something to try with a table of somebody else.
struct Attempt {
    table: &'static str,
    statements: Vec<String>,
}

/// Everything that is tried on this database, where the daemon is `owner`.
fn attempts(database: Database, owner: &str) -> Vec<Attempt> {
    let (single, in_steps): (&[&str], &[&[&str]]) = match database {
        Database::Sqlite => (&ON_SQLITE, &[]),
        Database::Postgres => (&ON_POSTGRES, &IN_STEPS_ON_POSTGRES),
    };
    let single = ANYWHERE.iter().chain(single).map(std::slice::from_ref);
    let all: Vec<&[&str]> = single.chain(in_steps.iter().copied()).collect();
    let of_table = |(table, key): (&'static str, &str)| {
        let fill =
            |sql: &&str| sql.replace("{t}", table).replace("{c}", key).replace("{owner}", owner);
        let attempt =
            |steps: &&[&str]| Attempt { table, statements: steps.iter().map(fill).collect() };
        all.iter().map(attempt).collect::<Vec<_>>()
    };
    OTHERS.into_iter().flat_map(of_table).collect()
}

async fn scene(database: Database) -> Daemon {
    let daemon = migrating::daemon(database).await;
    let _document = migrating::install(&daemon, "0.1.0").await;
    let row = json!({ "id": "one", "title": SECRET });
    let path = format!("{}/rows", migrating::ROOT);
    let _row = daemon.client.post(&path, &[], &row).await.expect(201);
    let trespasser = Plugin::built(Workspace::Fixtures, "trespasser");
    daemon.offer(&trespasser);
    let _document = daemon.install(Wanted::of(&trespasser)).await;
    daemon
}

/// What comes of statements: each by itself, or all in one transaction.
async fn run(daemon: &Daemon, how: &str, statements: &[String]) -> Value {
    let path = format!("{TRESPASSER}/{how}");
    daemon.client.post(&path, &[], &json!(statements)).await.expect(200).json()
}

/// All that the trespasser has no business with: every table with its columns and rows, and every role.
async fn everything_else(daemon: &Daemon) -> Vec<String> {
    let mut look = daemon.look().await;
    let mut everything = look.tables().await;
    for table in everything.clone() {
        everything.extend(look.columns(&table).await);
        let rows = look.rows(&format!("SELECT * FROM {table}")).await;
        everything.extend(rows.iter().map(|row| format!("{row:?}")));
    }
    if let Some(own) = daemon.own_database() {
        everything.extend(own.roles_of_elements().await);
    }
    everything
}

async fn own_tables_are_its_own(database: Database) {
    let daemon = scene(database).await;
    let insert = "INSERT INTO trespasser_notes (id, note) VALUES (1, 'mine')";
    let select = "SELECT note FROM trespasser_notes";
    for how in ["alone", "together"] {
        let outcome = run(&daemon, how, &[insert, select].map(str::to_owned)).await;
        assert!(outcome["rows"][0].as_str().unwrap().contains("mine"), "{outcome}");
        let outcome = run(&daemon, how, &["DELETE FROM trespasser_notes".to_owned()]).await;
        assert_eq!(outcome["refused"], Value::Null, "{outcome}");
    }
}

async fn tables_of_others_are_out_of_reach(database: Database) {
    let daemon = scene(database).await;
    let before = everything_else(&daemon).await;
    let owner = daemon.own_database().map_or_else(String::new, |own| own.owner().to_owned());
    let (mut done, mut otherwise) = (Vec::new(), BTreeSet::new());
    for Attempt { table, statements } in attempts(database, &owner) {
        for how in ["alone", "together"] {
            let outcome = run(&daemon, how, &statements).await;
            assert!(!outcome.to_string().contains(SECRET), "{statements:?} {how}: {outcome}");
            let refused = &outcome["refused"];
            if refused.is_null() {
                done.push(format!("{statements:?} {how}: {outcome}"));
            } else if refused["kind"] != "Denied" {
                let sentence = format!("{}: {}", refused["code"], refused["message"]);
                otherwise.insert(sentence.replace(table, "{t}"));
            }
        }
    }
    assert!(done.is_empty(), "not refused:\n{}", done.join("\n"));
    // Everything else is denied for what it is.
    let otherwise: Vec<_> = otherwise.into_iter().collect();
    match database {
        Database::Sqlite => expect![[r#"
            "": "one statement at a time: there is more behind `;`"
            "1": "cannot VACUUM from within a transaction"
            "1": "table sqlite_master may not be modified"
            "1": "there is already another table or index with this name: {t}""#]],
        Database::Postgres => expect![[""]],
    }
    .assert_eq(&otherwise.join("\n"));
    assert_eq!(everything_else(&daemon).await, before);
    migrating::assert_serves(&daemon, "0.1.0").await;
}

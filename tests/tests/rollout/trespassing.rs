//! Migrations that touch what is not the element's own: each is refused before any of it is run, and told by name.

use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::schema::Schema;
use serde_json::Value;

use crate::migrating::{self, ELEMENT};

on_each_database![a_migration_that_touches_what_is_not_its_own_is_refused];

/// `{t}` is the host's table or a neighbor's. What only one database could run is refused on the other one too.
const STATEMENTS: [(&str, &str); 20] = [
    ("refers to it", "CREATE TABLE broken_more (name text REFERENCES {t})"),
    ("looks through a view", "CREATE VIEW broken_view AS SELECT * FROM {t}"),
    (
        "fires on it",
        "CREATE TRIGGER broken_trigger AFTER INSERT ON {t} BEGIN DELETE FROM broken_things; END",
    ),
    (
        "fires into it",
        "CREATE TRIGGER broken_trigger AFTER INSERT ON broken_things BEGIN DELETE FROM {t}; END",
    ),
    ("takes its name", "ALTER TABLE broken_things RENAME TO {t}"),
    ("takes it", "ALTER TABLE {t} RENAME TO broken_more"),
    ("changes it", "ALTER TABLE {t} ADD COLUMN more text"),
    ("drops it", "DROP TABLE {t}"),
    ("empties it", "DELETE FROM {t}"),
    ("writes into it", "INSERT INTO {t} SELECT * FROM {t}"),
    ("copies it", "CREATE TABLE broken_more AS SELECT * FROM {t}"),
    ("reads it", "UPDATE broken_things SET name = (SELECT max(name) FROM {t})"),
    ("hides it", "WITH theirs AS (SELECT * FROM {t}) UPDATE broken_things SET name = 'x'"),
    ("comments on it", "COMMENT ON TABLE {t} IS 'mine'"),
    ("gives it away", "GRANT ALL ON {t} TO PUBLIC"),
    ("inherits it", "CREATE TABLE broken_more () INHERITS ({t})"),
    ("reads it out", "COPY {t} TO '/tmp/stolen'"),
    ("becomes another", "SELECT set_config('role', 'none', true)"),
    ("asks in a text", "SELECT query_to_xml('SELECT * FROM {t}', true, true, '')"),
    ("opens another database", "ATTACH DATABASE '{t}' AS other"),
];

/// What must be the same.
async fn everything(daemon: &Daemon) -> Vec<String> {
    let mut look = daemon.look().await;
    let mut everything = look.tables().await;
    for table in everything.clone() {
        everything.extend(look.columns(&table).await);
    }
    everything.extend(look.texts("SELECT id FROM plugin_migrations ORDER BY id").await);
    everything
}

async fn a_migration_that_touches_what_is_not_its_own_is_refused(database: Database) {
    let daemon = migrating::daemon(database).await;
    let _document = migrating::install(&daemon, "0.1.0").await;
    let things = |version: &str| {
        let make = "CREATE TABLE broken_things (name text)";
        Schema::new("broken", version).expand(1, &[make], &["DROP TABLE broken_things"])
    };
    let good = things("0.1.0").pack();
    daemon.offer(&good.plugin);
    let _document = daemon.install(Wanted::of(&good.plugin)).await;
    let before = everything(&daemon).await;
    for (idx, (what, statement)) in STATEMENTS.into_iter().enumerate() {
        let table = ["metapaas_elements", "migrates_rows"][idx % 2];
        let statement = statement.replace("{t}", table);
        let bad = things(&format!("0.2.{idx}")).expand(2, &[&statement], &["SELECT 1"]).pack();
        daemon.offer(&bad.plugin);
        let problem: Value = daemon.put(&Wanted::of(&bad.plugin)).await.expect(422).json();
        assert_eq!(problem["code"], "MIGRATION_FAILED", "{what}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("step 2"), "{what}: {problem}");
        assert_eq!(everything(&daemon).await, before, "{what}: {problem}");
    }
    assert_eq!(daemon.health("broken").await["version"], "0.1.0");
    migrating::assert_serves(&daemon, "0.1.0").await;
    assert_eq!(daemon.element(ELEMENT).await["status"], "ACTIVE");
}

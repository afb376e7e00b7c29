//! A version that fails, wherever it does, leaves what served serving, the schema as it was, and the reason told.

use std::fs;

use metapaas_tests::daemon::Daemon;
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::schema::{Fails, Packed, Schema};
use serde_json::{Value, json};

use super::traffic::Traffic;
use crate::migrating::{ELEMENT, assert_serves, daemon, install, plugins, put, schema};

on_each_database![
    a_version_that_fails_at_any_stage_changes_nothing,
    a_migration_that_fails_halfway_leaves_no_half,
    steps_before_the_one_that_fails_are_undone,
];

/// A version that fails, and how that is told.
struct Case {
    version: &'static str,
    /// In the problem and in the operation.
    code: &'static str,
    /// The step of the operation that failed.
    step: &'static str,
    /// The condition that is false, and its reason.
    condition: [&'static str; 2],
    /// Part of the sentence that the operator reads.
    told: &'static str,
}

const fn case(
    version: &'static str,
    code: &'static str,
    step: &'static str,
    condition: [&'static str; 2],
    told: &'static str,
) -> Case {
    Case { version, code, step, condition, told }
}

/// In the order of the stages. The one that is not well is built of the real thing, because clients see it.
const CASES: [Case; 6] = [
    case(
        "0.4.1",
        "ROLLOUT_FAILED",
        "verify",
        ["Verified", "VerifyFailed"],
        "could not be verified",
    ),
    case(
        "0.4.2",
        "ROLLOUT_FAILED",
        "probe",
        ["Compatible", "ProbeFailed"],
        "it was told not to start",
    ),
    case(
        "0.4.3",
        "SETTINGS_INVALID",
        "probe",
        ["Compatible", "SettingsInvalid"],
        r#""must" is a required property"#,
    ),
    case("0.4.4", "MIGRATION_FAILED", "migrate", ["Migrated", "MigrationFailed"], "step 44"),
    case("0.4.5", "ROLLOUT_FAILED", "start", ["Loaded", "StartFailed"], "it was told not to start"),
    case(
        "0.2.1",
        "ROLLOUT_FAILED",
        "check",
        ["Serving", "CheckFailed"],
        "it was built not to be well",
    ),
];

/// What comes after 0.2.0: its migrations and one of its own.
fn made_up(version: &str) -> Schema {
    let [_, next, ..] = plugins();
    let number = version.rsplit('.').next().and_then(|last| last.parse::<u32>().ok());
    let number = 40 + number.expect("a version ends in a number");
    let (add, drop) = (
        format!("ALTER TABLE migrates_rows ADD COLUMN step_{number} text"),
        format!("ALTER TABLE migrates_rows DROP COLUMN step_{number}"),
    );
    Schema::new(ELEMENT, version).after(&next.migrations()).expand(number, &[&add], &[&drop])
}

/// The made-up versions, each of which fails at its stage.
fn failing() -> [Packed; 5] {
    let damaged = made_up("0.4.1").pack();
    let mut bytes = fs::read(&damaged.plugin.bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0);
    fs::write(&damaged.plugin.bundle, bytes).unwrap();
    let strict = json!({ "type": "object", "required": ["must"] });
    // The column is there when the step is run the second time.
    let add = "ALTER TABLE migrates_rows ADD COLUMN step_44 text";
    let twice = Schema::new(ELEMENT, "0.4.4").after(made_up("0.4.0").migrations());
    let drop = "ALTER TABLE migrates_rows DROP COLUMN step_44";
    [
        damaged,
        made_up("0.4.2").failing(Fails::Probe).pack(),
        made_up("0.4.3").with("settings_schema", strict).pack(),
        twice.expand(44, &[add, add], &[drop]).pack(),
        made_up("0.4.5").failing(Fails::Start).pack(),
    ]
}

async fn a_version_that_fails_at_any_stage_changes_nothing(database: Database) {
    let daemon = daemon(database).await;
    failing().iter().for_each(|packed| daemon.offer(&packed.plugin));
    let _document = install(&daemon, "0.1.0").await;
    let traffic = Traffic::start(&daemon, "0.1.0");
    traffic.may_be(&["0.1.0", "0.2.0"]);
    let _document = install(&daemon, "0.2.0").await;
    for case in CASES {
        traffic.may_be(&["0.2.0", if case.version == "0.2.1" { "0.2.1" } else { "0.2.0" }]);
        let before = schema(&daemon).await;
        let generation = daemon.health(ELEMENT).await["generation"].clone();
        let problem: Value = put(&daemon, case.version).await.json();
        assert_told(&daemon, &case, &problem).await;
        assert_serves(&daemon, "0.2.0").await;
        assert_eq!(daemon.health(ELEMENT).await["generation"], generation, "{problem}");
        let after = schema(&daemon).await;
        after.assert_consistent();
        // Once it was switched to, clients may have written what only the new schema holds.
        if case.step != "check" {
            assert_eq!(after, before, "{}", case.version);
        }
    }
    traffic.may_be(&["0.1.0", "0.2.0"]);
    let _document = install(&daemon, "0.1.0").await;
    let _written = traffic.finish().await;
}

/// The problem, the element, its conditions, its operation and its history all tell the same.
async fn assert_told(daemon: &Daemon, case: &Case, problem: &Value) {
    let Case { version, code, step, condition: [condition, reason], told } = *case;
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert_eq!(problem["code"], code, "{version}: {problem}");
    assert!(detail.contains(told), "{version}: {problem}");
    assert!(detail.ends_with("(0.2.0) keeps serving."), "{version}: {problem}");
    let element = daemon.element(ELEMENT).await;
    let words = ["status", "version", "serving_version"].map(|member| element[member].as_str());
    assert_eq!(words, ["ERROR", version, "0.2.0"].map(Some), "{element}");
    assert_eq!(element["last_operation"]["state"], "FAILED", "{element}");
    let conditions = element["conditions"].as_array().unwrap();
    let fails = conditions.iter().find(|each| each["type"] == condition).unwrap();
    assert_eq!(
        (&fails["status"], &fails["reason"]),
        (&json!("False"), &json!(reason)),
        "{element}"
    );
    assert!(fails["message"].as_str().unwrap().contains(told), "{element}");
    let earlier = conditions.iter().take_while(|each| each["type"] != condition);
    assert!(earlier.clone().all(|each| each["status"] == "True"), "{element}");
    let operation = &daemon.history(ELEMENT).await[0];
    assert_eq!(operation["error"]["code"], code, "{operation}");
    let steps = operation["steps"].as_array().unwrap();
    let failed = steps.iter().find(|step| step["state"] == "FAILED");
    assert_eq!(failed.map(|step| &step["name"]), Some(&json!(step)), "{operation}");
}

/// Makes this version serve, wants the next in vain, and gives the problem; the database is as it was.
async fn refused(database: Database, good: Schema, bad: Schema) -> Value {
    let daemon = Daemon::on(database).await;
    let (good, bad) = (good.pack(), bad.pack());
    daemon.offer(&good.plugin);
    daemon.offer(&bad.plugin);
    let wanted = metapaas_tests::daemon::Wanted::of;
    let _document = daemon.install(wanted(&good.plugin)).await;
    let before = everything(&daemon).await;
    let problem = daemon.put(&wanted(&bad.plugin)).await.expect(422);
    assert_eq!(everything(&daemon).await, before, "{}", problem.text());
    assert_eq!(daemon.health("broken").await["version"], good.plugin.version);
    problem.json()
}

/// The whole schema, and the ledger.
async fn everything(daemon: &Daemon) -> Vec<String> {
    let mut look = daemon.look().await;
    let mut everything = look.tables().await;
    for table in everything.clone() {
        everything.extend(look.columns(&table).await);
    }
    everything.extend(look.texts("SELECT name FROM plugin_migrations ORDER BY position").await);
    everything
}

const THINGS: &str = "CREATE TABLE broken_things (id bigint PRIMARY KEY)";
const NO_THINGS: &str = "DROP TABLE broken_things";

fn things(version: &str) -> Schema {
    Schema::new("broken", version).expand(1, &[THINGS], &[NO_THINGS])
}

async fn a_migration_that_fails_halfway_leaves_no_half(database: Database) {
    let again = "ALTER TABLE broken_things ADD COLUMN id text";
    let bad = things("0.2.0").expand(
        2,
        &["CREATE TABLE broken_more (id bigint)", again],
        &["DROP TABLE broken_more"],
    );
    let problem = refused(database, things("0.1.0"), bad).await;
    assert_eq!(problem["code"], "MIGRATION_FAILED", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("step 2"), "{problem}");
}

async fn steps_before_the_one_that_fails_are_undone(database: Database) {
    let bad = things("0.2.0")
        .expand(2, &["CREATE TABLE broken_more (id bigint)"], &["DROP TABLE broken_more"])
        .expand(
            3,
            &["ALTER TABLE broken_more ADD COLUMN id text"],
            &["ALTER TABLE broken_more DROP COLUMN id"],
        );
    let problem = refused(database, things("0.1.0"), bad).await;
    assert!(problem["detail"].as_str().unwrap().contains("step 3"), "{problem}");
}

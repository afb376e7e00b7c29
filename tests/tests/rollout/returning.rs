//! The way back: an ordinary rollout that loses nothing, until somebody gives it up.

use metapaas_tests::daemon::{Daemon, Wanted};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::schema::Schema;
use serde_json::{Value, json};

use super::traffic::Traffic;
use crate::migrating::{ELEMENT, ROOT, assert_serves, daemon, install, plugins, row_ids, schema};

on_each_database![
    a_rollback_disturbs_nobody_and_loses_nothing,
    finalizing_gives_up_the_way_back,
    the_next_rollout_finalizes_the_one_before,
    without_a_version_before_there_is_no_way_back,
    a_migration_that_was_changed_is_refused_by_name,
];

const FIRST: &str = "rows and instances";
const NEXT: &str = "titles of rows";
const LAST: &str = "rows without names";

async fn act(daemon: &Daemon, verb: &str) -> Value {
    daemon.act(ELEMENT, verb, &json!({})).await.expect(200).json()
}

async fn a_rollback_disturbs_nobody_and_loses_nothing(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.1.0").await;
    schema(&daemon).await.assert_is(&[FIRST]);
    let traffic = Traffic::start(&daemon, "0.1.0");
    traffic.may_be(&["0.1.0", "0.2.0"]);
    for round in 0..3 {
        let upgrade = json!({ "version": "0.2.0" });
        let next: Value = daemon.act(ELEMENT, "upgrade", &upgrade).await.expect(200).json();
        assert_eq!(next["rollback_version"], "0.1.0", "round {round}: {next}");
        assert_eq!(next["rollback_available"], true, "round {round}: {next}");
        assert_serves(&daemon, "0.2.0").await;
        schema(&daemon).await.assert_is(&[FIRST, NEXT]);
        let back = act(&daemon, "rollback").await;
        assert_eq!(back["version"], "0.1.0", "{back}");
        assert_serves(&daemon, "0.1.0").await;
        // What the newer version added stays: rows that it wrote are in it.
        schema(&daemon).await.assert_is(&[FIRST, NEXT]);
    }
    let written = traffic.finish().await;
    written.assert_kept(&row_ids(&mut daemon.look().await).await);
    let kinds: Vec<_> = daemon.history(ELEMENT).await.iter().map(|it| it["kind"].clone()).collect();
    let rounds = ["element.rollback", "element.upgrade"].repeat(3);
    assert_eq!(kinds, [&rounds[..], &["element.install"]].concat());
}

async fn finalizing_gives_up_the_way_back(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.2.0").await;
    let last = install(&daemon, "0.3.0").await;
    assert_eq!(
        (&last["rollback_available"], &last["rollback_version"]),
        (&json!(true), &json!("0.2.0"))
    );
    schema(&daemon).await.assert_is(&[FIRST, NEXT]);
    let traffic = Traffic::start(&daemon, "0.3.0");
    let finalized = act(&daemon, "finalize").await;
    assert_eq!(finalized["rollback_available"], false, "{finalized}");
    assert_eq!(finalized["rollback_reason"], "ContractApplied", "{finalized}");
    schema(&daemon).await.assert_is(&[FIRST, NEXT, LAST]);
    let problem: Value = daemon.act(ELEMENT, "rollback", &json!({})).await.expect(409).json();
    assert!(problem["detail"].as_str().unwrap().contains(LAST), "{problem}");
    assert_serves(&daemon, "0.3.0").await;
    let written = traffic.finish().await;
    written.assert_kept(&row_ids(&mut daemon.look().await).await);
}

async fn the_next_rollout_finalizes_the_one_before(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.3.0").await;
    let [.., last] = plugins();
    let further = Schema::new(ELEMENT, "0.4.0").after(&last.migrations()).expand(
        40,
        &["ALTER TABLE migrates_rows ADD COLUMN step_40 text"],
        &["ALTER TABLE migrates_rows DROP COLUMN step_40"],
    );
    let packed = further.pack();
    daemon.offer(&packed.plugin);
    let document = daemon.install(Wanted::of(&packed.plugin)).await;
    assert_eq!(document["serving_version"], "0.4.0", "{document}");
    schema(&daemon).await.assert_is(&[FIRST, NEXT, LAST, "step 40"]);
    // It suits the one before, whose steps they were.
    assert_eq!(document["rollback_version"], "0.3.0", "{document}");
    let back = act(&daemon, "rollback").await;
    assert_eq!(back["rollback_available"], true, "{back}");
    assert_serves(&daemon, "0.3.0").await;
    let row = json!({ "id": "one" });
    let _row = daemon.client.post(&format!("{ROOT}/rows"), &[], &row).await.expect(201);
}

async fn without_a_version_before_there_is_no_way_back(database: Database) {
    let daemon = daemon(database).await;
    let first = install(&daemon, "0.1.0").await;
    assert_eq!(first["rollback_reason"], "NoPreviousVersion", "{first}");
    let _problem = daemon.act(ELEMENT, "rollback", &json!({})).await.expect(409);
    assert_serves(&daemon, "0.1.0").await;
    let _row =
        daemon.client.post(&format!("{ROOT}/rows"), &[], &json!({ "id": "one" })).await.expect(201);
}

/// What was applied is history: a version that tells it otherwise is refused, and nothing of it is run.
async fn a_migration_that_was_changed_is_refused_by_name(database: Database) {
    let daemon = daemon(database).await;
    let _document = install(&daemon, "0.2.0").await;
    let before = schema(&daemon).await;
    let [_, next, ..] = plugins();
    let mut migrations = next.migrations();
    migrations[1]["up"]["sqlite"][0] = json!("ALTER TABLE migrates_rows ADD COLUMN title varchar");
    migrations[1]["up"]["postgres"] = migrations[1]["up"]["sqlite"].clone();
    migrations[1].as_object_mut().unwrap().remove("backfill");
    let packed = Schema::new(ELEMENT, "0.4.0").after(&migrations).pack();
    daemon.offer(&packed.plugin);
    let problem: Value = daemon.put(&Wanted::of(&packed.plugin)).await.expect(422).json();
    assert_eq!(problem["code"], "MIGRATION_FAILED", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(NEXT), "{problem}");
    assert_eq!(schema(&daemon).await, before);
    assert_serves(&daemon, "0.2.0").await;
}

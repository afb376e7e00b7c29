//! Steps that are applied, undone, finalized and purged.

use expect_test::expect;

use super::*;
use crate::store::Backend;

#[tokio::test]
async fn what_a_version_needs_is_applied_once_and_stays_when_it_serves() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes(), title()]);
        let plan = place.migrate(&first, None).await.unwrap();
        assert_eq!(plan.expand.len(), 2);
        assert_eq!(place.ledger().await, "notes? title?");
        assert_eq!(place.tables().await, "demo_notes");
        place.migrations.settle(&demo()).await.unwrap();
        assert_eq!(place.ledger().await, "notes title");
        assert_eq!(place.undo(&demo()).await.unwrap(), 0);
        assert!(place.migrate(&first, Some(&first)).await.unwrap().is_empty());
        assert!(place.has("INSERT INTO demo_notes (id, title) VALUES (1, 'a')").await);
        place.end().await;
    }
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_and_those_before_it_can_be_undone() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        place.serve(&first, None).await;
        place.run("INSERT INTO demo_notes (id) VALUES (1), (1 + 1)").await;
        let fails = expand(
            5,
            "fails",
            &["CREATE TABLE demo_b (id int)", "INSERT INTO demo_notes (id) VALUES (2)"],
            &["DROP TABLE demo_b"],
        );
        let second = chain(&place, "0.2.0", &[notes(), title(), fails]);
        let error = place.migrate(&second, Some(&first)).await.unwrap_err();
        let wanted = "migration `fails` (00000000-0000-4000-8000-000000000005) failed and left nothing behind: \
            statement 2 of its `up`, `INSERT INTO demo_notes (id) VALUES (2)`: ";
        assert!(error.starts_with(wanted), "{error}");
        assert_eq!(place.ledger().await, "notes title?");
        assert_eq!(place.tables().await, "demo_notes");
        assert!(!place.has("SELECT * FROM demo_b").await, "half of a step stayed");

        // The daemon may have died here: what undoes it is in the ledger.
        let undone = place.after_a_crash().undo(&demo(), &|_line| ()).await.unwrap();
        assert_eq!(undone, 1);
        assert_eq!(place.ledger().await, "notes");
        assert!(!place.has("SELECT title FROM demo_notes").await);
        assert_eq!(place.column("SELECT CAST(id AS text) FROM demo_notes").await, ["1", "2"]);
        place.end().await;
    }
}

#[tokio::test]
async fn what_a_crash_left_is_taken_up_by_the_same_version_and_undone_by_another() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        place.serve(&first, None).await;
        let tags =
            expand(4, "tags", &["CREATE TABLE demo_tags (id int)"], &["DROP TABLE demo_tags"]);
        let second = chain(&place, "0.2.0", &[notes(), title(), tags.clone()]);
        let plan = place.plan(&second, Some(&first)).await.unwrap();
        let half = Plan { expand: plan.expand[..1].to_vec(), ..plan };
        place.migrations.run(&half, &|_line| ()).await.unwrap();

        let plan = place.plan(&second, Some(&first)).await.unwrap();
        assert_eq!((plan.undo.len(), plan.expand.len()), (0, 1));
        // Another version that does not know `title`, and has `tags`.
        let third = chain(&place, "0.2.1", &[notes(), tags]);
        let plan = place.migrate(&third, Some(&first)).await.unwrap();
        assert_eq!((plan.undo.len(), plan.expand.len()), (1, 1));
        assert_eq!(place.ledger().await, "notes tags?");
        assert_eq!(place.tables().await, "demo_notes demo_tags");
        place.end().await;
    }
}

#[tokio::test]
async fn a_down_that_fails_stops_there_and_the_ledger_stays_true() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        place.serve(&first, None).await;
        let bad = expand(
            5,
            "bad",
            &["CREATE TABLE demo_b (id int)"],
            &["DROP TABLE demo_b", "ALTER TABLE demo_notes DROP COLUMN missing"],
        );
        let second = chain(&place, "0.2.0", &[notes(), title(), bad.clone()]);
        place.migrate(&second, Some(&first)).await.unwrap();
        let error = place.undo(&demo()).await.unwrap_err();
        let wanted = "migration `bad` (00000000-0000-4000-8000-000000000005) failed and left nothing behind: \
            statement 2 of its `down`";
        assert!(error.starts_with(wanted), "{error}");
        assert_eq!(place.ledger().await, "notes title? bad?");
        assert_eq!(place.tables().await, "demo_b demo_notes");
        assert!(place.has("SELECT title FROM demo_notes").await);
        // A version that has the same steps goes forward.
        let third = chain(&place, "0.2.1", &[notes(), title(), bad]);
        place.serve(&third, Some(&first)).await;
        assert_eq!(place.ledger().await, "notes title bad");
        place.end().await;
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_is_refused_by_name() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        place.serve(&first, None).await;
        let mut changed = notes();
        changed.inner.up = statements(&["CREATE TABLE demo_notes (id int)"]);
        changed.inner.name = "texts".to_owned();
        let second = chain(&place, "0.2.0", &[changed]);
        let error = place.plan(&second, Some(&first)).await.unwrap_err();
        let (start, end) = error.split_once(": sha256:").unwrap();
        assert_eq!(
            start,
            "migration `texts` (00000000-0000-4000-8000-000000000001) is not what was applied by 0.1.0 as `notes`"
        );
        assert!(end.contains("was applied and 0.2.0 has sha256:"), "{end}");
        assert!(end.ends_with("migrations never change, so add a new one"), "{end}");
        let status = place.migrations.status(&demo(), Some(&second)).await.unwrap();
        assert_eq!(status.migrations[0].state, report::State::Changed);
        place.end().await;
    }
}

#[tokio::test]
async fn finalize_ends_the_way_back_and_the_next_version_does_so_for_it() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        let second = chain(&place, "0.2.0", &[notes(), title(), no_name()]);
        place.serve(&first, None).await;
        place.serve(&second, Some(&first)).await;
        assert_eq!(place.ledger().await, "notes title");
        let back = place.plan(&first, Some(&second)).await.unwrap();
        assert!(back.is_empty(), "a rollback leaves the expand steps in place");
        let done = place.migrations.finalize(&second, &|_line| ()).await.unwrap();
        assert_eq!(done.contract_first.len(), 1);
        assert_eq!(place.ledger().await, "notes title no name");
        assert!(!place.has("SELECT name FROM demo_notes").await);
        expect!["there is no way back to 0.1.0: contract migration `no name` (00000000-0000-4000-8000-000000000003) of 0.2.0 is applied, and the schema suits the older code no more; go forward, or restore a backup"]
            .assert_eq(&place.plan(&first, Some(&second)).await.unwrap_err());
        let rollback = place.migrations.rollback(&demo(), first.version()).await.unwrap();
        expect!["ContractApplied: contract migration `no name` (00000000-0000-4000-8000-000000000003) of 0.2.0 is applied"]
            .assert_eq(&rollback.reason().unwrap());
        let again = place.migrations.finalize(&second, &|_line| ()).await.unwrap();
        assert!(again.is_empty());
        place.end().await;
    }
}

#[tokio::test]
async fn contract_steps_of_the_version_before_come_first_and_stay_whatever_follows() {
    for place in places().await {
        let first = chain(&place, "0.2.0", &[notes(), title(), no_name()]);
        place.serve(&first, None).await;
        let fails = expand(5, "fails", &["SELECT missing FROM demo_notes"], &[]).after(&[3]);
        let second = chain(&place, "0.3.0", &[notes(), title(), no_name(), fails]);
        let plan = place.plan(&second, Some(&first)).await.unwrap();
        let document = place.migrations.document(&plan, Some(first.version())).await.unwrap();
        let stages: Vec<_> = document.steps.iter().map(|step| (step.stage, &*step.name)).collect();
        let wanted = [(report::Stage::ContractFirst, "no name"), (report::Stage::Expand, "fails")];
        assert_eq!(stages, wanted);
        assert!(document.rollback_available);
        place.migrate(&second, Some(&first)).await.unwrap_err();
        assert_eq!(place.undo(&demo()).await.unwrap(), 0);
        assert_eq!(place.ledger().await, "notes title no name");
        // The version that serves still can, and can come to serve again.
        assert!(place.plan(&first, Some(&first)).await.unwrap().is_empty());
        place.end().await;
    }
}

#[tokio::test]
async fn an_installation_that_never_served_leaves_nothing() {
    for place in places().await {
        let fails = expand(5, "fails", &["SELECT missing FROM demo_notes"], &[]).after(&[3]);
        let target = chain(&place, "0.3.0", &[notes(), title(), no_name(), fails]);
        place.migrate(&target, None).await.unwrap_err();
        assert_eq!(place.ledger().await, "notes? title? no name?");
        // `no name` cannot be undone: what nobody ever used is dropped instead.
        place.undo(&demo()).await.unwrap();
        assert_eq!(place.ledger().await, "");
        assert_eq!(place.tables().await, "");
        assert!(!place.has("SELECT * FROM demo_notes").await);
        place.end().await;
    }
}

#[tokio::test]
async fn an_installation_over_data_of_an_earlier_time_keeps_what_cannot_be_taken_back() {
    for place in places().await {
        place.serve(&chain(&place, "0.1.0", &[notes()]), None).await;
        // Uninstalled, and installed again in a version that is far ahead.
        let tags =
            expand(4, "tags", &["CREATE TABLE demo_tags (id int)"], &["DROP TABLE demo_tags"]);
        let fails = expand(5, "fails", &["SELECT missing FROM demo_notes"], &[]).after(&[4]);
        let steps = [notes(), title(), no_name(), tags.after(&[3]), fails];
        let target = chain(&place, "0.3.0", &steps);
        place.migrate(&target, None).await.unwrap_err();
        assert_eq!(place.ledger().await, "notes title no name tags?");
        assert_eq!(place.undo(&demo()).await.unwrap(), 1);
        assert_eq!(place.ledger().await, "notes title no name");
        assert_eq!(place.tables().await, "demo_notes");
        place.end().await;
    }
}

#[tokio::test]
async fn tables_of_a_neighbor_and_ids_of_a_neighbor_are_refused() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        place.serve(&first, None).await;
        place.run("CREATE TABLE mail_strays (id int)").await;
        let mail = |steps: &[Step]| {
            let descriptor = descriptor("mail", "mail", "1.0.0", steps);
            Arc::new(Chain::of(&descriptor, place.store.backend()).unwrap())
        };
        let reads = mail(&[expand(7, "reads", &["SELECT * FROM demo_notes"], &[])]);
        expect!["migration `reads` (00000000-0000-4000-8000-000000000007) is refused: statement 1 of its `up`: table `demo_notes` belongs to element `demo-app`; a migration may touch its own element's tables only"]
            .assert_eq(&place.plan(&reads, None).await.unwrap_err());
        let takes =
            mail(&[expand(7, "takes", &["CREATE TABLE IF NOT EXISTS mail_strays (id int)"], &[])]);
        expect!["migration `takes` (00000000-0000-4000-8000-000000000007) is refused: statement 1 of its `up`: table `mail_strays` is there already; choose another name"]
            .assert_eq(&place.plan(&takes, None).await.unwrap_err());
        let index = mail(&[expand(7, "index", &["SELECT 1"], &["DROP INDEX demo_notes_i"])]);
        place.run("CREATE INDEX demo_notes_i ON demo_notes (id)").await;
        let error = place.plan(&index, None).await.unwrap_err();
        assert!(
            error.contains("statement 1 of its `down`: table `demo_notes` belongs to"),
            "{error}"
        );
        let same =
            mail(&[expand(1, "mine", &["CREATE TABLE mail_x (id int)"], &["DROP TABLE mail_x"])]);
        expect!["migration `mine` (00000000-0000-4000-8000-000000000001) has the id of one that element `demo-app` has applied; give it a fresh id"]
            .assert_eq(&place.plan(&same, None).await.unwrap_err());
        place.end().await;
    }
}

#[tokio::test]
async fn a_purge_drops_what_the_element_owned_and_nothing_else() {
    for place in places().await {
        let family = expand(
            4,
            "family",
            &[
                "CREATE TABLE demo_parents (id int PRIMARY KEY)",
                "CREATE TABLE demo_children (id int REFERENCES demo_parents (id))",
                "CREATE TABLE demo_instances (id int)",
            ],
            &["DROP TABLE demo_instances", "DROP TABLE demo_children", "DROP TABLE demo_parents"],
        );
        let target = chain(&place, "0.1.0", &[notes(), family]);
        place.serve(&target, None).await;
        let mail = descriptor(
            "mail",
            "mail",
            "1.0.0",
            &[expand(
                9,
                "boxes",
                &["CREATE TABLE mail_boxes (id int)"],
                &["DROP TABLE mail_boxes"],
            )],
        );
        place.serve(&Arc::new(Chain::of(&mail, place.store.backend()).unwrap()), None).await;
        place.run("INSERT INTO demo_parents (id) VALUES (1)").await;
        place.run("INSERT INTO demo_children (id) VALUES (1)").await;
        place.run("INSERT INTO demo_instances (id) VALUES (1), (2)").await;
        assert_eq!(place.migrations.rows_of_instances(&demo()).await.unwrap(), 2);

        place.migrations.purge(&demo()).await.unwrap();
        assert_eq!(place.ledger().await, "boxes");
        assert_eq!(place.tables().await, "mail_boxes");
        assert!(!place.has("SELECT * FROM demo_parents").await);
        assert_eq!(place.migrations.rows_of_instances(&demo()).await.unwrap(), 0);
        place.migrations.purge(&demo()).await.unwrap();
        place.serve(&target, None).await;
        place.end().await;
    }
}

#[tokio::test]
async fn a_table_that_a_request_holds_is_not_waited_for_for_ever() {
    for place in places().await {
        if place.store.backend() == Backend::Sqlite {
            continue;
        }
        let first = chain(&place, "0.1.0", &[notes()]);
        place.serve(&first, None).await;
        let request = place.store.begin().await.unwrap();
        request.execute_unprepared("INSERT INTO demo_notes (id) VALUES (7)").await.unwrap();
        let second = chain(&place, "0.2.0", &[notes(), title()]);
        expect!["migration `title` (00000000-0000-4000-8000-000000000002) waited 2 times for what requests hold, 50 ms each time, and left nothing behind; try again when fewer long transactions are open, or raise `migration.lock_wait_ms`"]
            .assert_eq(&place.migrate(&second, Some(&first)).await.unwrap_err());
        request.commit().await.unwrap();
        assert_eq!(place.ledger().await, "notes");
        place.migrate(&second, Some(&first)).await.unwrap();
        place.end().await;
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended() {
    for place in places().await {
        if place.store.backend() == Backend::Sqlite {
            continue;
        }
        let config =
            Config { statement_limit_ms: NonZeroU64::new(100).unwrap(), ..Config::default() };
        let slow = Migrations { config, ..place.migrations.clone() };
        let up = "SELECT count(*) FROM (WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT i FROM n) x";
        let target = chain(&place, "0.1.0", &[expand(8, "slow", &[up], &[])]);
        let plan = slow.plan_chain(&target, None).await.unwrap();
        let error = slow.run(&plan, &|_line| ()).await.unwrap_err();
        expect!["migration `slow` (00000000-0000-4000-8000-000000000008) was ended because statement 1 took more than 100 ms, and left nothing behind; fill in by a backfill, or raise `migration.statement_limit_ms`"]
            .assert_eq(&text(&error));
        assert_eq!(place.ledger().await, "");
        place.end().await;
    }
}

#[tokio::test]
async fn a_version_in_between_may_not_be_skipped_when_its_contract_step_is_needed() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        place.serve(&first, None).await;
        let later = expand(5, "later", &["CREATE TABLE demo_l (id int)"], &["DROP TABLE demo_l"])
            .after(&[3]);
        let third = chain(&place, "0.3.0", &[notes(), title(), no_name(), later]);
        expect!["migration `later` (00000000-0000-4000-8000-000000000005) of 0.3.0 needs contract migration `no name` (00000000-0000-4000-8000-000000000003), which the version that serves, 0.1.0, does not have; install the version that brought it first"]
            .assert_eq(&place.plan(&third, Some(&first)).await.unwrap_err());
        place.end().await;
    }
}

#[tokio::test]
async fn two_daemons_that_apply_one_step_apply_it_once() {
    for place in places().await {
        let target = chain(&place, "0.1.0", &[notes(), title()]);
        let plan = place.plan(&target, None).await.unwrap();
        let other = place.somebody_else();
        let (one, two) =
            tokio::join!(place.migrations.run(&plan, &|_line| ()), other.run(&plan, &|_line| ()));
        one.unwrap();
        two.unwrap();
        assert_eq!(place.ledger().await, "notes? title?");
        place.end().await;
    }
}

#[tokio::test]
async fn who_changes_the_schema_already_is_waited_for_as_long_as_a_statement_may_take() {
    for place in places().await {
        if place.store.backend() == Backend::Sqlite {
            continue;
        }
        let target = chain(&place, "0.1.0", &[notes()]);
        let plan = place.plan(&target, None).await.unwrap();
        let other = place.somebody_else();
        let held = other.begin(&demo()).await.unwrap();
        let limit = NonZeroU64::new(300).unwrap();
        let config = Config { statement_limit_ms: limit, ..place.migrations.config.clone() };
        let hurried = Migrations { config, ..place.migrations.clone() };
        let error = hurried.run(&plan, &|_line| ()).await.unwrap_err();
        expect!["the schema of element `demo-app` has been changed by somebody else for more than 300 ms, so nothing was done; try again when the statement of a daemon that ended is over, or raise `migration.statement_limit_ms`"]
            .assert_eq(&text(&error));
        assert_eq!(place.ledger().await, "");
        held.rollback().await.unwrap();
        place.migrations.run(&plan, &|_line| ()).await.unwrap();
        place.end().await;
    }
}

//! Backfills: batch by batch, across failures, and once more after the old code is gone.

use std::sync::Mutex;

use expect_test::expect;
use futures_util::FutureExt;
use futures_util::future::ready;
use serde_json::{Value, json};

use super::super::backfill::Pass;
use super::*;

/// A plugin that fills in ten rows, some at a time, and says what it was asked.
struct Filler {
    asked: Mutex<Vec<String>>,
    /// Fails when asked for this cursor, so many times.
    fails_at: Option<&'static str>,
    n_fails: Mutex<u32>,
}

impl Filler {
    fn new(fails_at: Option<&'static str>, n_fails: u32) -> Self {
        Self { asked: Mutex::default(), fails_at, n_fails: Mutex::new(n_fails) }
    }

    fn answer(&self, name: &str, body: &Value) -> Result<Value, String> {
        let cursor = body["cursor"].as_str();
        self.asked.lock().unwrap().push(format!("{name}@{}", cursor.unwrap_or("-")));
        let mut n_fails = self.n_fails.lock().unwrap();
        if cursor == self.fails_at && *n_fails > 0 {
            *n_fails -= 1;
            return Err("the database is busy".to_owned());
        }
        let done_before: u32 = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let next = done_before + 5;
        Ok(json!({ "cursor": next.to_string(), "done": next >= 10, "rows": 5 }))
    }

    fn take_asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap()).join(" ")
    }
}

impl Place {
    async fn fill(
        &self,
        filler: &Filler,
        chain: &Chain,
        pass: Pass,
    ) -> Result<Vec<String>, String> {
        let lines = Mutex::new(Vec::new());
        let call = |name: String, body: Value| ready(filler.answer(&name, &body)).boxed();
        let tell = |line: Progress<'_>| lines.lock().unwrap().push(line.to_string());
        let filled = self.migrations.backfill_with(&call, chain, pass, &tell).await;
        filled.map_err(|error| text(&error))?;
        Ok(lines.into_inner().unwrap())
    }

    async fn backfill_state(&self) -> Option<report::Backfill> {
        let status = self.migrations.status(&demo(), None).await.unwrap();
        status.migrations.iter().find_map(|migration| migration.backfill)
    }
}

#[tokio::test]
async fn a_backfill_goes_on_where_it_was_and_sweeps_once() {
    for place in places().await {
        let target = chain(&place, "0.2.0", &[notes(), title().backfill("titles")]);
        place.migrate(&target, None).await.unwrap();
        assert_eq!(place.backfill_state().await, Some(report::Backfill::Pending));

        let filler = Filler::new(Some("5"), 9);
        let error = place.fill(&filler, &target, Pass::First).await.unwrap_err();
        expect!["the backfill of migration `title` (00000000-0000-4000-8000-000000000002) failed 5 times in a row, the last time because the database is busy; what it filled in stays, and it goes on from there"]
            .assert_eq(&error);
        assert_eq!(
            filler.take_asked(),
            "backfill:titles@- backfill:titles@5 backfill:titles@5 backfill:titles@5 backfill:titles@5 backfill:titles@5"
        );

        let filler = Filler::new(Some("5"), 1);
        let lines = place.fill(&filler, &target, Pass::First).await.unwrap();
        assert_eq!(filler.take_asked(), "backfill:titles@5 backfill:titles@5");
        expect![[r#"
            a batch of the backfill of `title` failed and is tried again: the database is busy
            migration `title`: all rows are filled in, 5 of them now"#]]
        .assert_eq(&lines.join("\n"));
        assert_eq!(place.backfill_state().await, Some(report::Backfill::Filled));

        let filler = Filler::new(None, 0);
        place.fill(&filler, &target, Pass::First).await.unwrap();
        assert_eq!(filler.take_asked(), "", "it was done");
        place.fill(&filler, &target, Pass::Sweep).await.unwrap();
        assert_eq!(filler.take_asked(), "backfill:titles@- backfill:titles@5");
        assert_eq!(place.backfill_state().await, Some(report::Backfill::Done));
        place.fill(&filler, &target, Pass::Sweep).await.unwrap();
        assert_eq!(filler.take_asked(), "", "it was swept");
        place.end().await;
    }
}

#[tokio::test]
async fn rows_of_code_that_knows_no_backfill_are_filled_in_again() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        let second = chain(&place, "0.2.0", &[notes(), title().backfill("titles")]);
        place.serve(&first, None).await;
        place.serve(&second, Some(&first)).await;
        let filler = Filler::new(None, 0);
        place.fill(&filler, &second, Pass::First).await.unwrap();
        place.fill(&filler, &second, Pass::Sweep).await.unwrap();
        // Back, where the old code writes rows, and forward again.
        place.serve(&first, Some(&second)).await;
        assert_eq!(place.backfill_state().await, Some(report::Backfill::Done));
        place.serve(&second, Some(&first)).await;
        assert_eq!(place.backfill_state().await, Some(report::Backfill::Pending));
        // A change of settings is no reason.
        place.fill(&filler, &second, Pass::First).await.unwrap();
        place.serve(&second, Some(&second)).await;
        assert_eq!(place.backfill_state().await, Some(report::Backfill::Filled));
        place.end().await;
    }
}

#[tokio::test]
async fn an_undone_step_takes_its_backfill_with_it() {
    for place in places().await {
        let first = chain(&place, "0.1.0", &[notes()]);
        let second = chain(&place, "0.2.0", &[notes(), title().backfill("titles")]);
        place.serve(&first, None).await;
        place.migrate(&second, Some(&first)).await.unwrap();
        place.undo(&demo()).await.unwrap();
        assert_eq!(place.column("SELECT migration_id FROM metapaas_backfills").await.len(), 0);
        place.end().await;
    }
}

#[tokio::test]
async fn a_hook_that_leads_nowhere_is_no_answer() {
    let place = places().await.remove(0);
    let target = chain(&place, "0.2.0", &[notes(), title().backfill("titles")]);
    place.migrate(&target, None).await.unwrap();
    for (answer, wanted) in [
        (json!({"cursor": null, "done": false, "rows": 0}), "did not move its cursor"),
        (json!({"rows": 1}), "its answer is not `{cursor, done, rows}`: missing field `done`"),
        (json!("done"), "its answer is not `{cursor, done, rows}`"),
    ] {
        let call = |_name: String, _body: Value| ready(Ok(answer.clone())).boxed();
        let filled = place.migrations.backfill_with(&call, &target, Pass::First, &|_line| ()).await;
        let error = text(&filled.unwrap_err());
        assert!(error.contains(wanted), "{error}");
    }
    place.end().await;
}

/// A rollout runs in a task: all of this must be able to move between threads.
#[test]
fn everything_can_be_awaited_from_a_task() {
    fn is_send(_future: impl Send) {}
    fn unmade<T>() -> T {
        panic!("this is compiled and never run")
    }
    let _never_called = |migrations: &Migrations, chain: &Arc<Chain>| {
        is_send(migrations.migrate(unmade(), Some(chain), &|_line| ()));
        is_send(migrations.finalize(chain, &|_line| ()));
        is_send(migrations.undo(unmade(), &|_line| ()));
        is_send(migrations.purge(unmade()));
        is_send(migrations.backfill(unmade(), unmade(), Pass::First, &|_line| ()));
    };
}

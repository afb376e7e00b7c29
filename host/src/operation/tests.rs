//! The lives of operations, on every database that there is.

use std::fmt::Write;
use std::io;

use expect_test::{Expect, expect};
use sea_orm::EntityTrait;
use serde_json::json;
use tokio::time::timeout;

use super::changes::Change;
use super::journal::{Entry, Written};
use super::*;
use crate::shutdown::Outcome;
use crate::store::entity::operation_log as line_row;
use crate::store::testing::Database;

const PATIENCE: Duration = Duration::from_secs(20);

/// A store, and what is kept in it.
struct Ground {
    database: Database,
    store: Store,
    operations: Operations,
    tasks: Tasks,
}

impl Ground {
    async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for database in Database::each().await {
            let (store, tasks) = (database.open().await.unwrap(), Tasks::default());
            let events = Events::start(store.clone(), &event::Config::default(), &tasks);
            let operations = Operations::new(store.clone(), events, tasks.clone());
            all.push(Self { database, store, operations, tasks });
        }
        all
    }

    async fn end(self) {
        assert_eq!(self.tasks.shut_down(PATIENCE).await, Outcome::Clean);
        assert_eq!(self.operations.n_watched(), 0, "nothing is watched any more");
        self.store.close().await;
        self.database.end().await;
    }

    async fn create(&self, name: &str) -> OperationId {
        self.operations.create(self.store.connection(), install(name)).await.unwrap().id
    }

    async fn read(&self, id: OperationId) -> Operation {
        self.operations.get(id).await.unwrap().unwrap()
    }

    /// Its state, its steps and what it said, without what differs from run to run.
    async fn check(&self, id: OperationId, wanted: &Expect) {
        let Operation { state, percent, description, steps, .. } = self.read(id).await;
        let mut text = format!("{state} {percent}% {description}\n");
        for Step { name, state, message, .. } in steps {
            writeln!(text, "  {name} {state:?} {message}").unwrap();
        }
        for Line { seq, level, message, .. } in self.operations.logs(id, 0, 100).await.unwrap() {
            writeln!(text, "{seq} {level} {message}").unwrap();
        }
        wanted.assert_eq(&stripped(&text));
    }

    /// Takes the operations out of the store's sight, or gives them back.
    async fn hide(&self) {
        self.database.run("ALTER TABLE metapaas_operations RENAME TO hidden").await;
    }

    async fn show(&self) {
        self.database.run("ALTER TABLE hidden RENAME TO metapaas_operations").await;
    }
}

/// Without durations.
fn stripped(text: &str) -> String {
    let words = text.split_inclusive(|c: char| c.is_whitespace());
    let mut words: Vec<_> = words.collect();
    for index in 1..words.len() {
        if words[index].starts_with("ms") {
            words[index - 1] = "N ";
        }
    }
    words.concat()
}

fn install(name: &str) -> New {
    New {
        kind: ElementKind::Install.into(),
        target: target(name),
        details: json!({"from": null, "to": "0.1.0"}),
        requester: Requester {
            principal: "user:admin".to_owned(),
            request_id: Some("req-1".to_owned()),
            traceparent: None,
        },
    }
}

fn target(name: &str) -> Target {
    Target::element(&name.parse().unwrap())
}

async fn fine() -> Result<u8, io::Error> {
    Ok(7)
}

async fn broken() -> Result<u8, Error> {
    let source = DbErr::Custom("the disk is full".to_owned());
    Err(Error::Read(source))
}

#[tokio::test]
async fn an_operation_is_told_from_its_wish_to_its_end() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let created = ground.read(id).await;
        assert_eq!((created.state, created.started_at), (State::Pending, None));
        assert_eq!(created.details["to"], "0.1.0");
        assert_eq!(created.requester.request_id.as_deref(), Some("req-1"));

        let running = ground.operations.run(id, &["fetch", "start"]).await.unwrap();
        assert_eq!(running.step("fetch", fine()).await.unwrap(), 7);
        running
            .step("start", async {
                ground
                    .check(
                        id,
                        &expect![[r#"
                    RUNNING 50% start (2/2)
                      fetch Succeeded 
                      start Running 
                    1 info fetch: done in N ms
                "#]],
                    )
                    .await;
                running.log(Level::Warn, "it is slow").await;
                fine().await
            })
            .await
            .unwrap();
        running.succeed("demo 0.1.0 serves", json!({"version": "0.1.0"})).await;
        ground
            .check(
                id,
                &expect![[r#"
            SUCCEEDED 100% demo 0.1.0 serves
              fetch Succeeded 
              start Succeeded 
            1 info fetch: done in N ms
            2 warn it is slow
            3 info start: done in N ms
            4 info demo 0.1.0 serves
        "#]],
            )
            .await;
        let ended = ground.read(id).await;
        assert_eq!(ended.result, Some(json!({"version": "0.1.0"})));
        assert!(ended.created_at <= ended.started_at.unwrap());
        assert!(ended.started_at <= ended.finished_at);
        ground.end().await;
    }
}

#[tokio::test]
async fn a_failure_says_where_and_why() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let running = ground.operations.run(id, &["fetch", "start"]).await.unwrap();
        running.step("fetch", broken()).await.unwrap_err();
        let mut failure = Failure::new("ROLLOUT_FAILED", "The disk is full. Nothing serves.");
        failure.members.insert("element".to_owned(), "demo".into());
        running.fail(failure.clone()).await;
        ground.check(id, &expect![[r#"
            FAILED 50% The disk is full. Nothing serves.
              fetch Failed operations cannot be read from the store; caused by: Custom Error: the disk is full
              start Skipped 
            1 error fetch: failed after N ms: operations cannot be read from the store; caused by: Custom Error: the disk is full
            2 error The disk is full. Nothing serves.
        "#]]).await;
        assert_eq!(ground.read(id).await.failure, Some(failure));
        ground.end().await;
    }
}

#[tokio::test]
async fn a_wish_that_is_taken_back_leaves_no_operation() {
    for ground in Ground::each().await {
        let transaction = ground.store.begin().await.unwrap();
        let id = ground.operations.create(&transaction, install("demo")).await.unwrap().id;
        transaction.rollback().await.unwrap();
        assert_eq!(ground.operations.get(id).await.unwrap(), None);
        let refused = ground.operations.run(id, &[]).await.unwrap_err();
        assert!(matches!(refused, Error::NotFound(_)), "{refused}");
        assert_eq!(ground.operations.wait(id, PATIENCE).await.unwrap(), None);
        ground.end().await;
    }
}

#[tokio::test]
async fn whoever_waits_is_woken_by_the_end() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let running = ground.operations.run(id, &["fetch"]).await.unwrap();
        let short = ground.operations.wait(id, Duration::from_millis(1)).await.unwrap().unwrap();
        assert_eq!(short.state, State::Running);

        let wait = || timeout(PATIENCE, ground.operations.wait(id, Duration::MAX));
        let work = async {
            running.step("fetch", fine()).await.unwrap();
            assert_eq!(ground.operations.n_watched(), 1);
            running.succeed("done", Value::Null).await;
        };
        let (first, second, ()) = tokio::join!(wait(), wait(), work);
        for waited in [first, second, wait().await] {
            assert_eq!(waited.unwrap().unwrap().unwrap().state, State::Succeeded);
        }
        ground.end().await;
    }
}

#[tokio::test]
async fn what_a_crash_ended_is_found_and_goes_on() {
    for ground in Ground::each().await {
        let (first, waiting) = (ground.create("demo").await, ground.create("demo").await);
        let other = ground.create("other").await;
        let running = ground.operations.run(first, &["fetch", "start"]).await.unwrap();
        running.step("fetch", fine()).await.unwrap();
        let interrupted = running.step("start", std::future::pending::<Result<(), io::Error>>());
        assert!(timeout(Duration::from_millis(50), interrupted).await.is_err());
        drop(running);

        let ids = |found: Vec<Operation>| found.iter().map(|it| it.id).collect::<Vec<_>>();
        let unfinished = ground.operations.unfinished_of_elements().await.unwrap();
        assert_eq!(ids(unfinished), [first, waiting, other]);

        ground.operations.supersede(waiting, first).await.unwrap();
        let superseded = ground.read(waiting).await;
        assert_eq!(superseded.state, State::Superseded);
        assert_eq!(superseded.result, Some(json!({"superseded_by": first.to_string()})));

        let started_at = ground.read(first).await.started_at;
        let running = ground.operations.run(first, &["fetch", "start"]).await.unwrap();
        running.step("fetch", fine()).await.unwrap();
        running.step("start", fine()).await.unwrap();
        running.succeed("demo serves", Value::Null).await;
        ground
            .check(
                first,
                &expect![[r#"
            SUCCEEDED 100% demo serves
              fetch Succeeded 
              start Failed the daemon ended while this was done
              fetch Succeeded 
              start Succeeded 
            1 info fetch: done in N ms
            2 info fetch: done in N ms
            3 info start: done in N ms
            4 info demo serves
        "#]],
            )
            .await;
        assert_eq!(ground.read(first).await.started_at, started_at);
        ground.end().await;
    }
}

#[tokio::test]
async fn an_operation_ends_once() {
    for ground in Ground::each().await {
        let (id, newer) = (ground.create("demo").await, ground.create("demo").await);
        let running = ground.operations.run(id, &["fetch"]).await.unwrap();
        ground.operations.supersede(id, newer).await.unwrap();
        let ended = ground.read(id).await;
        running.step("fetch", fine()).await.unwrap();
        running.log(Level::Info, "nobody hears it").await;
        running.succeed("too late", Value::Null).await;
        assert_eq!(ground.read(id).await, ended);
        assert_eq!(ended.description, format!("superseded by {newer}"));

        let refused = ground.operations.run(id, &[]).await.unwrap_err();
        assert!(matches!(refused, Error::Ended { state: State::Superseded, .. }), "{refused}");
        assert!(ground.operations.supersede(id, newer).await.is_err());
        ground.end().await;
    }
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_stops_no_work_and_is_late() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let running = ground.operations.run(id, &["fetch", "start"]).await.unwrap();
        ground.hide().await;
        assert_eq!(running.step("fetch", fine()).await.unwrap(), 7);
        running.log(Level::Info, "it goes on").await;
        ground.show().await;
        running.step("start", fine()).await.unwrap();
        running.succeed("demo serves", Value::Null).await;
        ground
            .check(
                id,
                &expect![[r#"
            SUCCEEDED 100% demo serves
              fetch Succeeded 
              start Succeeded 
            1 info fetch: done in N ms
            2 info it goes on
            3 info start: done in N ms
            4 warn 3 writes of this journal were late
            5 info demo serves
        "#]],
            )
            .await;
        ground.end().await;
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_can_be_repeated() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let entry = Entry {
            id,
            from: &State::OPEN,
            row: row::ActiveModel { percent: Set(40), ..Default::default() },
            lines: vec![Line::now(1, Level::Info, "once".to_owned())],
            change: Change::Moved,
        };
        for _time in 0..2 {
            assert_eq!(ground.operations.write(&entry).await.unwrap(), Written::Yes);
        }
        ground
            .check(
                id,
                &expect![[r#"
                    PENDING 40% waiting to begin
                    1 info once
                "#]],
            )
            .await;
        ground.end().await;
    }
}

#[tokio::test]
async fn an_end_that_cannot_be_written_is_written_later() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let running = ground.operations.run(id, &[]).await.unwrap();
        let mut watching = ground.operations.watch(id);
        ground.hide().await;
        running.succeed("demo serves", Value::Null).await;
        ground.show().await;
        timeout(PATIENCE, watching.changed()).await.unwrap();
        assert_eq!(ground.read(id).await.state, State::Succeeded);
        drop(watching);
        ground.end().await;
    }
}

#[tokio::test]
async fn a_list_is_filtered_and_keeps_its_place() {
    for ground in Ground::each().await {
        let mut ids = Vec::new();
        for name in ["demo", "other", "demo", "demo"] {
            ids.push(ground.create(name).await);
        }
        let running = ground.operations.run(ids[2], &[]).await.unwrap();
        running.succeed("done", Value::Null).await;
        let list = async |filter: &Filter, order, after, n_max| {
            let slice = Slice { after, n_max };
            let page = ground.operations.list(filter, order, slice).await.unwrap();
            let found = page.items.iter().map(|it| ids.iter().position(|id| *id == it.id));
            (found.collect::<Option<Vec<_>>>().unwrap(), page.more_after)
        };

        let of_demo = Filter { about: Some((&target("demo")).into()), ..Filter::default() };
        let (page, more) = list(&of_demo, Order::NewestFirst, None, 2).await;
        assert_eq!((page, more), (vec![3, 2], Some(ids[2])));
        ground.create("demo").await;
        let (page, more) = list(&of_demo, Order::NewestFirst, more, 2).await;
        assert_eq!((page, more), (vec![0], None));
        let (page, more) = list(&of_demo, Order::OldestFirst, None, 3).await;
        assert_eq!((page, more), (vec![0, 2, 3], Some(ids[3])));

        let states = vec![State::Succeeded, State::Failed];
        let done = Filter { states, ..Filter::default() };
        assert_eq!(list(&done, Order::OldestFirst, None, 9).await, (vec![2], None));
        let last = ground.operations.last_of(&target("other")).await.unwrap().unwrap();
        assert_eq!(last.id, ids[1]);
        assert_eq!(ground.operations.last_of(&target("none")).await.unwrap(), None);
        ground.end().await;
    }
}

#[tokio::test]
async fn a_log_is_bounded_and_read_from_any_line() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let running = ground.operations.run(id, &[]).await.unwrap();
        for n in 1..=3 {
            running.log(Level::Info, format!("line {n}")).await;
        }
        let lines = ground.operations.logs(id, 1, 1).await.unwrap();
        assert_eq!((lines.len(), lines[0].message.as_str()), (1, "line 2"));
        drop(running);

        // As if it had said almost all that it may.
        let almost = Line::now(logs::LINES_MAX - 2, Level::Info, "almost".to_owned());
        let row = line_row::Entity::insert(almost.row(id));
        row.exec_without_returning(ground.store.connection()).await.unwrap();
        let running = ground.operations.run(id, &[]).await.unwrap();
        for n in 1..=3 {
            running.log(Level::Info, format!("more {n}")).await;
        }
        running.succeed("done", Value::Null).await;
        let lines = ground.operations.logs(id, logs::LINES_MAX - 2, 9).await.unwrap();
        let said: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(said, ["more 1", "more than 2000 lines are not kept"]);
        ground.end().await;
    }
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_with_its_log() {
    for ground in Ground::each().await {
        let (old, open) = (ground.create("demo").await, ground.create("demo").await);
        let running = ground.operations.run(old, &[]).await.unwrap();
        running.succeed("done", Value::Null).await;
        let finished_at = ground.read(old).await.finished_at.unwrap();
        assert_eq!(ground.operations.prune(finished_at).await.unwrap(), 0);
        let later = Timestamp::from(finished_at.into_inner() + Duration::from_secs(1));
        assert_eq!(ground.operations.prune(later).await.unwrap(), 1);
        assert_eq!(ground.operations.get(old).await.unwrap(), None);
        assert_eq!(ground.operations.logs(old, 0, 9).await.unwrap(), []);
        assert_eq!(ground.read(open).await.state, State::Pending);
        ground.end().await;
    }
}

#[tokio::test]
async fn pruning_goes_on_until_the_daemon_ends() {
    for ground in Ground::each().await {
        ground.operations.prune_by_period(&Config::default());
        ground.end().await;
    }
}

#[tokio::test]
async fn what_runs_is_called_off_until_it_says_otherwise() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let running = ground.operations.run(id, &["fetch", "start"]).await.unwrap();
        let can = async || ground.operations.can_be_canceled(&ground.read(id).await);
        assert!(!can().await, "nobody said that it listens");
        assert_eq!(ground.operations.cancel(id).await.unwrap(), Canceling::TooLate);
        running.hear_calls();
        assert!(can().await);
        assert_eq!(running.go_on(), Ok(()));
        assert_eq!(ground.operations.cancel(id).await.unwrap(), Canceling::Asked);
        running.called_off().await;
        assert_eq!((running.go_on(), running.close_calls()), (Err(Canceled), Err(Canceled)));
        assert!(!can().await, "once is enough");
        running.end_canceled(Failure::canceled("It was called off. Nothing serves.")).await;
        ground
            .check(
                id,
                &expect![[r#"
            CANCELED 0% It was called off. Nothing serves.
              fetch Skipped 
              start Skipped 
            1 warn It was called off. Nothing serves.
        "#]],
            )
            .await;
        assert_eq!(ground.read(id).await.failure.unwrap().code, "OPERATION_CANCELED");

        let id = ground.create("demo").await;
        let running = ground.operations.run(id, &[]).await.unwrap();
        running.hear_calls();
        assert_eq!(running.close_calls(), Ok(()));
        assert_eq!(ground.operations.cancel(id).await.unwrap(), Canceling::TooLate);
        running.succeed("done", Value::Null).await;
        assert!(matches!(ground.operations.cancel(id).await, Err(Error::Ended { .. })));
        ground.end().await;
    }
}

#[tokio::test]
async fn what_waits_and_is_called_off_never_begins() {
    for ground in Ground::each().await {
        let id = ground.create("demo").await;
        let mut watched = ground.operations.watch(id);
        assert_eq!(ground.operations.cancel(id).await.unwrap(), Canceling::Ended);
        timeout(PATIENCE, watched.ended()).await.unwrap();
        drop(watched);
        let begun = ground.operations.run(id, &["fetch"]).await.unwrap_err();
        assert!(matches!(begun, Error::Ended { state: State::Canceled, .. }), "{begun}");

        let removal = New { kind: ElementKind::Uninstall.into(), ..install("demo") };
        let removal =
            ground.operations.create(ground.store.connection(), removal).await.unwrap().id;
        assert_eq!(ground.operations.cancel(removal).await.unwrap(), Canceling::TooLate);
        assert_eq!(ground.read(removal).await.state, State::Pending);
        ground.end().await;
    }
}

#[tokio::test]
async fn an_operation_of_a_resource_is_found_by_what_it_is_about() {
    for ground in Ground::each().await {
        let element = ground.create("demo").await;
        let (bucket, instance, project) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let new = New {
            kind: Kind::resource("s3", "bucket", "create"),
            target: Target {
                kind: "s3".to_owned(),
                name: "demo".to_owned(),
                id: Some(bucket),
                instance: Some(instance),
                project: Some(project),
            },
            ..install("demo")
        };
        let (kind, target) = (new.kind.clone(), new.target.clone());
        let id = ground.operations.create(ground.store.connection(), new).await.unwrap().id;
        let read = ground.read(id).await;
        assert_eq!((&read.kind, &read.target), (&kind, &target));

        let found = async |filter: Filter| {
            let slice = Slice { after: None, n_max: 9 };
            let page = ground.operations.list(&filter, Order::OldestFirst, slice).await.unwrap();
            page.items.iter().map(|it| it.id).collect::<Vec<_>>()
        };
        let about = |about| Filter { about: Some(about), ..Filter::default() };
        let named = |kind: &str| About::Named { kind: kind.to_owned(), name: "demo".to_owned() };
        assert_eq!(found(about((&target).into())).await, [id]);
        assert_eq!(found(about(named("s3"))).await, [id]);
        assert_eq!(found(about(named("element"))).await, [element]);
        assert_eq!(found(Filter { project: Some(project), ..Filter::default() }).await, [id]);
        assert!(found(about(About::Id(instance))).await.is_empty());

        let ids = |found: Vec<Operation>| found.iter().map(|it| it.id).collect::<Vec<_>>();
        let operations = &ground.operations;
        assert_eq!(ids(operations.unfinished_of_elements().await.unwrap()), [element]);
        assert_eq!(ids(operations.unfinished_of_resources().await.unwrap()), [id]);
        ground.end().await;
    }
}

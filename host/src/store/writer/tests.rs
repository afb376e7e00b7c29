use futures_util::future::join_all;
use sea_orm::EntityTrait;

use super::*;
use crate::store::entity::dismissal;
use crate::store::testing::Database;
use crate::timestamp::Timestamp;

/// Why a write of a test came to nothing.
#[derive(Debug, PartialEq)]
enum No {
    OnPurpose,
    Store(String),
}

impl From<DbErr> for No {
    fn from(error: DbErr) -> Self {
        Self::Store(error.to_string())
    }
}

fn row(name: &str) -> dismissal::ActiveModel {
    dismissal::Model { element: name.to_owned(), dismissed_at: Timestamp::now().into_inner() }
        .into()
}

/// A row to be written.
struct Put {
    name: String,
    then: Then,
    /// Dropped after the commit.
    told: Option<oneshot::Sender<()>>,
}

/// What becomes of it.
enum Then {
    Keep,
    Fail,
    Panic,
}

impl Work for Put {
    type Done = String;
    type Refused = No;

    async fn write(&mut self, db: &DatabaseTransaction) -> Result<String, No> {
        dismissal::Entity::insert(row(&self.name)).exec_without_returning(db).await?;
        match self.then {
            Then::Keep => Ok(self.name.clone()),
            Then::Fail => Err(No::OnPurpose),
            Then::Panic => panic!("on purpose"),
        }
    }

    fn committed(self, done: &String) {
        assert_eq!(*done, self.name);
        drop(self.told);
    }
}

fn put(name: impl Into<String>, then: Then) -> Put {
    Put { name: name.into(), then, told: None }
}

async fn names(store: &Store) -> Vec<String> {
    let rows = dismissal::Entity::find().all(store.connection()).await.unwrap();
    let mut names: Vec<_> = rows.into_iter().map(|row| row.element).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn what_fails_undoes_itself_and_nothing_of_the_others() {
    for database in Database::each().await {
        let (store, tasks) = (database.open().await.unwrap(), Tasks::default());
        let writer = Writer::start(&store, &tasks);
        let fate = |n| if n % 3 == 1 { Then::Fail } else { Then::Keep };
        let all = (0..300).map(|n| writer.write(put(format!("e{n:03}"), fate(n))));
        let answers = join_all(all).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let wanted = if n % 3 == 1 { Err(No::OnPurpose) } else { Ok(format!("e{n:03}")) };
            assert_eq!(answer, wanted);
        }
        let kept: Vec<_> = (0..300).filter(|n| n % 3 != 1).map(|n| format!("e{n:03}")).collect();
        assert_eq!(names(&store).await, kept);
        assert_eq!(tasks.shut_down(Duration::from_secs(5)).await, crate::shutdown::Outcome::Clean);
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn a_statement_that_fails_is_of_its_own_write_alone() {
    for database in Database::each().await {
        let (store, tasks) = (database.open().await.unwrap(), Tasks::default());
        let writer = Writer::start(&store, &tasks);
        // All but one of the same name are refused by the database.
        let same = (0..40).map(|n| writer.write(put(format!("e{}", n % 4), Then::Keep)));
        let same = join_all(same).await;
        assert_eq!(same.iter().filter(|answer| answer.is_ok()).count(), 4);
        assert_eq!(names(&store).await, ["e0", "e1", "e2", "e3"]);
        drop(writer);
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn a_panic_costs_one_write() {
    for database in Database::each().await {
        let (store, tasks) = (database.open().await.unwrap(), Tasks::default());
        let writer = Writer::start(&store, &tasks);
        let (before, lost, after) = tokio::join!(
            writer.write(put("before", Then::Keep)),
            writer.write(put("lost", Then::Panic)),
            writer.write(put("after", Then::Keep)),
        );
        assert!(before.is_ok() && after.is_ok());
        let No::Store(said) = lost.unwrap_err() else { panic!("it was done") };
        assert!(said.contains("given up before it was done"), "{said}");
        assert_eq!(names(&store).await, ["after", "before"]);
        drop(writer);
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn a_write_is_finished_though_nobody_waits_for_it() {
    for database in Database::each().await {
        let (store, tasks) = (database.open().await.unwrap(), Tasks::default());
        let writer = Writer::start(&store, &tasks);
        let (sender, told) = oneshot::channel();
        let asking = writer.write(Put { told: Some(sender), ..put("left", Then::Keep) });
        // Polled once, so that it is asked, and dropped.
        assert!(asking.now_or_never().is_none());
        told.await.unwrap_err();
        assert_eq!(names(&store).await, ["left"]);
        drop(writer);
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn what_was_asked_before_the_end_is_done() {
    for database in Database::each().await {
        let (store, tasks) = (database.open().await.unwrap(), Tasks::default());
        let writer = Writer::start(&store, &tasks);
        let asked = join_all((0..100).map(|n| writer.write(put(format!("e{n}"), Then::Keep))));
        let (answers, ended) = tokio::join!(asked, tasks.shut_down(Duration::from_secs(5)));
        assert_eq!(ended, crate::shutdown::Outcome::Clean);
        let n_done = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(names(&store).await.len(), n_done);
        assert_eq!(n_done, 100);
        store.close().await;
        database.end().await;
    }
}

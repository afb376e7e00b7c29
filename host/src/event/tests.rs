//! The journal and its watchers, on every database that there is.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::*;
use crate::identity::ProjectId;
use crate::operation::Requester;
use crate::shutdown::Outcome;
use crate::store::testing::Database;
use crate::timestamp::Timestamp;

const PATIENCE: Duration = Duration::from_secs(20);

/// A store, and its journal.
struct Ground {
    database: Database,
    store: Store,
    events: Events,
    tasks: Tasks,
    thing: Uuid,
    project: ProjectId,
}

impl Ground {
    async fn each(config: &Config) -> Vec<Self> {
        let mut all = Vec::new();
        for database in Database::each().await {
            let (store, tasks) = (database.open().await.unwrap(), Tasks::default());
            let events = Events::start(store.clone(), config, &tasks);
            let (thing, project) = (Uuid::now_v7(), ProjectId::of(Uuid::now_v7()));
            all.push(Self { database, store, events, tasks, thing, project });
        }
        all
    }

    async fn end(self) {
        assert!(!self.events.0.tail.is_watched(), "nobody watches any more");
        assert_eq!(self.tasks.shut_down(PATIENCE).await, Outcome::Clean);
        self.store.close().await;
        self.database.end().await;
    }

    /// Writes the `revision`-th change in a transaction.
    async fn write(&self, db: &impl sea_orm::ConnectionTrait, revision: i64) {
        let document = json!({"revision": revision});
        let new = New {
            change: if revision == 1 { Change::Added } else { Change::Modified },
            slug: "demo",
            collection: "instances",
            resource: "instance",
            id: self.thing,
            parent: None,
            instance: self.thing,
            project: self.project,
            name: "thing",
            revision,
            document: &document.to_string(),
            requester: &Requester::daemon(),
        };
        Events::append(db, new).await.unwrap();
    }

    async fn commit(&self, revision: i64) {
        let transaction = self.store.begin().await.unwrap();
        self.write(&transaction, revision).await;
        transaction.commit().await.unwrap();
        self.events.committed();
    }
}

/// What a subscription yields until it has come to `last`.
async fn until(subscription: &mut Subscription, last: i64) -> Vec<i64> {
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        let next = timeout(PATIENCE, subscription.next()).await.expect("there is more to come");
        seen.extend(next.unwrap().iter().map(|event| event.revision));
    }
    seen
}

#[tokio::test]
async fn who_watches_sees_what_is_committed() {
    for ground in Ground::each(&Config::default()).await {
        ground.commit(1).await;
        let mut subscription = ground.events.subscribe(From::Now).await.unwrap();
        let begun = subscription.position();
        ground.commit(2).await;
        let events = timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((event.change, &*event.kind), (Change::Modified, "demo.instance.updated"));
        assert_eq!((&*event.slug, &*event.collection), ("demo", "instances"));
        assert_eq!(*event.id, *ground.thing.to_string());
        assert_eq!((event.instance, event.project), (Some(ground.thing), Some(ground.project)));
        assert_eq!((&*event.permission, event.revision), ("demo.instance.read", 2));
        assert_eq!(*event.object(), json!({"revision": 2}));
        assert_eq!(event.requester, Requester::daemon());

        let mut late = ground.events.subscribe(From::Behind(begun - 1)).await.unwrap();
        assert_eq!(until(&mut late, 2).await, [1, 2]);
        let undone = ground.store.begin().await.unwrap();
        ground.write(&undone, 99).await;
        undone.rollback().await.unwrap();
        ground.commit(3).await;
        assert_eq!(until(&mut late, 3).await, [3]);
        assert_eq!(until(&mut subscription, 3).await, [3]);
        assert_eq!(late.position(), subscription.position());
        assert_eq!(late.horizon().await.unwrap(), late.position());
        drop((late, subscription));
        ground.end().await;
    }
}

#[tokio::test]
async fn who_commits_last_comes_last() {
    // SQLite lets nobody write beside another.
    for ground in Ground::each(&Config::default()).await.into_iter().skip(1) {
        let mut subscription = ground.events.subscribe(From::Now).await.unwrap();
        let slow = ground.store.begin().await.unwrap();
        ground.write(&slow, 1).await;
        ground.commit(2).await;
        assert_eq!(until(&mut subscription, 2).await, [2]);
        let between = subscription.position();
        slow.commit().await.unwrap();
        ground.events.committed();
        assert_eq!(until(&mut subscription, 1).await, [1]);
        let mut resumed = ground.events.subscribe(From::Behind(between)).await.unwrap();
        assert_eq!(until(&mut resumed, 1).await, [1]);
        drop((subscription, resumed));
        ground.end().await;
    }
}

#[tokio::test]
async fn who_is_too_slow_is_told_and_goes_on_from_the_store() {
    let tail_max = NonZeroUsize::new(4).unwrap();
    for ground in Ground::each(&Config { tail_max, ..Config::default() }).await {
        let mut subscription = ground.events.subscribe(From::Now).await.unwrap();
        ground.commit(1).await;
        assert_eq!(until(&mut subscription, 1).await, [1]);
        for revision in 2..=9 {
            ground.commit(revision).await;
        }
        subscription.horizon().await.unwrap();
        let lost = subscription.next().await.unwrap_err();
        assert!(matches!(lost, Lost::TooSlow(at) if at == subscription.position()), "{lost}");
        let from = From::Behind(subscription.position());
        let mut resumed = ground.events.subscribe(from).await.unwrap();
        assert_eq!(until(&mut resumed, 9).await, (2..=9).collect::<Vec<_>>());
        drop((subscription, resumed));
        ground.end().await;
    }
}

#[tokio::test]
async fn what_is_old_is_forgotten_but_for_the_last() {
    for ground in Ground::each(&Config::default()).await {
        for revision in 1..=9 {
            ground.commit(revision).await;
        }
        let long_ago = Timestamp::from(Timestamp::now().into_inner() - Duration::from_secs(3600));
        assert_eq!(ground.events.prune(long_ago, 4).await.unwrap(), 5);
        let extent = ground.events.extent().await.unwrap();
        assert_eq!(extent.last - extent.first, 3);
        for position in [extent.first - 2, extent.last + 1] {
            let lost = ground.events.subscribe(From::Behind(position)).await.unwrap_err();
            assert!(matches!(lost, Lost::Expired(at) if at == position), "{lost}");
        }
        let from = From::Behind(extent.first - 1);
        let mut subscription = ground.events.subscribe(from).await.unwrap();
        assert_eq!(until(&mut subscription, 9).await, [6, 7, 8, 9]);
        drop(subscription);

        let soon = Timestamp::from(Timestamp::now().into_inner() + Duration::from_secs(3600));
        assert_eq!(ground.events.prune(soon, 100).await.unwrap(), 3);
        let left = ground.events.extent().await.unwrap();
        assert_eq!((left.first, left.last), (extent.last, extent.last));
        ground.commit(10).await;
        let from = From::Behind(extent.last);
        let mut subscription = ground.events.subscribe(from).await.unwrap();
        assert_eq!(until(&mut subscription, 10).await, [10]);
        drop(subscription);
        ground.end().await;
    }
}

const WRITERS: i64 = 6;
const EACH: i64 = 40;
const ALL: usize = 240;

impl Ground {
    async fn commit_all(&self, revisions: std::ops::RangeInclusive<i64>) {
        for revision in revisions {
            self.commit(revision).await;
        }
    }

    /// All that comes behind `position`, seen by somebody who leaves now and then and comes back.
    async fn watch_with_breaks(&self, mut position: i64, stride: usize) -> Vec<i64> {
        let mut seen = Vec::new();
        while seen.len() < ALL {
            let mut subscription = self.events.subscribe(From::Behind(position)).await.unwrap();
            let n_batches = seen.len() % stride;
            for batch in 0..=n_batches {
                let next = timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
                // It leaves in the middle of what it was given last.
                let n_taken =
                    if batch == n_batches { 1 + seen.len() % next.len() } else { next.len() };
                position = next[n_taken - 1].number;
                seen.extend(next[..n_taken].iter().map(|event| event.revision));
                if seen.len() == ALL {
                    break;
                }
            }
        }
        seen
    }
}

/// Many write at once; some watch, leave in the middle and come back where they were.
#[tokio::test]
async fn whoever_comes_back_misses_nothing_and_sees_nothing_twice() {
    for ground in Ground::each(&Config::default()).await {
        let begun = ground.events.subscribe(From::Now).await.unwrap().position();
        let writing =
            (0..WRITERS).map(|writer| ground.commit_all(writer * EACH + 1..=(writer + 1) * EACH));
        let watching = (1..=4).map(|stride| ground.watch_with_breaks(begun, stride));
        let (_written, seen) = tokio::join!(
            futures_util::future::join_all(writing),
            futures_util::future::join_all(watching)
        );
        let all: BTreeSet<i64> = (1..=WRITERS * EACH).collect();
        for one in &seen {
            assert_eq!(
                (one.len(), one.iter().copied().collect::<BTreeSet<_>>()),
                (ALL, all.clone())
            );
            assert_eq!(one, &seen[0], "all see one order");
        }
        ground.end().await;
    }
}

#[tokio::test]
async fn the_journal_is_a_list() {
    for ground in Ground::each(&Config::default()).await {
        for revision in 1..=5 {
            ground.commit(revision).await;
        }
        let list = async |sought: &Sought, order, after, n_max| {
            let slice = Slice { after, n_max };
            let events = ground.events.list(sought, order, slice).await.unwrap();
            events.iter().map(|event| event.revision).collect::<Vec<_>>()
        };
        let all = Sought::default();
        assert_eq!(list(&all, Order::OldestFirst, None, 3).await, [1, 2, 3]);
        assert_eq!(list(&all, Order::NewestFirst, None, 2).await, [5, 4]);
        let last = ground.events.extent().await.unwrap().last;
        assert_eq!(list(&all, Order::OldestFirst, Some(last - 1), 9).await, [5]);
        assert_eq!(list(&all, Order::NewestFirst, Some(last - 3), 9).await, [1]);
        let kind = |text| Sought { kind: Some(Kind::parse(text)), ..Sought::default() };
        assert_eq!(list(&kind("demo.instance.created"), Order::OldestFirst, None, 9).await, [1]);
        assert_eq!(list(&kind("demo.*"), Order::OldestFirst, None, 9).await.len(), 5);
        assert!(list(&kind("other.*"), Order::OldestFirst, None, 9).await.is_empty());
        let of = |project| Sought { within: Some([project].into()), ..Sought::default() };
        assert_eq!(list(&of(ground.project), Order::OldestFirst, None, 9).await.len(), 5);
        let elsewhere = of(ProjectId::of(Uuid::now_v7()));
        assert!(list(&elsewhere, Order::OldestFirst, None, 9).await.is_empty());

        let id = ground.thing.to_string();
        let before = ground.events.last_of("demo", "instances", &id, last - 2).await.unwrap();
        assert_eq!(before.map(|event| event.revision), Some(3));
        assert!(ground.events.last_of("demo", "others", &id, last).await.unwrap().is_none());
        ground.end().await;
    }
}

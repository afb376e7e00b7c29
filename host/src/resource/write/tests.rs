//! Writing resources on each database, without a plugin.

use std::future::Future;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::act::{Act, RETRY};
use super::change::Change;
use super::delete::{Children, Delete};
use super::patch::Patch;
use super::precondition::{Precondition, Unmet};
use super::wanted::Unsaid;
use super::*;
use crate::event::{self, Events};
use crate::identity::ProjectId;
use crate::metrics::Metrics;
use crate::model::testing;
use crate::operation::{Operation, Operations, Requester, State};
use crate::plugin::{self, Plugins};
use crate::resource::Config;
use crate::resource::document::Available;
use crate::resource::reconcile::{self, Reconciler};
use crate::resource::row::Row;
use crate::resource::rows;
use crate::resource::sealed::Pending;
use crate::resource::status::Status;
use crate::resource::testing::make_table;
use crate::secret::Secrets;
use crate::services::Offer;
use crate::shutdown::Tasks;
use crate::store::fence::Fences;
use crate::store::testing::Database;
use crate::store::writer::Writer;
use crate::store::{self, Store};
use crate::timestamp::Timestamp;

/// A store with a project and the tables of the type `demo`.
struct Ground {
    store: Store,
    operations: Operations,
    writes: Writes,
    project: ProjectId,
}

impl Ground {
    async fn on(database: &Database) -> Self {
        let store = database.open().await.unwrap();
        for model in testing::model().resources() {
            make_table(database, model).await;
        }
        let tasks = Tasks::default();
        let events = Events::start(store.clone(), &event::Config::default(), &tasks);
        let operations = Operations::new(store.clone(), events, tasks.clone());
        let offer = Offer::new(Fences::new(store.clone(), store::Config::default()), tasks.clone());
        let (limits, metrics) = (plugin::Config::default(), Metrics::new());
        let plugins = Plugins::open(limits, &database.data, metrics.plugin, offer, tasks.clone());
        let plugins = plugins.unwrap();
        let (secrets, config) = (Secrets::for_tests(), Config::default());
        let reconciler = Reconciler::new(reconcile::Parts {
            store: store.clone(),
            plugins: Arc::clone(&plugins),
            operations: operations.clone(),
            secrets: secrets.clone(),
            config: config.clone(),
            tasks: tasks.clone(),
        });
        let writes = Writes::new(writes::Parts {
            store: store.clone(),
            writer: Writer::start(&store, &tasks),
            operations: operations.clone(),
            secrets,
            reconciler,
            plugins,
            pending: Pending::default(),
            config,
            tasks,
        });
        let project = ProjectId::of(Uuid::now_v7());
        let ground = Self { store, operations, writes, project };
        ground.make_project().await;
        ground
    }

    async fn make_project(&self) {
        let (organization, now) = (Uuid::now_v7(), "2026-01-01T00:00:00Z");
        let project = self.project;
        for sql in [
            format!(
                "INSERT INTO metapaas_organizations (id, name, description, created_at, updated_at) \
                 VALUES ('{organization}', 'own', '', '{now}', '{now}')"
            ),
            format!(
                "INSERT INTO metapaas_projects \
                 (id, organization_id, name, description, created_at, updated_at) \
                 VALUES ('{project}', '{organization}', 'own', '', '{now}', '{now}')"
            ),
        ] {
            self.store.connection().execute_unprepared(&sql).await.unwrap();
        }
    }

    fn ask(&self, collection: &str, mode: Mode) -> Ask {
        let r#type = testing::model();
        let model = Arc::clone(r#type.resource(collection).unwrap());
        let available = Available::Since(Timestamp::now());
        Ask {
            collection: Collection { r#type, model, available, generation: None },
            requester: Requester {
                principal: "user:ann".to_owned(),
                request_id: None,
                traceparent: None,
            },
            mode,
            kept: None,
        }
    }

    async fn create(&self, collection: &str, members: Value) -> Result<Written, Refused> {
        self.create_under(None, collection, members, Mode::Do).await
    }

    async fn create_under(
        &self,
        parent: Option<Uuid>,
        collection: &str,
        members: Value,
        mode: Mode,
    ) -> Result<Written, Refused> {
        let (project, parent) = (self.project, parent.map(|parent| (parent, parent)));
        let new = New { project, parent, members: object(members) };
        self.writes.create(self.ask(collection, mode), new).await
    }

    async fn volume(&self, name: &str) -> Uuid {
        let made = self.create("instances", json!({"name": name, "size": 1})).await;
        made.unwrap().shown.id
    }

    async fn patch(
        &self,
        id: Uuid,
        members: Value,
        etag: Option<&str>,
    ) -> Result<Written, Refused> {
        let matches = etag.map(|etag| etag.parse().unwrap()).into_iter().collect();
        let change = Change {
            patch: Patch::Merge { members: object(members), mask: None },
            unsaid: Unsaid::Stays,
            precondition: Precondition { matches, is_absent: false },
        };
        self.writes.change(self.ask("instances", Mode::Do), id, id, change).await
    }

    async fn delete(
        &self,
        collection: &str,
        id: Uuid,
        children: Children,
    ) -> Result<Written, Refused> {
        let delete = Delete { children, precondition: Precondition::default() };
        self.writes.delete(self.ask(collection, Mode::Do), id, id, delete).await
    }

    async fn act(&self, id: Uuid, verb: &str) -> Result<Written, Refused> {
        let (precondition, verb) = (Precondition::default(), verb.to_owned());
        let act = Act { precondition, verb, input: Value::Null, deadline_ms: None };
        self.writes.act(self.ask("instances", Mode::Do), id, id, act).await
    }

    async fn row(&self, collection: &str, id: Uuid) -> Option<Row> {
        let model = testing::resource(collection);
        rows::whole(self.store.connection(), &model, id).await.unwrap()
    }

    async fn last_operation(&self, id: Uuid) -> Operation {
        let row = self.row("instances", id).await.unwrap();
        self.operations.get(row.last_operation.unwrap()).await.unwrap().unwrap()
    }

    /// How many rows a table has.
    async fn count(&self, table: &str) -> i64 {
        let db = self.store.connection();
        let sql = format!("SELECT count(*) FROM {table}");
        let counted = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql));
        counted.await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// How much of everything there is.
    async fn digest(&self) -> Vec<i64> {
        let mut all = Vec::new();
        for table in ["demo_instances", "metapaas_operations", "metapaas_events"] {
            all.push(self.count(table).await);
        }
        all
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("an object") };
    members
}

/// Runs a story on every database.
async fn on_each<F: Future<Output = Ground>>(story: impl Fn(Ground) -> F) {
    for database in Database::each().await {
        let ground = story(Ground::on(&database).await).await;
        ground.store.close().await;
        database.end().await;
    }
}

fn shown(written: &Written) -> Value {
    serde_json::from_slice(&written.shown.text).unwrap()
}

#[tokio::test]
async fn what_is_made_is_there_with_its_operation_and_its_event() {
    on_each(async |ground| {
        let members = json!({"name": "a", "size": 5, "labels": {"env": "dev"}});
        let written = ground.create("instances", members).await.unwrap();
        assert_eq!(written.effect, Effect::Created);
        let document = shown(&written);
        assert_eq!((&document["status"], &document["size"]), (&json!("PENDING"), &json!(5)));
        assert_eq!(document["medium"], "hdd", "what was not said has its default");
        assert_eq!(document["last_operation"]["kind"], "demo.instance.create");
        assert_eq!(document["created_by"], "user:ann");
        let row = ground.row("instances", written.shown.id).await.unwrap();
        assert_eq!(row.last_operation, written.operation.map(|operation| operation.id));
        assert_eq!(ground.last_operation(row.id).await.state, State::Pending);
        assert_eq!(document["etag"], written.shown.etag);
        // The resource's and its operation's.
        assert_eq!(ground.count("metapaas_events").await, 2);
        ground
    })
    .await;
}

#[tokio::test]
async fn what_nobody_brings_about_is_so_when_it_is_written() {
    on_each(async |ground| {
        let written = ground.create("tag-sets", json!({"name": "a"})).await.unwrap();
        assert_eq!(shown(&written)["status"], "ACTIVE");
        assert_eq!(written.operation.as_ref().unwrap().state, State::Succeeded);
        let gone = ground.delete("tag-sets", written.shown.id, Children::Keep).await.unwrap();
        assert_eq!((gone.effect, gone.operation), (Effect::Gone, None));
        assert!(ground.row("tag-sets", written.shown.id).await.is_none());
        ground
    })
    .await;
}

#[tokio::test]
async fn names_and_unique_values_are_taken_once() {
    on_each(async |ground| {
        ground.create("instances", json!({"name": "a", "size": 1, "serial": "x"})).await.unwrap();
        let again = ground.create("instances", json!({"name": "a", "size": 1})).await;
        assert!(matches!(again, Err(Refused::NameTaken(name)) if name == "a"));
        let nowhere = New {
            project: ProjectId::of(Uuid::now_v7()),
            parent: None,
            members: object(json!({"name": "a", "size": 1})),
        };
        let refused = ground.writes.create(ground.ask("instances", Mode::Do), nowhere).await;
        assert!(matches!(refused, Err(Refused::NoProject)));
        assert_eq!(ground.count("demo_instances").await, 1);
        ground
    })
    .await;
}

#[tokio::test]
async fn a_rehearsal_writes_nothing() {
    on_each(async |ground| {
        let before = ground.digest().await;
        let members = json!({"name": "a", "size": 1});
        let would = ground.create_under(None, "instances", members.clone(), Mode::Rehearse).await;
        assert_eq!(shown(&would.unwrap())["name"], "a");
        assert_eq!(ground.digest().await, before);
        ground.create("instances", members.clone()).await.unwrap();
        let again = ground.create_under(None, "instances", members, Mode::Rehearse).await;
        assert!(matches!(again, Err(Refused::NameTaken(_))));
        ground
    })
    .await;
}

#[tokio::test]
async fn a_change_takes_the_place_of_what_was_under_way() {
    on_each(async |ground| {
        let id = ground.volume("a").await;
        let create = ground.last_operation(id).await;
        let mut watched = ground.operations.watch(create.id);
        let changed = ground.patch(id, json!({"size": 2}), None).await.unwrap();
        assert_eq!((changed.effect, &shown(&changed)["size"]), (Effect::Changed, &json!(2)));
        watched.changed().await;
        let create = ground.operations.get(create.id).await.unwrap().unwrap();
        assert_eq!(create.state, State::Superseded);
        assert_eq!(ground.last_operation(id).await.id, changed.operation.unwrap().id);
        let before = ground.digest().await;
        let unchanged = ground.patch(id, json!({"size": 2}), None).await.unwrap();
        assert_eq!((unchanged.effect, unchanged.operation), (Effect::Unchanged, None));
        assert_eq!(ground.digest().await, before);
        ground
    })
    .await;
}

#[tokio::test]
async fn of_two_writers_with_one_etag_exactly_one_wins() {
    on_each(async |ground| {
        let id = ground.volume("a").await;
        let etag = ground.patch(id, json!({"size": 2}), None).await.unwrap().shown.etag;
        let write = |size: u32| ground.patch(id, json!({"size": size}), Some(&etag));
        let all = futures_util::future::join_all((3..13).map(write)).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
        for lost in all.iter().filter_map(|one| one.as_ref().err()) {
            let Refused::Unmet { unmet: Unmet::Changed, etag: Some(now) } = lost else {
                panic!("{lost}")
            };
            assert!(now.starts_with("\"3-"), "{now}");
        }
        ground
    })
    .await;
}

#[tokio::test]
async fn changes_of_different_members_are_all_kept() {
    on_each(async |ground| {
        let id = ground.volume("a").await;
        let write = |n: u32| ground.patch(id, json!({"labels": {format!("l{n}"): "x"}}), None);
        for written in futures_util::future::join_all((0..8).map(write)).await {
            written.unwrap();
        }
        let row = ground.row("instances", id).await.unwrap();
        assert_eq!((row.labels.len(), row.generation), (8, 9));
        ground
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_sealed_and_no_news_when_it_is_said_again() {
    on_each(async |ground| {
        let members = json!({"name": "a", "size": 1, "password": "hunter2"});
        let written = ground.create("instances", members).await.unwrap();
        let id = written.shown.id;
        let row = ground.row("instances", id).await.unwrap();
        let kept = row.fields["password"].as_str().unwrap();
        assert!(kept.starts_with("v1.") && !kept.contains("hunter2"), "{kept}");
        assert!(!shown(&written).to_string().contains("hunter2"));
        let same = ground.patch(id, json!({"password": "hunter2"}), None).await.unwrap();
        assert_eq!(same.effect, Effect::Unchanged);
        let other = ground.patch(id, json!({"password": "hunter3"}), None).await.unwrap();
        assert_eq!(other.effect, Effect::Changed);
        ground
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_is_marked_until_its_plugin_took_it_down() {
    on_each(async |ground| {
        let id = ground.volume("a").await;
        let snapshot = json!({"name": "s"});
        let below = ground.create_under(Some(id), "snapshots", snapshot.clone(), Mode::Do).await;
        let below = below.unwrap().shown.id;
        let kept = ground.delete("instances", id, Children::Keep).await;
        assert!(matches!(kept, Err(Refused::NotEmpty { n: 1, .. })));
        let deleted = ground.delete("instances", id, Children::Cascade).await.unwrap();
        let first = deleted.operation.unwrap().id;
        let row = ground.row("instances", id).await.unwrap();
        assert!(row.status == Status::Deleting && row.deleting_at.is_some());
        assert!(ground.row("snapshots", below).await.unwrap().deleting_at.is_some());
        let again = ground.delete("instances", id, Children::Cascade).await.unwrap();
        assert_eq!((again.effect, again.operation.unwrap().id), (Effect::Deleting, first));
        let late = ground.patch(id, json!({"size": 9}), None).await;
        assert!(matches!(late, Err(Refused::Deleting { .. })));
        let more = ground.create_under(Some(id), "snapshots", json!({"name": "t"}), Mode::Do).await;
        assert!(matches!(more, Err(Refused::Deleting { .. })));
        ground
    })
    .await;
}

#[tokio::test]
async fn what_is_protected_is_not_deleted() {
    on_each(async |ground| {
        let id = ground.volume("a").await;
        ground.patch(id, json!({"deletion_protection": true}), None).await.unwrap();
        let refused = ground.delete("instances", id, Children::Cascade).await;
        assert!(matches!(refused, Err(Refused::Protected(_))));
        ground.patch(id, json!({"deletion_protection": false}), None).await.unwrap();
        ground.delete("instances", id, Children::Cascade).await.unwrap();
        ground
    })
    .await;
}

#[tokio::test]
async fn one_thing_is_done_at_a_time() {
    on_each(async |ground| {
        let id = ground.volume("a").await;
        assert!(matches!(ground.act(id, "grow").await, Err(Refused::Busy(_))), "it is being made");
        let create = ground.last_operation(id).await.id;
        ground.operations.run(create, &[]).await.unwrap().succeed("done", Value::Null).await;
        let retried = ground.act(id, RETRY).await.unwrap();
        assert_eq!(retried.operation.unwrap().kind.word(), "demo.instance.retry");
        assert!(matches!(ground.act(id, "grow").await, Err(Refused::Busy(_))));
        ground
    })
    .await;
}

/// A hundred at once and room for ten.
#[tokio::test]
async fn a_limit_holds_however_many_ask_at_once() {
    on_each(async |ground| {
        let limits = json!({"instances": 10}).to_string();
        let sql = format!(
            "INSERT INTO metapaas_quotas (project_id, type, limits, updated_at) \
             VALUES ('{}', 'demo', '{limits}', '2026-01-01T00:00:00Z')",
            ground.project
        );
        ground.store.connection().execute_unprepared(&sql).await.unwrap();
        let make = |n: u32| ground.create("instances", json!({"name": format!("v{n}"), "size": 1}));
        let all = futures_util::future::join_all((0..100).map(make)).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 10);
        let refused = all.iter().filter_map(|one| one.as_ref().err());
        assert!(refused.into_iter().all(|why| matches!(why, Refused::Quota(_))));
        assert_eq!(ground.count("demo_instances").await, 10);
        ground
    })
    .await;
}

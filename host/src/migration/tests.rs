//! The schema of elements on every database that there is: applied, undone, finalized, filled in, purged.

mod filling;
mod resources;
mod steps;
mod straying;

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::descriptor::{self, Build, Descriptor, Phase, Statements, TypeDescriptor};
use sea_orm::{ConnectionTrait, Statement};

use super::plan::Plan;
use super::*;
use crate::log;
use crate::store::testing::Database;

/// The schemas in one test's own database.
struct Place {
    database: Database,
    store: Store,
    migrations: Migrations,
}

/// One on every database.
async fn places() -> Vec<Place> {
    let mut all = Vec::new();
    for database in Database::each().await {
        all.push(Place::of(database).await);
    }
    all
}

impl Place {
    async fn of(database: Database) -> Self {
        let store = database.open().await.unwrap();
        let config = Config {
            lock_wait_ms: NonZeroU64::new(50).unwrap(),
            lock_attempts: NonZeroU32::new(2).unwrap(),
            backfill_back_off_ms: 1,
            ..Config::default()
        };
        let fences = Fences::new(store.clone(), database.config.clone());
        let migrations = Migrations::new(store.clone(), fences, config);
        Self { database, store, migrations }
    }

    /// A daemon that knows nothing of the one before.
    fn after_a_crash(&self) -> Migrations {
        let fences = Fences::new(self.store.clone(), self.database.config.clone());
        Migrations::new(self.store.clone(), fences, Config::default())
    }

    /// A daemon that still works on this database when another has taken it, and knows nothing of that one's locks.
    fn somebody_else(&self) -> Migrations {
        Migrations { locks: Locks::default(), ..self.migrations.clone() }
    }

    /// Brings a version to serve.
    async fn serve(&self, target: &Arc<Chain>, before: Option<&Chain>) {
        self.migrate(target, before).await.unwrap();
        self.migrations.settle(target.element()).await.unwrap();
    }

    /// Everything before the switch.
    async fn migrate(&self, target: &Arc<Chain>, before: Option<&Chain>) -> Result<Plan, String> {
        let plan = self.plan(target, before).await?;
        self.migrations.run(&plan, &|_line| ()).await.map_err(|error| text(&error))?;
        Ok(plan)
    }

    async fn plan(&self, target: &Arc<Chain>, before: Option<&Chain>) -> Result<Plan, String> {
        self.migrations.plan_chain(target, before).await.map_err(|error| text(&error))
    }

    async fn undo(&self, element: &ElementName) -> Result<usize, String> {
        self.migrations.undo(element, &|_line| ()).await.map_err(|error| text(&error))
    }

    async fn run(&self, sql: &str) {
        self.store.connection().execute_unprepared(sql).await.unwrap();
    }

    /// The first column of every row, in order.
    async fn column(&self, sql: &str) -> Vec<String> {
        let db = self.store.connection();
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let rows = db.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    async fn has(&self, sql: &str) -> bool {
        self.store.connection().execute_unprepared(sql).await.is_ok()
    }

    /// What the ledger says is applied, `?` for what is not settled.
    async fn ledger(&self) -> String {
        let sql = "SELECT name || CASE WHEN settled THEN '' ELSE '?' END FROM plugin_migrations \
            ORDER BY element, position";
        self.column(sql).await.join(" ")
    }

    async fn tables(&self) -> String {
        self.column("SELECT name FROM metapaas_plugin_tables ORDER BY name").await.join(" ")
    }

    async fn end(self) {
        drop(self.migrations);
        self.store.close().await;
        self.database.end().await;
    }
}

fn text(error: &Error) -> String {
    log::chain(error).to_string()
}

/// A migration that is the same on both databases.
#[derive(Clone)]
struct Step {
    inner: descriptor::Migration,
}

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn statements(all: &[&str]) -> Statements {
    let all: Vec<_> = all.iter().map(|sql| (*sql).to_owned()).collect();
    Statements { sqlite: all.clone(), postgres: all }
}

fn expand(number: u32, name: &str, up: &[&str], down: &[&str]) -> Step {
    let inner = descriptor::Migration {
        id: id(number),
        name: name.to_owned(),
        depends_on: Vec::new(),
        phase: Phase::Expand,
        up: statements(up),
        down: Some(statements(down)),
        backfill: None,
    };
    Step { inner }
}

fn contract(number: u32, name: &str, up: &[&str]) -> Step {
    let mut step = expand(number, name, up, &[]);
    step.inner.phase = Phase::Contract;
    step.inner.down = None;
    step
}

impl Step {
    fn after(mut self, numbers: &[u32]) -> Self {
        self.inner.depends_on = numbers.iter().map(|number| id(*number)).collect();
        self
    }

    fn backfill(mut self, hook: &str) -> Self {
        self.inner.backfill = Some(hook.to_owned());
        self
    }
}

fn descriptor(element: &str, slug: &str, version: &str, steps: &[Step]) -> Descriptor {
    Descriptor {
        schema_version: 1,
        element: element.to_owned(),
        version: version.to_owned(),
        build: Build::own(),
        types: vec![TypeDescriptor::new(slug)],
        routes: Vec::new(),
        mounts: Vec::new(),
        listeners: Vec::new(),
        migrations: steps.iter().map(|step| step.inner.clone()).collect(),
        settings_schema: serde_json::json!({}),
    }
}

/// The chain of a version of element `demo-app` with type `demo`.
fn chain(place: &Place, version: &str, steps: &[Step]) -> Arc<Chain> {
    let descriptor = descriptor("demo-app", "demo", version, steps);
    Arc::new(Chain::of(&descriptor, place.store.backend()).unwrap())
}

fn demo() -> ElementName {
    "demo-app".parse().unwrap()
}

/// The step that everything else stands on.
fn notes() -> Step {
    expand(
        1,
        "notes",
        &["CREATE TABLE demo_notes (id int PRIMARY KEY, name text)"],
        &["DROP TABLE demo_notes"],
    )
}

fn title() -> Step {
    let up = "ALTER TABLE demo_notes ADD COLUMN title text";
    expand(2, "title", &[up], &["ALTER TABLE demo_notes DROP COLUMN title"]).after(&[1])
}

fn no_name() -> Step {
    contract(3, "no name", &["ALTER TABLE demo_notes DROP COLUMN name"]).after(&[2])
}

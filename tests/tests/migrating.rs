//! The element `migrates`, whose three versions each change its table, and what the database itself says of that.

use metapaas_tests::client::Reply;
use metapaas_tests::daemon::{Daemon, Options, Wanted};
use metapaas_tests::database::{Database, Look};
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};

pub(crate) const ELEMENT: &str = "migrates";
pub(crate) const ROOT: &str = "/v1/types/migrates";
/// Of these the second to last is not well.
pub(crate) const VERSIONS: [&str; 4] = ["0.1.0", "0.2.0", "0.2.1", "0.3.0"];
const PACKAGES: [&str; 4] = ["migrates", "migrates-next", "migrates-unwell", "migrates-last"];
const ROWS: &str = "migrates_rows";

/// What the database says of the element: asked past the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema {
    /// The names of the steps that the ledger has, in the order in which they were applied.
    pub(crate) ledger: Vec<String>,
    /// Those of them that no rollout has settled.
    pub(crate) unsettled: Vec<String>,
    /// The tables that the fence lets the element touch.
    pub(crate) granted: Vec<String>,
    /// Those that there are.
    pub(crate) tables: Vec<String>,
    /// The columns of the table of rows.
    pub(crate) columns: Vec<String>,
}

impl Schema {
    /// Asks the database.
    pub(crate) async fn of(look: &mut Look) -> Self {
        let ledger = |which: &str| {
            format!(
                "SELECT name FROM plugin_migrations WHERE element = '{ELEMENT}' AND {which} ORDER BY position"
            )
        };
        let granted = format!(
            "SELECT name FROM metapaas_plugin_tables WHERE element = '{ELEMENT}' ORDER BY name"
        );
        let tables = look.tables().await.into_iter();
        Self {
            ledger: look.texts(&ledger("1 = 1")).await,
            unsettled: look.texts(&ledger("NOT settled")).await,
            granted: look.texts(&granted).await,
            tables: tables.filter(|table| table.starts_with("migrates_")).collect(),
            columns: look.columns(ROWS).await,
        }
    }

    /// Panics unless the tables are what the ledger says, no more and no less.
    #[track_caller]
    pub(crate) fn assert_consistent(&self) {
        let mut columns = Vec::new();
        for step in &self.ledger {
            match step.as_str() {
                "rows and instances" => columns.extend(["id", "name"].map(str::to_owned)),
                "titles of rows" => columns.push("title".to_owned()),
                "rows without names" => columns.retain(|column| column != "name"),
                made_up => columns.push(made_up.replace(' ', "_")),
            }
        }
        let tables = if columns.is_empty() { vec![] } else { vec!["migrates_instances", ROWS] };
        assert_eq!(self.columns, columns, "the columns are what the ledger says: {self:#?}");
        assert_eq!(self.tables, tables, "the tables are what the ledger says: {self:#?}");
        assert_eq!(self.granted, tables, "the fence is where the ledger says: {self:#?}");
    }

    /// Panics unless these steps are applied and settled, and the tables are what they say.
    #[track_caller]
    pub(crate) fn assert_is(&self, ledger: &[&str]) {
        assert_eq!(self.ledger, ledger, "{self:#?}");
        assert_eq!(self.unsettled, [""; 0], "{self:#?}");
        self.assert_consistent();
    }
}

/// The ids of all rows, as the database has them.
pub(crate) async fn row_ids(look: &mut Look) -> Vec<String> {
    look.texts("SELECT id FROM migrates_rows").await
}

/// A daemon on this database that has the bundles of all versions.
pub(crate) async fn daemon(database: Database) -> Daemon {
    let daemon = Daemon::start_with(Options::on(database)).await;
    plugins().iter().for_each(|plugin| daemon.offer(plugin));
    daemon
}

/// All versions.
pub(crate) fn plugins() -> [Plugin; 4] {
    PACKAGES.map(|package| Plugin::built(Workspace::Fixtures, package))
}

/// Wants this version, and waits for the end of that.
pub(crate) async fn put(daemon: &Daemon, version: &str) -> Reply {
    daemon.put(&Wanted::new(ELEMENT, version)).await
}

/// This version serves, and the element says so.
pub(crate) async fn assert_serves(daemon: &Daemon, version: &str) {
    let health = daemon.health(ELEMENT).await;
    assert_eq!((&health["status"], &health["version"]), (&json!("ok"), &json!(version)));
    let element = daemon.element(ELEMENT).await;
    assert_eq!(element["serving_version"], version, "{element}");
}

/// Makes this version serve.
pub(crate) async fn install(daemon: &Daemon, version: &str) -> Value {
    let document: Value = put(daemon, version).await.expect(200).json();
    assert_eq!(document["status"], "ACTIVE", "{document}");
    assert_serves(daemon, version).await;
    document
}

/// What the database says of the element.
pub(crate) async fn schema(daemon: &Daemon) -> Schema {
    Schema::of(&mut daemon.look().await).await
}

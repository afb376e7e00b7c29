//! The schema of a plugin's tables: steps that the host plans, shows, runs and takes back.
//!
//! ```
//! # use plugin_sdk::prelude::*;
//! # struct Demo;
//! # #[plugin(element = "demo", types = ["demo"])]
//! # impl Plugin for Demo {
//! #     async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> { Ok(Demo) }
//! #     fn router() -> Router<Self> { Router::new() }
//! fn migrations() -> Vec<Migration<Self>> {
//!     vec![
//!         Migration::expand("01890a5d-ac96-774b-bcce-b302099a8057", "instances")
//!             .up("CREATE TABLE demo_instances (id uuid PRIMARY KEY, name text NOT NULL UNIQUE)")
//!             .down("DROP TABLE demo_instances"),
//!         Migration::expand("01890a5d-ac96-774b-bcce-b302099a8058", "sizes of instances")
//!             .depends_on("01890a5d-ac96-774b-bcce-b302099a8057")
//!             .up("ALTER TABLE demo_instances ADD COLUMN size bigint")
//!             .down("ALTER TABLE demo_instances DROP COLUMN size")
//!             .backfill("sizes", fill_in_sizes),
//!     ]
//! }
//! # }
//! async fn fill_in_sizes(db: Database, cursor: Cursor) -> Result<Progress, DbError> {
//!     let rows = db
//!         .query(
//!             "UPDATE demo_instances SET size = 0 WHERE id IN
//!              (SELECT id FROM demo_instances WHERE size IS NULL LIMIT 500) RETURNING id",
//!             (),
//!         )
//!         .await?;
//!     Ok(if rows.is_empty() { Progress::done() } else { Progress::more(cursor.or_start()) }.rows(rows.len() as u64))
//! }
//! ```
//!
//! Migrations are data: they stand in the descriptor and in the bundle, and the host runs them without
//! running the plugin. A step that has been applied anywhere never changes again; what it got wrong, a
//! further step puts right.
//!
//! An **expand** step runs before the switch, while the previous version still serves, so it must suit both:
//! make a table or an index, add a column that may be empty or has a default. It has a way back, because a
//! rollout that fails is undone. A **contract** step takes away what only the previous version needed; it
//! runs when there is no way back any more. A **backfill** fills in rows of the plugin's own, in small
//! parts, while the plugin serves.
//!
//! Tables are named after a type of the plugin, then `_` and more: `demo_instances`. What can be checked
//! without a database is checked when the plugin is packed: ids, dependencies, ways back. What the SQL may
//! do, the host checks, and the database enforces.
//!
//! # Declared resources
//!
//! The fields of [declared resources](crate::resource) need columns in tables that the host has made, and indexes where
//! they are unique or looked up. What the steps do not give yet is told and written by the command line, in the folder of
//! the plugin:
//!
//! ```text
//! metapaas plugin migration check           # exit code 0: nothing is missing, 2: something, 1: it cannot be told
//! metapaas plugin migration new "sizes"     # writes src/migrations/m0001_sizes.rs, and the list src/migrations.rs
//! ```
//!
//! Each step is a file with a fresh id, to be read and changed until it is released. The list is
//! `migrations::all()`, for [`Plugin::migrations`](crate::Plugin::migrations) to give. A unique index over a column that
//! has values already may refuse rows, so it is written as a contract step. Another type, a column that goes or gets a
//! new name: that takes a decision, and is for the author to write. A bundle is packed only when nothing is missing.

pub(crate) mod chain;
#[cfg(feature = "sea-query")]
mod render;
mod sql;

use std::fmt;

use plugin_abi::descriptor::{Migration as Step, Phase};
use serde::{Deserialize, Serialize};

#[cfg(feature = "sea-query")]
pub use self::render::Render;
pub use self::sql::Sql;
use crate::extract::Json;
use crate::handler::{Endpoint, Handler, endpoint};
use crate::problem::Problem;
use crate::request::{FromRequest, Request};
use crate::response::{IntoResponse, Response};

/// One step of the schema of plugin `P`'s tables.
pub struct Migration<P> {
    id: String,
    name: String,
    depends_on: Vec<String>,
    phase: Phase,
    up: Sql,
    down: Option<Sql>,
    backfill: Option<Backfill<P>>,
}

struct Backfill<P> {
    name: String,
    endpoint: Endpoint<P>,
}

impl<P> Migration<P> {
    /// A step that suits the previous version too; it must get a `down`.
    ///
    /// `id` is a UUID that is fixed for ever (lower case, hyphenated); `name` a few words for people.
    #[must_use]
    pub fn expand(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(id.into(), name.into(), Phase::Expand)
    }

    /// A step that the previous version does not survive; a `down` is not needed.
    #[must_use]
    pub fn contract(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(id.into(), name.into(), Phase::Contract)
    }

    fn new(id: String, name: String, phase: Phase) -> Self {
        let (depends_on, up) = (Vec::new(), Sql::new());
        Self { id, name, depends_on, phase, up, down: None, backfill: None }
    }

    /// Says that the step of this id comes before; called again, another one too.
    #[must_use]
    pub fn depends_on(mut self, id: impl Into<String>) -> Self {
        self.depends_on.push(id.into());
        self
    }

    /// What it does: text for both databases, or an [`Sql`]; called again, more of it.
    #[must_use]
    pub fn up(mut self, sql: impl Into<Sql>) -> Self {
        self.up = self.up.then(sql.into());
        self
    }

    /// What takes it back; called again, more of it.
    #[must_use]
    pub fn down(mut self, sql: impl Into<Sql>) -> Self {
        self.down = Some(self.down.unwrap_or_default().then(sql.into()));
        self
    }

    /// As [`Migration::up`], with statements of sea-query, written for each database.
    #[cfg(feature = "sea-query")]
    #[must_use]
    pub fn up_with<S: Render>(self, statements: impl Fn(crate::db::Backend) -> S) -> Self {
        self.up(Sql::with(statements))
    }

    /// As [`Migration::down`], with statements of sea-query, written for each database.
    #[cfg(feature = "sea-query")]
    #[must_use]
    pub fn down_with<S: Render>(self, statements: impl Fn(crate::db::Backend) -> S) -> Self {
        self.down(Sql::with(statements))
    }

    /// Fills in rows after the step: an `async fn` that takes a [`Cursor`] last and gives a [`Progress`].
    ///
    /// The host calls it again and again until it says that it is done, each time with the cursor that it
    /// gave, and keeps the cursor over restarts. So it does a part that takes well under a second, and doing
    /// a part twice does no harm. `name` is unique in the plugin.
    #[must_use]
    pub fn backfill<Args: 'static>(
        mut self,
        name: impl Into<String>,
        handler: impl Handler<P, Args>,
    ) -> Self
    where
        P: 'static,
    {
        self.backfill = Some(Backfill { name: name.into(), endpoint: endpoint(handler) });
        self
    }
}

impl<P> fmt::Debug for Migration<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.id)
    }
}

/// Where a backfill goes on: what it gave as a [`Progress`] the last time, nothing at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Cursor {
    cursor: Option<String>,
}

impl Cursor {
    /// Where to go on; `None` at the beginning.
    #[must_use]
    pub fn as_deref(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Where to go on; empty text at the beginning, which sorts before everything.
    #[must_use]
    pub fn or_start(self) -> String {
        self.cursor.unwrap_or_default()
    }
}

impl<P: Send + Sync> FromRequest<P> for Cursor {
    async fn from_request(request: Request<P>) -> Result<Self, Problem> {
        Json::from_request(request).await.map(|Json(cursor)| cursor)
    }
}

/// How far a backfill has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    cursor: Option<String>,
    done: bool,
    rows: u64,
}

impl Progress {
    /// There is more to do, from here on.
    #[must_use]
    pub fn more(cursor: impl Into<String>) -> Self {
        Self { cursor: Some(cursor.into()), done: false, rows: 0 }
    }

    /// Nothing is left to do.
    #[must_use]
    pub fn done() -> Self {
        Self { cursor: None, done: true, rows: 0 }
    }

    /// How many rows this part filled in, for whoever watches.
    #[must_use]
    pub fn rows(mut self, n_rows: u64) -> Self {
        self.rows = n_rows;
        self
    }
}

impl IntoResponse for Progress {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<P> Migration<P> {
    /// The step as the descriptor has it, the hook that belongs to it, and what went wrong writing its SQL.
    fn into_parts(self) -> (Step, Option<Backfill<P>>, Vec<String>) {
        let Self { id, name, depends_on, phase, up, down, backfill } = self;
        let (up, mut faults) = up.into_statements("up");
        let down = down.map(|down| {
            let (down, more) = down.into_statements("down");
            faults.extend(more);
            down
        });
        let hook = backfill.as_ref().map(|backfill| backfill.name.clone());
        (Step { id, name, depends_on, phase, up, down, backfill: hook }, backfill, faults)
    }
}

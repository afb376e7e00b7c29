//! `metapaas_events`: what happened to something. Written by `event`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_events")]
pub(crate) struct Model {
    /// Given by the database when it was written; on SQLite the order of commits, too.
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    /// On PostgreSQL its place in the order of commits, given after that.
    pub(crate) seq: Option<i64>,
    /// When it was written.
    pub(crate) at: TimeDateTimeWithTimeZone,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub(crate) change: String,
    /// `s3.instance.created`, …
    pub(crate) kind: String,
    /// The type, or `core`.
    pub(crate) slug: String,
    /// The collection.
    pub(crate) collection: String,
    /// Which of it.
    pub(crate) object_id: String,
    /// What it hangs under.
    pub(crate) parent_id: Option<String>,
    /// The resource at the top.
    pub(crate) instance_id: Option<String>,
    /// The project.
    pub(crate) project_id: Option<String>,
    /// What it takes to see it.
    pub(crate) permission: String,
    /// Its name.
    pub(crate) name: String,
    /// Counts the changes of the thing.
    pub(crate) revision: i64,
    /// Who changed it.
    pub(crate) actor: String,
    /// By which request.
    pub(crate) request_id: Option<String>,
    /// What that request was a part of.
    pub(crate) traceparent: Option<String>,
    /// It after the change, as JSON text.
    pub(crate) document: String,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

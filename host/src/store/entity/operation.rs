//! `metapaas_operations`: anything that takes time. Written by `operation`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_operations")]
pub(crate) struct Model {
    /// A UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    /// `element.install`, `s3.instance.create`, …
    pub(crate) kind: String,
    /// `element`, or the slug of a type.
    pub(crate) target_type: String,
    /// The name of what it is about.
    pub(crate) target_name: String,
    /// The id of a resource.
    pub(crate) target_id: Option<String>,
    /// The id of the resource at the top that it hangs under.
    pub(crate) instance_id: Option<String>,
    /// The project of a resource.
    pub(crate) project_id: Option<String>,
    /// `PENDING`, `RUNNING`, `SUCCEEDED`, …
    pub(crate) state: String,
    /// How far it is.
    pub(crate) percent: i64,
    /// What it does now, or came to, in a sentence.
    pub(crate) description: String,
    /// From what to what.
    pub(crate) details: Json,
    /// Its steps with their times.
    pub(crate) steps: Json,
    /// Why it failed.
    pub(crate) error: Option<Json>,
    /// What it came to.
    pub(crate) result: Option<Json>,
    /// Who asked.
    pub(crate) requested_by: String,
    /// By which request.
    pub(crate) request_id: Option<String>,
    /// What that request is a part of.
    pub(crate) traceparent: Option<String>,
    /// Counts how often it was written.
    pub(crate) revision: i64,
    /// When it was asked for.
    pub(crate) created_at: TimeDateTimeWithTimeZone,
    /// When it began.
    pub(crate) started_at: Option<TimeDateTimeWithTimeZone>,
    /// When it ended.
    pub(crate) finished_at: Option<TimeDateTimeWithTimeZone>,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

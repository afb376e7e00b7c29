//! `plugin_migrations`: a migration of a plugin that is applied. Written by `migration`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_migrations")]
pub(crate) struct Model {
    /// Its UUID.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    /// Whose.
    pub(crate) element: String,
    /// Its name.
    pub(crate) name: String,
    /// Of what was applied.
    pub(crate) checksum: String,
    /// `expand` or `contract`.
    pub(crate) phase: String,
    /// The version that brought it.
    pub(crate) version: String,
    /// When.
    pub(crate) applied_at: TimeDateTimeWithTimeZone,
    /// How long it took.
    pub(crate) duration_ms: i64,
    /// The how-manieth of its element; undone in reverse.
    pub(crate) position: i64,
    /// Whether the rollout that brought it came to serve; what is not settled is undone.
    pub(crate) settled: bool,
    /// The statements that undo it, as they were when it was applied.
    pub(crate) down: Option<Json>,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

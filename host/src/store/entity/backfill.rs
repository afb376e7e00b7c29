//! `metapaas_backfills`: how far a backfill is. Written by `migration`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_backfills")]
pub(crate) struct Model {
    /// The migration that asks for it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) migration_id: String,
    /// Whose.
    pub(crate) element: String,
    /// Where it goes on, in the words of the plugin.
    pub(crate) cursor: Option<String>,
    /// Whether the rows that were there are filled in.
    pub(crate) done: bool,
    /// Whether those that the code before wrote meanwhile are, too.
    pub(crate) swept: bool,
    /// When it moved last.
    pub(crate) updated_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

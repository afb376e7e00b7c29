//! `metapaas_plugin_tables`: a table of a plugin: what the fence lets it touch. Written by `migration`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_plugin_tables")]
pub(crate) struct Model {
    /// The table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    /// Whose.
    pub(crate) element: String,
    /// Whether it holds declared resources: the host's rows, of which a plugin changes its own columns only.
    pub(crate) resource: bool,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! `metapaas_elements`: what is wanted of an element, and what to return to. Written by `rollout`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_elements")]
pub(crate) struct Model {
    /// Its name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    /// The wanted version, for people who look into the table.
    pub(crate) version: String,
    /// All that is wanted, secrets by reference.
    pub(crate) wanted: Json,
    /// What served last without a fault.
    pub(crate) stable: Option<Json>,
    /// What served before that, which a rollback returns to.
    pub(crate) previous: Option<Json>,
    /// Who says what is wanted: `api`, `bundles`, or `manifest:` and a file in the directory of elements.
    pub(crate) managed_by: String,
    /// Set while it is being uninstalled: what becomes of its data.
    pub(crate) removal: Option<String>,
    /// Grows with every change of what is wanted.
    pub(crate) revision: i64,
    /// When it was first wanted.
    pub(crate) created_at: TimeDateTimeWithTimeZone,
    /// When what is wanted changed last.
    pub(crate) updated_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

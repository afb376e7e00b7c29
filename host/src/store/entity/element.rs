//! `metapaas_elements`: what is wanted of an element, and what to return to. Written by `rollout`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_elements")]
pub(crate) struct Model {
    /// Its name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    /// The wanted version.
    pub(crate) version: String,
    /// Which lane.
    pub(crate) isolation: String,
    /// The wanted settings, secrets by reference.
    pub(crate) settings: Json,
    /// The granted mounts.
    pub(crate) mounts: Json,
    /// The granted listeners with their addresses.
    pub(crate) listeners: Json,
    /// Who says what is wanted: `api`, or the file in the directory of wanted elements.
    pub(crate) managed_by: String,
    /// The last version that served without a fault.
    pub(crate) stable_version: Option<String>,
    /// The version that served before, which a rollback returns to.
    pub(crate) previous_version: Option<String>,
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

//! `metapaas_dismissals`: an element that was uninstalled though its bundle lies in the directory of elements.
//! Written by `rollout`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_dismissals")]
pub(crate) struct Model {
    /// Which element.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) element: String,
    /// When: a bundle that came later is wanted again.
    pub(crate) dismissed_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

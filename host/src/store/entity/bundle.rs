//! `metapaas_bundles`: a bundle that was verified and unpacked into the local store. Written by `rollout`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_bundles")]
pub(crate) struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) element: String,
    /// Which version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) version: String,
    /// What it resolved to.
    pub(crate) digest: String,
    /// When.
    pub(crate) verified_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! `metapaas_types`: what was served last of a type that declares resources. Written by `rollout`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_types")]
pub(crate) struct Model {
    /// Its slug.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) slug: String,
    /// The element that serves it.
    pub(crate) element: String,
    /// The version of that element.
    pub(crate) version: String,
    /// What it declares, as in the descriptor.
    pub(crate) declared: Json,
    /// When it came to serve.
    pub(crate) served_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! `metapaas_quotas`: how much of a type a project may have. Written by `identity`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_quotas")]
pub(crate) struct Model {
    /// Which project.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) project_id: String,
    /// Which type.
    #[sea_orm(primary_key, auto_increment = false, column_name = "type")]
    pub(crate) slug: String,
    /// The limits by name.
    pub(crate) limits: Json,
    /// When they changed last.
    pub(crate) updated_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

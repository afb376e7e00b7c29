//! `metapaas_service_accounts`: a program that calls. Written by `identity`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_service_accounts")]
pub(crate) struct Model {
    /// A UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    /// The project whose owners look after it; nothing: the platform's.
    pub(crate) project_id: Option<String>,
    /// Its name, a DNS label that nothing else of this kind has.
    pub(crate) name: String,
    /// What it is for, in the words of whoever made it.
    pub(crate) description: String,
    /// `ACTIVE` or `DISABLED`.
    pub(crate) status: String,
    /// When it was made.
    pub(crate) created_at: TimeDateTimeWithTimeZone,
    /// When it changed last.
    pub(crate) updated_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

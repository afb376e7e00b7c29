//! `metapaas_role_bindings`: a principal has a role somewhere. Written by `identity`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_role_bindings")]
pub(crate) struct Model {
    /// A UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    /// `user` or `service-account`.
    pub(crate) principal_kind: String,
    /// Whose id.
    pub(crate) principal_id: String,
    /// The name of a built-in role, or the id of another.
    pub(crate) role: String,
    /// Where: `platform`, `organization/<id>`, `project/<id>`, `project/<id>/<type>` or `project/<id>/<type>/<instance>`.
    pub(crate) scope: String,
    /// Who bound it.
    pub(crate) created_by: String,
    /// When.
    pub(crate) created_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

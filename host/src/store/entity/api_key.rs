//! `metapaas_api_keys`: a key by which a principal calls. Written by `identity`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_api_keys")]
pub(crate) struct Model {
    /// A UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    /// The part of the key that may be shown.
    pub(crate) key_id: String,
    /// What it is for.
    pub(crate) name: String,
    /// `user` or `service-account`.
    pub(crate) principal_kind: String,
    /// Whose id.
    pub(crate) principal_id: String,
    /// The keyed hash of the whole key.
    pub(crate) hash: String,
    /// Patterns of permissions that it is good for; nothing: all that its owner may.
    pub(crate) scopes: Option<Json>,
    /// The one project that it is good for.
    pub(crate) project_id: Option<String>,
    /// Where it may be used from; empty: everywhere.
    pub(crate) cidrs: Json,
    /// Who made it.
    pub(crate) created_by: String,
    /// When.
    pub(crate) created_at: TimeDateTimeWithTimeZone,
    /// When it ends by itself.
    pub(crate) expires_at: Option<TimeDateTimeWithTimeZone>,
    /// When it was taken back.
    pub(crate) revoked_at: Option<TimeDateTimeWithTimeZone>,
    /// The key that replaces it.
    pub(crate) rotated_to: Option<String>,
    /// When it was used last, give or take a period.
    pub(crate) last_used_at: Option<TimeDateTimeWithTimeZone>,
    /// From where.
    pub(crate) last_used_ip: Option<String>,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

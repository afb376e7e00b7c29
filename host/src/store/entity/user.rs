//! `metapaas_users`: a user of the daemon's own. Written by `identity`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_users")]
pub(crate) struct Model {
    /// A UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    /// Its name, a DNS label that nothing else of this kind has.
    pub(crate) name: String,
    /// What it is for, in the words of whoever made it.
    pub(crate) description: String,
    /// `ACTIVE` or `DISABLED`.
    pub(crate) status: String,
    /// The argon2id hash of the password, if there is one.
    pub(crate) password: Option<String>,
    /// When it was set; a token from before does not count any more.
    pub(crate) password_changed_at: Option<TimeDateTimeWithTimeZone>,
    /// When it was made.
    pub(crate) created_at: TimeDateTimeWithTimeZone,
    /// When it changed last.
    pub(crate) updated_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

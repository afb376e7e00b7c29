//! `metapaas_idempotency`: the answers that retries are given. Written by `idempotency`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_idempotency")]
pub(crate) struct Model {
    /// The digest of principal, method, path and key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    /// The digest of what the attempt said.
    pub(crate) content: String,
    /// The status of the answer.
    pub(crate) status: i32,
    /// Its headers, in pairs.
    pub(crate) headers: Json,
    /// Its body, without what is shown once.
    pub(crate) body: String,
    /// What is shown once, sealed.
    pub(crate) sealed: Option<String>,
    /// When it was given.
    pub(crate) created_at: TimeDateTimeWithTimeZone,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! `metapaas_identity_revisions`: how often the tables of `identity` changed. Written by `identity`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_identity_revisions")]
pub(crate) struct Model {
    /// Always the same: there is one row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    /// Grows with every change; whoever changes anything holds it meanwhile.
    pub(crate) revision: i64,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

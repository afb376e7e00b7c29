//! `metapaas_operation_logs`: a line that an operation said. Written by `operation`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metapaas_operation_logs")]
pub(crate) struct Model {
    /// Which operation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) operation_id: String,
    /// The how-manieth.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) seq: i64,
    /// When.
    pub(crate) at: TimeDateTimeWithTimeZone,
    /// `info`, `warn`, `error`.
    pub(crate) level: String,
    /// The line.
    pub(crate) message: String,
}

/// It stands alone.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

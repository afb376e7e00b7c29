//! Declared resources: which tables hold them, and what was served last of each type.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` compares them with those of the trait, as written there"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, json, string, timestamp_with_time_zone};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step;

const TABLES: &str = "metapaas_plugin_tables";
const TYPES: &str = "metapaas_types";

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0005_resources"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let resource = boolean("resource").default(false).take();
        manager.alter_table(Table::alter().table(TABLES).add_column(resource).to_owned()).await?;
        manager.create_table(types()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TYPES).to_owned()).await?;
        manager.alter_table(Table::alter().table(TABLES).drop_column("resource").to_owned()).await
    }
}

fn types() -> TableCreateStatement {
    Table::create()
        .table(TYPES)
        .col(string("slug").primary_key())
        .col(string("element"))
        .col(string("version"))
        .col(json("declared"))
        .col(timestamp_with_time_zone("served_at"))
        .to_owned()
}

//! The answers that retries are given.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` compares them with those of the trait, as written there"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, json, string, text, text_null, timestamp_with_time_zone};

const TABLE: &str = "metapaas_idempotency";
const BY_AGE: &str = "metapaas_idempotency_by_age";

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0006_idempotency"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(TABLE)
            .col(string("id").primary_key())
            .col(string("content"))
            .col(integer("status"))
            .col(json("headers"))
            .col(text("body"))
            .col(text_null("sealed"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(table).await?;
        let by_age = Index::create().name(BY_AGE).table(TABLE).col("created_at").to_owned();
        manager.create_index(by_age).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}

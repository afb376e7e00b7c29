//! What operations of resources are about, and the trace that a request was a part of.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` compares them with those of the trait, as written there"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_null;

const TABLE: &str = "metapaas_operations";

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0002_targets_of_operations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One at a time: SQLite takes no more.
        for column in ["target_id", "instance_id", "project_id", "traceparent"] {
            let added = Table::alter().table(TABLE).add_column(string_null(column)).to_owned();
            manager.alter_table(added).await?;
        }
        for column in ["target_id", "project_id"] {
            manager.create_index(newest_by(column)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["target_id", "project_id"] {
            manager.drop_index(Index::drop().name(name_of(column)).table(TABLE).to_owned()).await?;
        }
        for column in ["traceparent", "project_id", "instance_id", "target_id"] {
            let dropped = Table::alter().table(TABLE).drop_column(column).to_owned();
            manager.alter_table(dropped).await?;
        }
        Ok(())
    }
}

/// Ids are in the order of `created_at`.
fn newest_by(column: &'static str) -> IndexCreateStatement {
    Index::create().name(name_of(column)).table(TABLE).col(column).col("id").to_owned()
}

fn name_of(column: &str) -> String {
    format!("{TABLE}_by_{column}")
}

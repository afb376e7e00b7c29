//! The first schema: elements, dismissals, operations with their logs, and the plugins' ledger.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` compares them with those of the trait, as written there"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, json, json_null, string, string_null, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null,
};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0001_elements_and_operations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            elements(),
            dismissals(),
            operations(),
            operation_logs(),
            ledger(),
            plugin_tables(),
            backfills(),
        ] {
            manager.create_table(table).await?;
        }
        for index in [operations_by_target(), operations_by_state()] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "metapaas_backfills",
            "metapaas_plugin_tables",
            "plugin_migrations",
            "metapaas_operation_logs",
            "metapaas_operations",
            "metapaas_dismissals",
            "metapaas_elements",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn elements() -> TableCreateStatement {
    Table::create()
        .table("metapaas_elements")
        .col(string("name").primary_key())
        .col(string("version"))
        .col(json("wanted"))
        .col(json_null("stable"))
        .col(json_null("previous"))
        .col(string("managed_by"))
        .col(string_null("removal"))
        .col(big_integer("revision"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn dismissals() -> TableCreateStatement {
    Table::create()
        .table("metapaas_dismissals")
        .col(string("element").primary_key())
        .col(timestamp_with_time_zone("dismissed_at"))
        .to_owned()
}

fn operations() -> TableCreateStatement {
    Table::create()
        .table("metapaas_operations")
        .col(string("id").primary_key())
        .col(string("kind"))
        .col(string("target_type"))
        .col(string("target_name"))
        .col(string("state"))
        .col(big_integer("percent"))
        .col(text("description"))
        .col(json("details"))
        .col(json("steps"))
        .col(json_null("error"))
        .col(json_null("result"))
        .col(string("requested_by"))
        .col(string_null("request_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .to_owned()
}

/// Ids are in the order of `created_at`: the newest of a target is one step away.
fn operations_by_target() -> IndexCreateStatement {
    Index::create()
        .name("metapaas_operations_by_target")
        .table("metapaas_operations")
        .col("target_type")
        .col("target_name")
        .col("id")
        .to_owned()
}

fn operations_by_state() -> IndexCreateStatement {
    Index::create()
        .name("metapaas_operations_by_state")
        .table("metapaas_operations")
        .col("state")
        .to_owned()
}

fn operation_logs() -> TableCreateStatement {
    Table::create()
        .table("metapaas_operation_logs")
        .col(string("operation_id"))
        .col(big_integer("seq"))
        .col(timestamp_with_time_zone("at"))
        .col(string("level"))
        .col(text("message"))
        .primary_key(Index::create().col("operation_id").col("seq"))
        .to_owned()
}

fn ledger() -> TableCreateStatement {
    Table::create()
        .table("plugin_migrations")
        .col(string("id").primary_key())
        .col(string("element"))
        .col(string("name"))
        .col(string("checksum"))
        .col(string("phase"))
        .col(string("version"))
        .col(timestamp_with_time_zone("applied_at"))
        .col(big_integer("duration_ms"))
        .col(big_integer("position"))
        .col(boolean("settled"))
        .col(json_null("down"))
        .to_owned()
}

fn plugin_tables() -> TableCreateStatement {
    Table::create()
        .table("metapaas_plugin_tables")
        .col(string("name").primary_key())
        .col(string("element"))
        .to_owned()
}

fn backfills() -> TableCreateStatement {
    Table::create()
        .table("metapaas_backfills")
        .col(string("migration_id").primary_key())
        .col(string("element"))
        .col(string_null("cursor"))
        .col(boolean("done"))
        .col(boolean("swept"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

//! What happened, in the order in which it was committed; and how often an operation was written.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` compares them with those of the trait, as written there"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, string, string_null, text, timestamp_with_time_zone,
};
use sea_orm_migration::sea_orm::DbBackend;

const EVENTS: &str = "metapaas_events";
const OPERATIONS: &str = "metapaas_operations";

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0004_events"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(events(backend)).await?;
        manager.create_index(index("object", &["object_id", "id"])).await?;
        if backend == DbBackend::Postgres {
            manager.create_index(index("seq", &["seq"]).unique().to_owned()).await?;
        }
        let revision = big_integer("revision").default(0).to_owned();
        let counted = Table::alter().table(OPERATIONS).add_column(revision).to_owned();
        manager.alter_table(counted).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let uncounted = Table::alter().table(OPERATIONS).drop_column("revision").to_owned();
        manager.alter_table(uncounted).await?;
        manager.drop_table(Table::drop().table(EVENTS).to_owned()).await
    }
}

fn events(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table(EVENTS)
        .col(id(backend))
        .col(big_integer_null("seq"))
        .col(timestamp_with_time_zone("at"))
        .col(string("change"))
        .col(string("kind"))
        .col(string("slug"))
        .col(string("collection"))
        .col(string("object_id"))
        .col(string_null("parent_id"))
        .col(string_null("instance_id"))
        .col(string_null("project_id"))
        .col(string("permission"))
        .col(string("name"))
        .col(big_integer("revision"))
        .col(string("actor"))
        .col(string_null("request_id"))
        .col(string_null("traceparent"))
        .col(text("document"))
        .to_owned()
}

/// A number that the database gives. SQLite's own costs nothing and grows as long as the last row stays.
fn id(backend: DbBackend) -> ColumnDef {
    let mut id = ColumnDef::new("id");
    match backend {
        DbBackend::Sqlite => id.integer(),
        DbBackend::Postgres | DbBackend::MySql | _ => id.big_integer().auto_increment(),
    };
    id.not_null().primary_key().take()
}

fn index(of: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{EVENTS}_by_{of}")).table(EVENTS);
    for column in columns {
        index.col(*column);
    }
    index
}

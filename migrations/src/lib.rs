//! The schema of the daemon's own store, and how it came to be.
//!
//! Each step is a migration of its own that is never changed once it was released; a new one is appended to
//! [`Migrator`]. Steps are written once with sea-query and run on SQLite and PostgreSQL. Tables of the host are
//! called `metapaas_*`; the ledger of the plugins' migrations is `plugin_migrations`. What the rows mean is
//! said by the entities in the host; the tables of plugins are none of this crate's business.

use sea_orm_migration::prelude::*;

mod m0001_elements_and_operations;
mod m0002_targets_of_operations;
mod m0003_identity;
mod m0004_events;
mod m0005_resources;
mod m0006_idempotency;

/// Every step, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_elements_and_operations::Step),
            Box::new(m0002_targets_of_operations::Step),
            Box::new(m0003_identity::Step),
            Box::new(m0004_events::Step),
            Box::new(m0005_resources::Step),
            Box::new(m0006_idempotency::Step),
        ]
    }

    fn migration_table_name() -> DynIden {
        "metapaas_migrations".into_iden()
    }
}

//! Who may do what: organizations, projects, principals, roles, bindings, keys, and the limits of projects.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` compares them with those of the trait, as written there"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, json, json_null, string, string_null, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null,
};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0003_identity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            revisions(),
            organizations(),
            projects(),
            users(),
            service_accounts(),
            roles(),
            role_bindings(),
            api_keys(),
            quotas(),
        ] {
            manager.create_table(table).await?;
        }
        for index in [
            unique("metapaas_organizations", &["name"]),
            unique("metapaas_projects", &["name"]),
            unique("metapaas_users", &["name"]),
            unique("metapaas_service_accounts", &["name"]),
            unique("metapaas_roles", &["name"]),
            unique("metapaas_role_bindings", &["principal_id", "role", "scope"]),
            unique("metapaas_api_keys", &["key_id"]),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "metapaas_quotas",
            "metapaas_api_keys",
            "metapaas_role_bindings",
            "metapaas_roles",
            "metapaas_service_accounts",
            "metapaas_users",
            "metapaas_projects",
            "metapaas_organizations",
            "metapaas_identity_revisions",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn unique(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{table}_by_{}", columns.join("_"))).table(table).unique();
    for column in columns {
        index.col(*column);
    }
    index.to_owned()
}

/// One row: it grows with every change of the tables below, and whoever changes them holds it.
fn revisions() -> TableCreateStatement {
    Table::create()
        .table("metapaas_identity_revisions")
        .col(string("name").primary_key())
        .col(big_integer("revision"))
        .to_owned()
}

fn organizations() -> TableCreateStatement {
    Table::create()
        .table("metapaas_organizations")
        .col(string("id").primary_key())
        .col(string("name"))
        .col(text("description"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn projects() -> TableCreateStatement {
    Table::create()
        .table("metapaas_projects")
        .col(string("id").primary_key())
        .col(string("organization_id"))
        .col(string("name"))
        .col(text("description"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("metapaas_users")
        .col(string("id").primary_key())
        .col(string("name"))
        .col(text("description"))
        .col(string("status"))
        .col(text_null("password"))
        .col(timestamp_with_time_zone_null("password_changed_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn service_accounts() -> TableCreateStatement {
    Table::create()
        .table("metapaas_service_accounts")
        .col(string("id").primary_key())
        .col(string_null("project_id"))
        .col(string("name"))
        .col(text("description"))
        .col(string("status"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn roles() -> TableCreateStatement {
    Table::create()
        .table("metapaas_roles")
        .col(string("id").primary_key())
        .col(string("name"))
        .col(text("description"))
        .col(json("allow"))
        .col(json("deny"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn role_bindings() -> TableCreateStatement {
    Table::create()
        .table("metapaas_role_bindings")
        .col(string("id").primary_key())
        .col(string("principal_kind"))
        .col(string("principal_id"))
        .col(string("role"))
        .col(string("scope"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned()
}

fn api_keys() -> TableCreateStatement {
    Table::create()
        .table("metapaas_api_keys")
        .col(string("id").primary_key())
        .col(string("key_id"))
        .col(string("name"))
        .col(string("principal_kind"))
        .col(string("principal_id"))
        .col(string("hash"))
        .col(json_null("scopes"))
        .col(string_null("project_id"))
        .col(json("cidrs"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(string_null("rotated_to"))
        .col(timestamp_with_time_zone_null("last_used_at"))
        .col(string_null("last_used_ip"))
        .to_owned()
}

fn quotas() -> TableCreateStatement {
    Table::create()
        .table("metapaas_quotas")
        .col(string("project_id"))
        .col(string("type"))
        .col(json("limits"))
        .col(timestamp_with_time_zone("updated_at"))
        .primary_key(Index::create().col("project_id").col("type"))
        .to_owned()
}

//! Whether every declared field has the column that holds it.
//!
//! A plugin's own migrations make the columns. What they left out is told before the plugin is started, with the
//! command that writes the missing step.

use plugin_abi::descriptor::{Descriptor, Kind};
use sea_orm::{ConnectionTrait, Statement};

use super::Error;
use crate::store::Backend;

/// A column, as the database describes it.
struct Found {
    name: String,
    declared: String,
}

/// Compares the tables of declared resources with their fields.
pub(super) async fn check(db: &impl ConnectionTrait, descriptor: &Descriptor) -> Result<(), Error> {
    let backend = Backend::of(db);
    for resource in descriptor.types.iter().flat_map(|declared| &declared.resources) {
        let table = &resource.table;
        let columns = columns(db, backend, table).await?;
        for field in &resource.fields {
            let (table, column) = (table.clone(), field.name.clone());
            let Some(found) = columns.iter().find(|found| found.name == column) else {
                return Err(Error::NoColumn { table, column });
            };
            if !holds(backend, &found.declared, field.kind) {
                let (declared, wanted) = (found.declared.clone(), wanted(field.kind));
                return Err(Error::ColumnType { table, column, declared, wanted });
            }
        }
    }
    Ok(())
}

async fn columns(
    db: &impl ConnectionTrait,
    backend: Backend,
    table: &str,
) -> Result<Vec<Found>, Error> {
    let sql = match backend {
        Backend::Sqlite => "SELECT name, lower(type) AS declared FROM pragma_table_info($1)",
        Backend::Postgres => {
            "SELECT column_name::text AS name, data_type::text AS declared \
             FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1"
        }
    };
    let backend = db.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [table.into()]);
    let rows = db.query_all_raw(statement).await?;
    let found = rows.iter().map(|row| {
        Ok(Found { name: row.try_get("", "name")?, declared: row.try_get("", "declared")? })
    });
    found.collect()
}

/// Whether a column that is declared so gives back what was put into it.
pub(super) fn holds(backend: Backend, declared: &str, kind: Kind) -> bool {
    match backend {
        Backend::Postgres => match kind {
            Kind::Text | Kind::Json | Kind::Secret => {
                ["text", "character varying"].contains(&declared)
            }
            Kind::Integer => declared == "bigint",
            Kind::Number => declared == "double precision",
            Kind::Boolean => declared == "boolean",
            Kind::Timestamp => declared == "timestamp with time zone",
        },
        // SQLite's own rules for what a declared type comes to. Text in a numeric column would become a number.
        Backend::Sqlite => {
            let is_text = ["char", "clob", "text"].iter().any(|part| declared.contains(part));
            let is_whole = declared.contains("int");
            match kind {
                Kind::Text | Kind::Json | Kind::Secret => is_text && !is_whole,
                Kind::Integer | Kind::Number | Kind::Boolean => is_whole || !is_text,
                Kind::Timestamp => true,
            }
        }
    }
}

/// The type of a column that holds it.
pub(super) fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json | Kind::Secret => "text",
        Kind::Integer => "bigint",
        Kind::Number => "double precision",
        Kind::Boolean => "boolean",
        Kind::Timestamp => "timestamptz",
    }
}

//! What PostgreSQL's catalog says about the tables of a store, as the statements that make them again.
//!
//! Names are without a schema: the tables go wherever the restoring user's go. The order is that of `pg_dump`:
//! sequences, tables, rows, then keys and indexes, and foreign keys last.

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;

use super::catalog;
use crate::store::backup::Error;

/// All that is needed to make the tables again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Schema {
    /// Those that belong to a column and are not made with it.
    sequences: Vec<String>,
    pub(super) tables: Vec<Table>,
    /// Each constraint but foreign keys, and each index without a constraint.
    keys: Vec<String>,
    foreign_keys: Vec<String>,
    /// Where the sequences are, and whose they are.
    after: Vec<String>,
}

/// A table.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Table {
    /// Quoted where that is needed.
    name: String,
    /// The file of its rows.
    pub(super) file: String,
    create: String,
    /// Those that have values of their own, ready to print.
    columns: String,
    /// What it has that is not understood, with its article.
    #[serde(skip)]
    unsupported: Option<String>,
}

impl Table {
    /// The statement that writes its rows.
    pub(super) fn copy_out(&self) -> String {
        format!("COPY {} ({}) TO STDOUT", self.name, self.columns)
    }

    /// The statement that reads them.
    pub(super) fn copy_in(&self) -> String {
        format!("COPY {} ({}) FROM STDIN", self.name, self.columns)
    }
}

impl Schema {
    /// That of the store that the connection leads to, as its transaction sees it.
    pub(super) async fn read(db: &mut PgConnection) -> Result<Self, sqlx::Error> {
        Ok(Self {
            sequences: statements(db, catalog::SEQUENCES).await?,
            tables: tables(db).await?,
            keys: [
                statements(db, catalog::CONSTRAINTS).await?,
                statements(db, catalog::INDEXES).await?,
            ]
            .concat(),
            foreign_keys: statements(db, catalog::FOREIGN_KEYS).await?,
            after: [
                statements(db, catalog::OWNERS).await?,
                statements(db, catalog::POSITIONS).await?,
            ]
            .concat(),
        })
    }

    /// Refuses tables that these statements would not make again as they are.
    pub(super) fn check(&self) -> Result<(), Error> {
        for Table { name, unsupported, .. } in &self.tables {
            if let Some(what) = unsupported {
                return Err(Error::Unsupported { table: name.clone(), what: what.clone() });
            }
        }
        Ok(())
    }

    /// What is done while the tables are empty.
    pub(super) fn before_rows(&self) -> impl Iterator<Item = &str> {
        let tables = self.tables.iter().map(|table| table.create.as_str());
        self.sequences.iter().map(String::as_str).chain(tables)
    }

    /// What is done once the rows are there.
    pub(super) fn after_rows(&self) -> impl Iterator<Item = &str> {
        [&self.keys, &self.foreign_keys, &self.after].into_iter().flatten().map(String::as_str)
    }
}

/// The statements that take away the tables of the store that is there.
pub(super) async fn drop_all(db: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let there = "SELECT to_regclass('metapaas_plugin_tables') IS NOT NULL";
    if sqlx::query_scalar(there).fetch_one(&mut *db).await? {
        statements(db, catalog::DROP).await
    } else {
        Ok(Vec::new())
    }
}

async fn tables(db: &mut PgConnection) -> Result<Vec<Table>, sqlx::Error> {
    let rows = sqlx::query_as(catalog::about_ours(catalog::TABLES)).fetch_all(db).await?;
    let table = |(name, file, create, columns, unsupported)| Table {
        name,
        file,
        create,
        columns,
        unsupported,
    };
    Ok(rows.into_iter().map(table).collect())
}

async fn statements(db: &mut PgConnection, query: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(catalog::about_ours(query)).fetch_all(db).await
}

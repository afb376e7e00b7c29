//! The columns that every declared resource has, and the table that holds them.
//!
//! The host makes and evolves these; a plugin's own migrations add a column for each declared field. The
//! statements are here, because the SDK's tests make the same tables as the host. Each step of their history
//! is fixed once it was released: what it got wrong, a further step puts right.

use crate::database::Backend;

/// A member of every resource that is kept in a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type and constraint, which both databases take but for how text compares.
    definition: &'static str,
}

const fn column(name: &'static str, definition: &'static str) -> Column {
    Column { name, definition }
}

/// All of them, in the order of the table.
pub const ALL: [Column; 19] = [
    column("id", "uuid NOT NULL PRIMARY KEY"),
    column("project_id", "uuid NOT NULL"),
    // Of a resource under another one; else the nil UUID, so that it can be part of unique indexes.
    column("parent_id", "uuid NOT NULL"),
    column("name", "text NOT NULL"),
    column("description", "text NOT NULL"),
    column("labels", "text NOT NULL"),
    column("annotations", "text NOT NULL"),
    column("generation", "bigint NOT NULL"),
    column("observed_generation", "bigint NOT NULL"),
    // Counts every change of the row, those of its status too.
    column("revision", "bigint NOT NULL"),
    column("status", "text NOT NULL"),
    column("status_message", "text NOT NULL"),
    column("conditions", "text NOT NULL"),
    column("deletion_protection", "boolean NOT NULL"),
    column("deleting_at", "timestamptz"),
    column("last_operation", "text"),
    column("created_at", "timestamptz NOT NULL"),
    column("updated_at", "timestamptz NOT NULL"),
    column("created_by", "text NOT NULL"),
];

/// The names that no declared field may have: the columns, and what documents show beside them.
pub const RESERVED: [&str; 12] = [
    "type",
    "etag",
    "nodes",
    "maintenance_info",
    "upgrade_available",
    "parent",
    "instance_usable",
    "retryable",
    "deleted_at",
    "resource_version",
    "links",
    "metapaas",
];

/// Whether a declared field may not have this name. It is `const`, so that a derive can ask when it is built.
#[must_use]
pub const fn is_reserved(name: &str) -> bool {
    let mut idx = 0;
    while idx < RESERVED.len() {
        if is_same(RESERVED[idx], name) {
            return true;
        }
        idx += 1;
    }
    idx = 0;
    while idx < ALL.len() {
        if is_same(ALL[idx].name, name) {
            return true;
        }
        idx += 1;
    }
    false
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut idx = 0;
    while idx < one.len() {
        if one[idx] != other[idx] {
            return false;
        }
        idx += 1;
    }
    true
}

impl Column {
    /// It as a statement defines it.
    ///
    /// Text compares by its bytes, as SQLite does: then lists have one order everywhere, and indexes serve it.
    fn define(self, backend: Backend) -> String {
        let Self { name, definition } = self;
        match (backend, definition.strip_prefix("text")) {
            (Backend::Postgres, Some(constraint)) => {
                format!("{name} text COLLATE \"C\"{constraint}")
            }
            (Backend::Sqlite | Backend::Postgres, _) => format!("{name} {definition}"),
        }
    }
}

/// The statements that make a resource's table as it was first.
#[must_use]
pub fn create(table: &str, backend: Backend) -> [String; 4] {
    let columns = ALL.map(|column| column.define(backend));
    [
        format!("CREATE TABLE {table} ({})", columns.join(", ")),
        format!("CREATE UNIQUE INDEX {table}_by_name ON {table} (parent_id, name, project_id)"),
        format!("CREATE INDEX {table}_by_age ON {table} (created_at, id)"),
        format!(
            "CREATE INDEX {table}_of_project ON {table} (project_id, parent_id, created_at, id)"
        ),
    ]
}

/// The statement that takes it away.
#[must_use]
pub fn drop(table: &str) -> String {
    format!("DROP TABLE {table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_resource_has_cannot_be_declared() {
        for name in ["id", "status", "etag", "nodes"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["bucket_name", "ide", "i", ""] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn the_table_has_every_column() {
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let [table, ..] = create("demo_instances", backend);
            let has = |column: &Column| table.contains(&format!("{} ", column.name));
            assert!(ALL.iter().all(has), "{table}");
            let bytewise = "name text COLLATE \"C\" NOT NULL";
            assert_eq!(table.contains(bytewise), backend == Backend::Postgres, "{table}");
        }
    }
}

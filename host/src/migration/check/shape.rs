//! What tables are after statements that were checked: their columns, with their types, and their indexes.
//!
//! It follows what the list lets through and changes one of these; the rest changes neither. Not here: whether a
//! statement may be run at all, and what the database makes of it.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{
    AlterColumnOperation, AlterIndexOperation, AlterTable, AlterTableOperation, CreateIndex,
    CreateTable, DataType, Expr, Ident, ObjectName, ObjectNamePart, ObjectType,
    RenameTableNameKind, Statement,
};

use super::name::folded;
use super::{Reason, parse};
use crate::store::Backend;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    backend: Backend,
    /// Types of columns, as the database would describe them, by table and column.
    tables: BTreeMap<String, BTreeMap<String, String>>,
    indexes: BTreeMap<String, Index>,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Of which table.
    pub(crate) table: String,
    /// In order; an expression that is no column, as it is written.
    pub(crate) columns: Vec<String>,
    /// Whether no two rows are alike in it.
    pub(crate) is_unique: bool,
}

impl Index {
    /// Whether it has these columns and no others, in whichever order.
    pub(crate) fn is_of(&self, columns: &[&str]) -> bool {
        let own: BTreeSet<_> = self.columns.iter().map(String::as_str).collect();
        own == columns.iter().copied().collect()
    }
}

impl Shape {
    /// Without any table.
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, tables: BTreeMap::new(), indexes: BTreeMap::new() }
    }

    /// What a column is declared as, if there is one of that name.
    pub(crate) fn column(&self, table: &str, column: &str) -> Option<&str> {
        self.tables.get(table)?.get(column).map(String::as_str)
    }

    /// The indexes of a table.
    pub(crate) fn indexes_of(&self, table: &str) -> impl Iterator<Item = &Index> {
        self.indexes.values().filter(move |index| index.table == table)
    }

    /// The columns of a table.
    pub(crate) fn columns(&self, table: &str) -> impl Iterator<Item = &str> {
        self.tables.get(table).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The names of all indexes.
    pub(crate) fn index_names(&self) -> impl Iterator<Item = &str> {
        self.indexes.keys().map(String::as_str)
    }

    /// What it is after this statement.
    ///
    /// # Errors
    /// When the statement cannot be read.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about rows")]
    pub(crate) fn follow(&mut self, sql: &str) -> Result<(), Reason> {
        match parse::statement(self.backend, sql)? {
            Statement::CreateTable(CreateTable { name, columns, .. }) => {
                let typed = columns.iter().map(|column| {
                    (self.fold(&column.name), described(self.backend, &column.data_type))
                });
                let columns = typed.collect();
                self.tables.insert(self.name(&name), columns);
            }
            Statement::AlterTable(AlterTable { name, operations, .. }) => {
                let table = self.name(&name);
                operations.iter().for_each(|operation| self.alter(&table, operation));
            }
            Statement::CreateIndex(create) => self.create_index(&create),
            Statement::AlterIndex { name, operation } => {
                let AlterIndexOperation::RenameIndex { index_name } = operation;
                if let Some(index) = self.indexes.remove(&self.name(&name)) {
                    self.indexes.insert(self.name(&index_name), index);
                }
            }
            Statement::Drop { object_type, names, .. } => {
                names.iter().for_each(|name| self.drop(object_type, name));
            }
            _of_rows => {}
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest changes neither")]
    fn alter(&mut self, table: &str, operation: &AlterTableOperation) {
        let backend = self.backend;
        let fold = |ident: &Ident| folded(backend, ident);
        if let AlterTableOperation::RenameTable {
            table_name: RenameTableNameKind::As(to) | RenameTableNameKind::To(to),
        } = operation
        {
            return self.rename(table, &self.name(to));
        }
        let Some(columns) = self.tables.get_mut(table) else { return };
        match operation {
            AlterTableOperation::AddColumn { column_def, .. } => {
                let r#type = described(backend, &column_def.data_type);
                columns.entry(fold(&column_def.name)).or_insert(r#type);
            }
            AlterTableOperation::DropColumn { column_names, .. } => {
                for column in column_names.iter().map(fold) {
                    columns.remove(&column);
                    self.indexes.retain(|_, index| {
                        index.table != table || !index.columns.contains(&column)
                    });
                }
            }
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                let (old, new) = (fold(old_column_name), fold(new_column_name));
                let moved = columns.remove(&old);
                columns.extend(moved.map(|r#type| (new.clone(), r#type)));
                let of_table = self.indexes.values_mut().filter(|index| index.table == table);
                let named = of_table.flat_map(|index| &mut index.columns);
                named.filter(|name| **name == old).for_each(|name| new.clone_into(name));
            }
            AlterTableOperation::AlterColumn {
                column_name,
                op: AlterColumnOperation::SetDataType { data_type, .. },
            } => {
                if let Some(r#type) = columns.get_mut(&fold(column_name)) {
                    *r#type = described(backend, data_type);
                }
            }
            _changes_neither => {}
        }
    }

    fn create_index(&mut self, create: &CreateIndex) {
        let CreateIndex { name: Some(name), table_name, columns, unique, .. } = create else {
            return;
        };
        let columns = columns.iter().map(|column| self.indexed(&column.column.expr)).collect();
        let index = Index { table: self.name(table_name), columns, is_unique: *unique };
        self.indexes.entry(self.name(name)).or_insert(index);
    }

    /// The column that an expression is about, whatever it is compared by.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is no column")]
    fn indexed(&self, expression: &Expr) -> String {
        match expression {
            Expr::Identifier(ident) => self.fold(ident),
            Expr::CompoundIdentifier(parts) => {
                parts.last().map_or_else(String::new, |ident| self.fold(ident))
            }
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => self.indexed(inner),
            other => other.to_string(),
        }
    }

    fn drop(&mut self, kind: ObjectType, name: &ObjectName) {
        let name = self.name(name);
        if kind == ObjectType::Table {
            self.tables.remove(&name);
            self.indexes.retain(|_, index| index.table != name);
        } else {
            self.indexes.remove(&name);
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        let moved = self.tables.remove(from);
        self.tables.extend(moved.map(|columns| (to.to_owned(), columns)));
        let of_table = self.indexes.values_mut().filter(|index| index.table == from);
        of_table.for_each(|index| to.clone_into(&mut index.table));
    }

    /// The last part of a name: the check refuses those that lie elsewhere.
    fn name(&self, name: &ObjectName) -> String {
        match name.0.last() {
            Some(ObjectNamePart::Identifier(ident)) => self.fold(ident),
            Some(_) | None => name.to_string(),
        }
    }

    fn fold(&self, ident: &Ident) -> String {
        folded(self.backend, ident)
    }
}

/// A type as the database itself describes the column: PostgreSQL by the first of its names, without modifiers.
fn described(backend: Backend, data_type: &DataType) -> String {
    let written = data_type.to_string().to_ascii_lowercase();
    if backend == Backend::Sqlite {
        return written;
    }
    let plain = written.split('(').next().unwrap_or_default().trim();
    let is_zoned = written.starts_with("timestamp") && written.ends_with("with time zone");
    match plain {
        "int8" | "bigserial" | "serial8" => "bigint",
        "int" | "int4" | "serial" | "serial4" => "integer",
        "float8" | "float" | "double" => "double precision",
        "bool" => "boolean",
        "varchar" | "char varying" => "character varying",
        "timestamptz" => "timestamp with time zone",
        _zoned if is_zoned && !written.contains("without") => "timestamp with time zone",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(backend: Backend, statements: &[&str]) -> Shape {
        let mut shape = Shape::new(backend);
        shape.follow("CREATE TABLE demo_a (id uuid NOT NULL PRIMARY KEY, name text)").unwrap();
        statements.iter().for_each(|sql| shape.follow(sql).unwrap());
        shape
    }

    #[test]
    fn columns_come_go_and_change_their_names() {
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let shape = shape(
                backend,
                &[
                    "ALTER TABLE demo_a ADD COLUMN size bigint",
                    "ALTER TABLE demo_a ADD COLUMN \"order\" text",
                    "ALTER TABLE demo_a RENAME COLUMN size TO size_gb",
                    "ALTER TABLE demo_a DROP COLUMN name",
                    "UPDATE demo_a SET size_gb = 1",
                ],
            );
            let columns = ["id", "size_gb", "order", "size", "name"]
                .map(|column| shape.column("demo_a", column).unwrap_or("-"));
            assert_eq!(columns, ["uuid", "bigint", "text", "-", "-"]);
        }
    }

    #[test]
    fn indexes_go_with_their_columns_and_tables() {
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let indexes = [
                "ALTER TABLE demo_a ADD COLUMN size bigint",
                "CREATE UNIQUE INDEX demo_one ON demo_a (size, id)",
                "CREATE INDEX demo_two ON demo_a (lower(name), size)",
                "CREATE INDEX demo_three ON demo_a (name)",
            ];
            let made = shape(backend, &indexes);
            assert!(made.indexes["demo_one"].is_of(&["id", "size"]));
            assert!(made.indexes["demo_one"].is_unique);
            assert_eq!(made.indexes["demo_two"].columns, ["lower(name)", "size"]);
            let left = |sql: &str| {
                let mut shape = made.clone();
                shape.follow(sql).unwrap();
                shape.indexes_of("demo_a").count()
            };
            assert_eq!(left("ALTER TABLE demo_a DROP COLUMN size"), 1);
            assert_eq!(left("DROP INDEX demo_three"), 2);
            assert_eq!(left("DROP TABLE demo_a"), 0);
            assert_eq!(left("ALTER TABLE demo_a RENAME TO demo_b"), 0);
        }
    }

    #[test]
    fn an_index_on_text_by_its_bytes_is_on_that_text() {
        let sql = r#"CREATE INDEX demo_a_name ON demo_a (name COLLATE "C", id)"#;
        let shape = shape(Backend::Postgres, &[sql]);
        assert_eq!(shape.indexes["demo_a_name"].columns, ["name", "id"]);
    }

    #[test]
    fn types_are_what_postgres_calls_them() {
        for (written, described) in [
            ("int8", "bigint"),
            ("bigint", "bigint"),
            ("varchar(20)", "character varying"),
            ("character varying(20)", "character varying"),
            ("float8", "double precision"),
            ("double precision", "double precision"),
            ("bool", "boolean"),
            ("timestamptz(3)", "timestamp with time zone"),
            ("timestamp(3) with time zone", "timestamp with time zone"),
            ("timestamp", "timestamp"),
            ("text", "text"),
        ] {
            let sql = format!("ALTER TABLE demo_a ADD COLUMN x {written}");
            let shape = shape(Backend::Postgres, &[&sql]);
            assert_eq!(shape.column("demo_a", "x"), Some(described), "{written}");
        }
    }
}

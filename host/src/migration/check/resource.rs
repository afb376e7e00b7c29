//! What a plugin's migration may do with the table of a declared resource: have columns of its own there, and
//! indexes on them.
//!
//! The rows are the host's: it writes every declared field of each, null where there is no value, so a column
//! refuses nothing. What a field must be is said by its schema.

use plugin_abi::resource::columns;
use sqlparser::ast::{
    Assignment, AssignmentTarget, ColumnDef, ColumnOption, Ident, IndexColumn, ObjectName,
    ObjectNamePart,
};

use super::expression::column_of;
use super::{Author, Checked, Checker, Reason};

/// How the names of the host's own indexes end.
const OWN_INDEXES: [&str; 4] = ["_by_name", "_by_age", "_of_project", "_pkey"];

impl Checker<'_> {
    /// Refuses what would change a resource's table as a whole.
    pub(super) fn leaves_resources(&self, table: &str, what: impl FnOnce() -> String) -> Checked {
        if self.author == Author::Host || !self.world.is_resource(table) {
            return Ok(());
        }
        Err(Reason::OfResource { table: table.to_owned(), what: what() })
    }

    /// Refuses what would change a column that the host made.
    pub(super) fn leaves_host_column(&self, table: &str, column: &Ident) -> Checked {
        let name = self.world.fold(column);
        if !is_hosts(&name) {
            return Ok(());
        }
        self.leaves_resources(table, || {
            format!("it would touch column `{name}`, which is the host's")
        })
    }

    /// A column that is added may be without a value.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not on the list is refused")]
    pub(super) fn resource_column(&self, table: &str, column: &ColumnDef) -> Checked {
        self.leaves_host_column(table, &column.name)?;
        for definition in &column.options {
            let asks = match &definition.option {
                ColumnOption::Null | ColumnOption::Default(_) | ColumnOption::Collation(_) => false,
                _asks_something => true,
            };
            if asks {
                let (option, name) = (&definition.option, &column.name);
                self.leaves_resources(table, || {
                    format!("`{option}` on column {name} would refuse what the host writes; the field's schema says what it may be")
                })?;
            }
        }
        Ok(())
    }

    /// An index that refuses rows is about a column of the plugin's.
    pub(super) fn resource_index(&self, table: &str, columns: &[IndexColumn]) -> Checked {
        let of_host = |column: &IndexColumn| {
            column_of(self.world, &column.column.expr).is_some_and(|name| is_hosts(&name))
        };
        if columns.iter().all(of_host) {
            return self.leaves_resources(table, || {
                "a unique index on the host's columns alone would refuse its rows".to_owned()
            });
        }
        Ok(())
    }

    /// An index that the host made stays.
    pub(super) fn leaves_host_index(&self, table: &str, index: &str) -> Checked {
        let is_hosts =
            index.strip_prefix(table).is_some_and(|ending| OWN_INDEXES.contains(&ending));
        if !is_hosts {
            return Ok(());
        }
        self.leaves_resources(table, || {
            format!("it would touch index `{index}`, which is the host's")
        })
    }

    /// Rows are updated in the plugin's columns alone.
    pub(super) fn resource_assignments(&self, table: &str, assignments: &[Assignment]) -> Checked {
        let targets = assignments.iter().flat_map(|assignment| match &assignment.target {
            AssignmentTarget::ColumnName(name) => vec![name],
            AssignmentTarget::Tuple(names) => names.iter().collect(),
        });
        for target in targets {
            self.leaves_host_column(table, last_of(target)?)?;
        }
        Ok(())
    }
}

fn is_hosts(column: &str) -> bool {
    columns::ALL.iter().any(|own| own.name == column)
}

fn last_of(name: &ObjectName) -> Result<&Ident, Reason> {
    match name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => Ok(ident),
        Some(_) | None => Err(Reason::Unresolvable { name: name.to_string() }),
    }
}

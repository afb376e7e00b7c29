//! What an element owns, and what the database holds at all.
//!
//! Read from `metapaas_plugin_tables` and from the database's own catalog by the host, never by a plugin. Names
//! compare as SQLite compares them: without regard to ASCII case.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use plugin_abi::resource::columns;

use crate::store::authorizer::Change;

/// A table of an element.
#[derive(Debug)]
pub(super) struct Table {
    /// Whose its rows are.
    pub(super) rows: Rows,
    /// Its columns.
    pub(super) columns: Columns,
}

/// Whose the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// The plugin's.
    Plugins,
    /// The host's: they are declared resources, in which the plugin has columns of its own.
    Hosts,
}

impl Rows {
    /// As `metapaas_plugin_tables` has it.
    pub(super) fn of(resource: bool) -> Self {
        if resource { Self::Hosts } else { Self::Plugins }
    }
}

/// The tables of an element.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Grows with every change: what was compiled for an older one is compiled anew.
    pub(super) edition: u64,
    tables: HashMap<String, Table>,
}

/// The declared type of each column that has one; empty on PostgreSQL, which tells types with the rows.
pub(super) type Columns = HashMap<String, String>;

impl Tables {
    /// The tables with these columns, as the `edition`th state of them.
    pub(super) fn new(edition: u64, tables: impl IntoIterator<Item = (String, Table)>) -> Self {
        let tables =
            tables.into_iter().map(|(name, table)| (name.to_ascii_lowercase(), table)).collect();
        Self { edition, tables }
    }

    /// Is this table the element's own?
    pub(super) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(&*lowercase(table))
    }

    /// May the plugin do that with rows of this table?
    pub(super) fn may_write(&self, table: &str, change: Change<'_>) -> bool {
        match (self.tables.get(&*lowercase(table)), change) {
            (None, _) => false,
            (Some(Table { rows: Rows::Plugins, .. }), _) => true,
            (Some(Table { rows: Rows::Hosts, columns }), Change::Update(column)) => {
                let column = lowercase(column);
                // The number by which SQLite knows a row is not among the columns either.
                columns.contains_key(&*column) && !is_hosts(&column)
            }
            (Some(Table { rows: Rows::Hosts, .. }), Change::Insert | Change::Delete) => false,
        }
    }

    /// How a column of an own table was declared.
    pub(crate) fn declared(&self, table: &str, column: &str) -> Option<&str> {
        let table = self.tables.get(&*lowercase(table))?;
        table.columns.get(&*lowercase(column)).map(String::as_str)
    }

    /// Their names, for people.
    pub(super) fn list(&self) -> String {
        let names: BTreeSet<_> = self.tables.keys().map(|name| format!("`{name}`")).collect();
        if names.is_empty() {
            return "none".to_owned();
        }
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// Every name in a SQLite file that stands for something.
#[derive(Debug, Default)]
pub(crate) struct Names(RwLock<HashSet<String>>);

/// Tables of these names come into being when they are asked for.
const MODULES: [&str; 2] = ["pragma_", "sqlite_"];

impl Names {
    /// Adds what the database holds. Nothing is ever taken away: a name too many is only refused more often.
    pub(super) fn add(&self, names: impl IntoIterator<Item = String>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(names.into_iter().map(|name| name.to_ascii_lowercase()));
    }

    /// Could this be a table, a view or a module?
    pub(super) fn may_exist(&self, name: &str) -> bool {
        let name = lowercase(name);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(&*name) || MODULES.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// Is this a column of every resource's table?
pub(super) fn is_hosts(column: &str) -> bool {
    columns::ALL.iter().any(|own| own.name == column)
}

fn lowercase(name: &str) -> std::borrow::Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

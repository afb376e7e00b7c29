//! What an element owns, and what the database holds at all.
//!
//! Read from `metapaas_plugin_tables` and from the database's own catalog by the host, never by a plugin. Names
//! compare as SQLite compares them: without regard to ASCII case.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

/// The tables of an element.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Grows with every change: what was compiled for an older one is compiled anew.
    pub(super) edition: u64,
    tables: HashMap<String, Columns>,
}

/// The declared type of each column that has one; empty on PostgreSQL, which tells types with the rows.
pub(super) type Columns = HashMap<String, String>;

impl Tables {
    /// The tables with these columns, as the `edition`th state of them.
    pub(super) fn new(edition: u64, tables: impl IntoIterator<Item = (String, Columns)>) -> Self {
        let tables = tables
            .into_iter()
            .map(|(table, columns)| (table.to_ascii_lowercase(), columns))
            .collect();
        Self { edition, tables }
    }

    /// Is this table the element's own?
    pub(super) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(&*lowercase(table))
    }

    /// How a column of an own table was declared.
    pub(crate) fn declared(&self, table: &str, column: &str) -> Option<&str> {
        self.tables.get(&*lowercase(table))?.get(&*lowercase(column)).map(String::as_str)
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

fn lowercase(name: &str) -> std::borrow::Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

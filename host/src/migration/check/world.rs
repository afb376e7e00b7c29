//! The tables and indexes that there are, and whose they are.

use std::collections::{BTreeMap, BTreeSet};

use packer::bundle::ElementName;

use crate::store::Backend;

/// Whose a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An element's, by the ledger.
    Element(String),
    /// Nobody's that the ledger knows: the host's, or a stranger's.
    Nobody,
}

/// What a migration meets, from the point of view of one element.
#[derive(Debug, Clone)]
pub(crate) struct World {
    element: ElementName,
    backend: Backend,
    /// How names that the element gives may begin.
    prefixes: Vec<String>,
    tables: BTreeMap<String, Owner>,
    /// Those that hold declared resources.
    resources: BTreeSet<String>,
    /// Indexes with the table that each is of.
    indexes: BTreeMap<String, String>,
}

impl World {
    /// A world without any table.
    pub(crate) fn new(element: &ElementName, slugs: &[String], backend: Backend) -> Self {
        let mut prefixes: Vec<_> = slugs.iter().map(|slug| format!("{slug}_")).collect();
        let by_element = format!("{}_", element.as_str().replace('-', "_"));
        let is_reserved = super::name::RESERVED.iter().any(|prefix| by_element.starts_with(prefix));
        if !is_reserved && !prefixes.contains(&by_element) {
            prefixes.push(by_element);
        }
        let (tables, indexes, resources) = Default::default();
        Self { element: element.clone(), backend, prefixes, tables, resources, indexes }
    }

    /// Which database it is.
    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    /// How names that the element gives may begin.
    pub(super) fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// Notes that there is a table.
    pub(crate) fn add_table(&mut self, name: &str, owner: Owner) {
        self.tables.insert(name.to_owned(), owner);
    }

    /// Notes that a table holds declared resources.
    pub(crate) fn add_resource(&mut self, name: &str) {
        self.resources.insert(name.to_owned());
    }

    /// Whether a table holds declared resources.
    pub(super) fn is_resource(&self, table: &str) -> bool {
        self.resources.contains(table)
    }

    /// Notes that there is an index.
    pub(crate) fn add_index(&mut self, name: &str, table: &str) {
        self.indexes.insert(name.to_owned(), table.to_owned());
    }

    /// Notes that the element has made a table.
    pub(super) fn create(&mut self, table: &str) {
        let owner = Owner::Element(self.element.to_string());
        self.add_table(table, owner);
    }

    /// Notes that a table is gone, and its indexes with it.
    pub(super) fn drop(&mut self, table: &str) {
        self.tables.remove(table);
        self.resources.remove(table);
        self.indexes.retain(|_index, of| of != table);
    }

    /// Notes that everything the element made is gone.
    pub(crate) fn drop_own(&mut self) {
        let own: Vec<_> = self.tables.keys().filter(|table| self.is_own(table)).cloned().collect();
        own.iter().for_each(|table| self.drop(table));
    }

    /// Notes that a table has another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        self.tables.remove(from);
        self.create(to);
        self.indexes.values_mut().filter(|of| *of == from).for_each(|of| to.clone_into(of));
    }

    /// Notes that an index is gone.
    pub(super) fn drop_index(&mut self, index: &str) {
        self.indexes.remove(index);
    }

    /// Whose a table is, if there is one of that name.
    pub(super) fn owner(&self, table: &str) -> Option<&Owner> {
        self.tables.get(table)
    }

    /// Whether it is a table of the element itself.
    pub(super) fn is_own(&self, table: &str) -> bool {
        matches!(self.owner(table), Some(Owner::Element(name)) if name == self.element.as_str())
    }

    /// The table that an index is of, if there is one of that name.
    pub(super) fn table_of(&self, index: &str) -> Option<&str> {
        self.indexes.get(index).map(String::as_str)
    }

    /// The element's own tables, in words.
    pub(super) fn own_in_words(&self) -> String {
        let own: Vec<_> = self
            .tables
            .keys()
            .filter(|table| self.is_own(table))
            .map(|table| format!("`{table}`"))
            .collect();
        if own.is_empty() { "none".to_owned() } else { own.join(", ") }
    }
}

//! Names: as the database reads them, and whose they are.
//!
//! PostgreSQL folds what is not quoted to lower case and keeps what is; SQLite takes upper and lower case for
//! the same either way. Every name that a migration may touch is lower case, so on both what is left after
//! folding must be plain, and no name can mean two things.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::{Checked, Checker, Owner, Reason, World};
use crate::store::Backend;

/// What PostgreSQL keeps of a name.
const NAME_BYTES_MAX: usize = 63;

/// How names begin that are the host's or the database's own.
pub(super) const RESERVED: [&str; 6] =
    ["metapaas_", "plugin_", "pg_", "sqlite_", "seaql_", "information_schema"];

impl World {
    /// A name as the database reads it.
    pub(super) fn fold(&self, ident: &Ident) -> String {
        folded(self.backend(), ident)
    }

    /// A name without a schema, or with the one where all tables are.
    pub(super) fn resolve(&self, name: &ObjectName) -> Result<String, Reason> {
        let unresolvable = || Reason::Unresolvable { name: name.to_string() };
        let mut parts = Vec::with_capacity(name.0.len());
        for part in &name.0 {
            let ObjectNamePart::Identifier(ident) = part else { return Err(unresolvable()) };
            parts.push(self.fold(ident));
        }
        let home = match self.backend() {
            Backend::Sqlite => "main",
            Backend::Postgres => "public",
        };
        let plain = match &*parts {
            [plain] => plain,
            [schema, plain] if schema == home => plain,
            _elsewhere => return Err(unresolvable()),
        };
        check_reserved(plain)?;
        if is_plain(plain) { Ok(plain.clone()) } else { Err(unresolvable()) }
    }

    /// A name that the element may give.
    pub(super) fn check_given(&self, kind: &'static str, name: &str) -> Checked {
        let begins = self
            .prefixes()
            .iter()
            .any(|prefix| name.strip_prefix(prefix.as_str()).is_some_and(|rest| !rest.is_empty()));
        if begins && name.len() <= NAME_BYTES_MAX {
            return Ok(());
        }
        let prefixes: Vec<_> = self.prefixes().iter().map(|prefix| format!("`{prefix}`")).collect();
        let (name, prefixes) = (name.to_owned(), prefixes.join(" or "));
        Err(Reason::Name { kind, name, prefixes })
    }
}

/// A name as a database reads it.
pub(super) fn folded(backend: Backend, ident: &Ident) -> String {
    match (backend, ident.quote_style) {
        (Backend::Postgres, Some(_quoted)) => ident.value.clone(),
        (Backend::Postgres, None) | (Backend::Sqlite, _) => ident.value.to_ascii_lowercase(),
    }
}

fn check_reserved(name: &str) -> Checked {
    match RESERVED.into_iter().find(|prefix| name.starts_with(prefix)) {
        None => Ok(()),
        Some(prefix) => Err(Reason::Reserved { name: name.to_owned(), prefix }),
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl Checker<'_> {
    /// A table that is there and is the element's own.
    pub(super) fn own_table(&self, name: &ObjectName) -> Result<String, Reason> {
        let table = self.world.resolve(name)?;
        if self.world.is_own(&table) {
            return Ok(table);
        }
        match self.world.owner(&table) {
            Some(Owner::Element(owner)) => Err(Reason::Foreign { table, owner: owner.clone() }),
            Some(Owner::Nobody) | None => {
                Err(Reason::Unknown { table, own: self.world.own_in_words() })
            }
        }
    }

    /// A name for a table that is not there yet and may be made.
    pub(super) fn new_table(&self, name: &ObjectName) -> Result<String, Reason> {
        let table = self.world.resolve(name)?;
        match self.world.owner(&table) {
            Some(Owner::Element(owner)) if !self.world.is_own(&table) => {
                Err(Reason::Foreign { table, owner: owner.clone() })
            }
            Some(_there) => Err(Reason::Exists { kind: "table", name: table }),
            None if self.world.table_of(&table).is_some() => {
                Err(Reason::Exists { kind: "index", name: table })
            }
            None => self.world.check_given("table", &table).map(|()| table),
        }
    }

    /// An index that is there, of one of the element's own tables; with that table.
    pub(super) fn own_index(&self, name: &ObjectName) -> Result<(String, String), Reason> {
        let index = self.world.resolve(name)?;
        let unknown = || Reason::Unknown { table: index.clone(), own: self.world.own_in_words() };
        let table = self.world.table_of(&index).ok_or_else(unknown)?;
        match self.world.owner(table) {
            _any if self.world.is_own(table) => Ok((index.clone(), table.to_owned())),
            Some(Owner::Element(owner)) => {
                Err(Reason::Foreign { table: table.to_owned(), owner: owner.clone() })
            }
            Some(Owner::Nobody) | None => Err(unknown()),
        }
    }

    /// Gives a subquery its name where the walk is. One that is called like a table could be read as either,
    /// because each database has its own rules for which of them is meant.
    pub(super) fn name_subquery(&mut self, name: &Ident) -> Checked {
        let name = self.world.fold(name);
        check_reserved(&name)?;
        if self.world.owner(&name).is_some() {
            return Err(Reason::Shadows { name });
        }
        if !is_plain(&name) {
            return Err(Reason::Unresolvable { name });
        }
        self.subqueries.push(name);
        Ok(())
    }

    /// A table that is read: an own one, or a subquery in scope.
    pub(super) fn readable(&self, name: &ObjectName) -> Checked {
        let is_subquery = match &*name.0 {
            [ObjectNamePart::Identifier(ident)] => {
                self.subqueries.contains(&self.world.fold(ident))
            }
            _qualified => false,
        };
        if is_subquery { Ok(()) } else { self.own_table(name).map(|_own| ()) }
    }
}

//! The migrations of one version of a plugin, for one database, in the order in which they are run.
//!
//! A [`Chain`] is made from a descriptor and from nothing else. It guarantees: ids are UUIDs and each is
//! there once, every dependency is known and comes before, there is no cycle, an expand step can be undone,
//! and there are statements for this database. The order is the descriptor's own wherever the dependencies
//! leave a choice, so it is the same on every daemon; first come the tables of declared resources. What the
//! statements say is `check`'s business.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::descriptor::{self, Descriptor, Phase};
use semver::Version;
use uuid::Uuid;

use super::checksum::{Checksum, Content};
use crate::store::Backend;

mod error;
mod tables;

pub(crate) use error::ChainError;
pub(crate) use tables::author;

/// More are refused: it would be no schema's history but a mistake.
const MIGRATIONS_MAX: usize = 2_000;

/// A longer statement is refused.
const STATEMENT_BYTES_MAX: usize = 256 * 1024;

const NAME_CHARS_MAX: usize = 200;

/// The fixed id of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MigrationId(Uuid);

impl FromStr for MigrationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Ok(Self(Uuid::try_parse(text)?))
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Who wrote a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// The plugin's author.
    Plugin,
    /// The host: it makes the table of a declared resource.
    Host,
}

/// One migration, for one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Migration {
    /// Its id, fixed for ever.
    pub(crate) id: MigrationId,
    /// Who wrote it.
    pub(crate) author: Author,
    /// A few words, for people.
    pub(crate) name: String,
    /// What comes before it.
    pub(crate) depends_on: Vec<MigrationId>,
    /// When it is run.
    pub(crate) phase: Phase,
    /// What it does, one statement each.
    pub(crate) up: Vec<String>,
    /// What undoes it; an expand step has it.
    pub(crate) down: Option<Vec<String>>,
    /// The hook that fills in what it added.
    pub(crate) backfill: Option<String>,
    /// Of all that but the hook.
    pub(crate) checksum: Checksum,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    element: ElementName,
    version: Version,
    backend: Backend,
    slugs: Vec<String>,
    migrations: Vec<Arc<Migration>>,
}

impl Chain {
    /// The chain of a descriptor.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn of(descriptor: &Descriptor, backend: Backend) -> Result<Self, ChainError> {
        let n = descriptor.migrations.len();
        if n > MIGRATIONS_MAX {
            return Err(ChainError::TooMany { n });
        }
        let (element, version) = identity(descriptor)?;
        let mut migrations: Vec<_> = tables::of(descriptor, backend).collect();
        for declared in &descriptor.migrations {
            migrations.push(Arc::new(migration(declared, backend)?));
        }
        check_unique(&migrations)?;
        let slugs = descriptor.types.iter().map(|declared| declared.slug.clone()).collect();
        let migrations = in_order(&migrations)?;
        Ok(Self { element, version, backend, slugs, migrations })
    }

    /// A chain of these migrations, in this order.
    #[cfg(test)]
    pub(super) fn for_tests(
        version: Version,
        backend: Backend,
        migrations: Vec<Arc<Migration>>,
    ) -> Self {
        let element = "demo-app".parse().unwrap();
        Self { element, version, backend, slugs: vec!["demo".to_owned()], migrations }
    }

    /// Whose.
    pub(crate) fn element(&self) -> &ElementName {
        &self.element
    }

    /// Of which version.
    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// For which database.
    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    /// The slugs of the element's types.
    pub(crate) fn slugs(&self) -> &[String] {
        &self.slugs
    }

    /// The migrations, each after all that it depends on.
    pub(crate) fn migrations(&self) -> &[Arc<Migration>] {
        &self.migrations
    }

    /// The migration with this id.
    pub(crate) fn find(&self, id: MigrationId) -> Option<&Arc<Migration>> {
        self.migrations.iter().find(|migration| migration.id == id)
    }
}

fn identity(descriptor: &Descriptor) -> Result<(ElementName, Version), ChainError> {
    let Descriptor { element, version, .. } = descriptor;
    match (element.parse(), version.parse()) {
        (Ok(element), Ok(version)) => Ok((element, version)),
        _not_both => {
            Err(ChainError::Identity { element: element.clone(), version: version.clone() })
        }
    }
}

fn migration(declared: &descriptor::Migration, backend: Backend) -> Result<Migration, ChainError> {
    let descriptor::Migration { id, name, depends_on, phase, up, down, backfill } = declared;
    let is_uuid = |text: &String| text.parse::<MigrationId>().ok();
    let id = is_uuid(id).ok_or_else(|| ChainError::Id { name: name.clone(), id: id.clone() })?;
    let is_printable = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if !is_printable || name.starts_with(tables::NAME) || name.chars().count() > NAME_CHARS_MAX {
        return Err(ChainError::Name { id, name: name.clone() });
    }
    let mut parsed = Vec::with_capacity(depends_on.len());
    for dependency in depends_on {
        parsed.push(is_uuid(dependency).ok_or_else(|| ChainError::UnknownDependency {
            name: name.clone(),
            id,
            missing: format!("`{dependency}`"),
        })?);
    }
    let of = Of { name, id, backend };
    let up = of.statements(up, "up")?;
    let down = down.as_ref().map(|down| of.statements(down, "down")).transpose()?;
    let named = || (name.clone(), id);
    match phase {
        Phase::Expand if down.is_none() => {
            let (name, id) = named();
            return Err(ChainError::NoDown { name, id });
        }
        Phase::Contract if backfill.is_some() => {
            let (name, id) = named();
            return Err(ChainError::BackfillOfContract { name, id });
        }
        Phase::Expand | Phase::Contract => {}
    }
    if up.is_empty() && backfill.is_none() {
        let (name, id) = named();
        return Err(ChainError::Empty { name, id });
    }
    let checksum = Checksum::of(Content {
        name,
        phase: *phase,
        depends_on: &parsed,
        up: &up,
        down: down.as_deref(),
    });
    let (name, backfill) = (name.clone(), backfill.clone());
    Ok(Migration {
        id,
        author: Author::Plugin,
        name,
        depends_on: parsed,
        phase: *phase,
        up,
        down,
        backfill,
        checksum,
    })
}

/// Which migration is looked at, for what is said about its statements.
struct Of<'a> {
    name: &'a str,
    id: MigrationId,
    backend: Backend,
}

impl Of<'_> {
    fn statements(
        &self,
        all: &descriptor::Statements,
        direction: &'static str,
    ) -> Result<Vec<String>, ChainError> {
        let descriptor::Statements { sqlite, postgres } = all;
        let (ours, theirs, backend) = match self.backend {
            Backend::Sqlite => (sqlite, postgres, "SQLite"),
            Backend::Postgres => (postgres, sqlite, "PostgreSQL"),
        };
        let (name, id) = (self.name.to_owned(), self.id);
        if ours.is_empty() && !theirs.is_empty() {
            return Err(ChainError::NoStatements { name, id, direction, backend });
        }
        let long = ours.iter().position(|statement| statement.len() > STATEMENT_BYTES_MAX);
        match long {
            None => Ok(ours.clone()),
            Some(position) => Err(ChainError::StatementTooLong {
                name,
                id,
                number: position + 1,
                n_bytes: ours[position].len(),
            }),
        }
    }
}

fn check_unique(migrations: &[Arc<Migration>]) -> Result<(), ChainError> {
    let mut seen = BTreeMap::new();
    for migration in migrations {
        if let Some(first) = seen.insert(migration.id, &migration.name) {
            return Err(ChainError::Twice {
                id: migration.id,
                first: first.clone(),
                second: migration.name.clone(),
            });
        }
    }
    Ok(())
}

/// Each after all that it depends on; of those that may come next, the one that is declared first.
fn in_order(declared: &[Arc<Migration>]) -> Result<Vec<Arc<Migration>>, ChainError> {
    let positions: BTreeMap<_, _> =
        declared.iter().enumerate().map(|(position, migration)| (migration.id, position)).collect();
    let mut n_before = vec![0usize; declared.len()];
    let mut after = vec![Vec::new(); declared.len()];
    for (position, migration) in declared.iter().enumerate() {
        for dependency in &migration.depends_on {
            let Some(before) = positions.get(dependency) else {
                return Err(ChainError::UnknownDependency {
                    name: migration.name.clone(),
                    id: migration.id,
                    missing: dependency.to_string(),
                });
            };
            after[*before].push(position);
            n_before[position] += 1;
        }
    }
    let mut ready: std::collections::BTreeSet<_> =
        (0..declared.len()).filter(|position| n_before[*position] == 0).collect();
    let mut ordered = Vec::with_capacity(declared.len());
    while let Some(position) = ready.pop_first() {
        ordered.push(Arc::clone(&declared[position]));
        for later in &after[position] {
            n_before[*later] -= 1;
            if n_before[*later] == 0 {
                ready.insert(*later);
            }
        }
    }
    if ordered.len() == declared.len() {
        return Ok(ordered);
    }
    Err(ChainError::Cycle { circle: circle(declared, &positions, &n_before) })
}

/// One of the circles: from any migration that is left, each has one before it that is left too.
fn circle(
    declared: &[Arc<Migration>],
    positions: &BTreeMap<MigrationId, usize>,
    n_before: &[usize],
) -> String {
    let first = n_before.iter().position(|n| *n > 0).expect("some are left, or all had an order");
    let mut way = vec![first];
    loop {
        let last = way[way.len() - 1];
        let before = declared[last].depends_on.iter().map(|id| positions[id]);
        let next = before.clone().find(|position| n_before[*position] > 0);
        let next = next.expect("a migration is left because one before it is");
        if let Some(start) = way.iter().position(|position| *position == next) {
            let mut names: Vec<_> = way[start..]
                .iter()
                .map(|position| format!("`{}`", declared[*position].name))
                .collect();
            names.push(format!("`{}`", declared[next].name));
            return names.join(" needs ");
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests;

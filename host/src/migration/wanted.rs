//! What the declared fields of a version need of its tables, and what its migrations do not give them. Pure.
//!
//! The chain is walked as a first installation would run it, on both databases: every statement is checked as the
//! daemon checks it, and what tables become of it is followed. A column must be there before the version serves and
//! stay; an index must be there in the end. [`draft`] writes the steps that are missing.
//!
//! Not here: what a database says that there is (`fields`), which has the last word when a version is installed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use plugin_abi::descriptor::{Descriptor, Field, Kind, Resource, Unique};
use plugin_abi::resource::columns;

use super::chain::{Chain, Migration, MigrationId};
use super::check::{self, Direction, Shape, World};
use super::ledger::Ledger;
use super::plan::{Plan, plan};
use super::{Error, fields};
use crate::store::Backend;

pub(crate) mod draft;
#[cfg(test)]
mod tests;

/// What a version needs and is not given.
#[derive(Debug, Clone)]
pub(crate) struct Survey {
    /// In the order of the declared fields.
    pub(crate) gaps: Vec<Gap>,
    /// The names that indexes have, on either database.
    index_names: BTreeSet<String>,
    /// The tables that have columns of the plugin's already, so that there may be rows without a new one.
    in_use: BTreeSet<String>,
}

/// Something that a declared field needs and is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The table of its collection.
    pub(crate) table: String,
    /// The field.
    pub(crate) field: String,
    /// What it needs.
    pub(crate) need: Need,
    /// The one database on which it is missing; none: it is on both.
    pub(crate) only_on: Option<Backend>,
}

/// What a field needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// A column.
    Column {
        /// What is to be kept in it.
        kind: Kind,
        /// Whether rows are looked up by it.
        is_looked_up: bool,
        /// Whether a row without it cannot be read.
        is_required: bool,
    },
    /// A unique index.
    Unique {
        /// Among which rows.
        among: Unique,
        /// Whether its column is there already.
        has_column: bool,
    },
    /// An index that begins with it.
    Index {
        /// What is kept in it.
        kind: Kind,
        /// Whether its column is there already.
        has_column: bool,
    },
    /// A column of another type than it has.
    Type {
        /// What it has.
        declared: String,
        /// What is to be kept in it.
        kind: Kind,
    },
    /// That its column stays.
    ToStay {
        /// The contract step that drops it.
        name: String,
        /// Its id.
        id: MigrationId,
    },
}

/// The migrations cannot be run as they are.
#[derive(Debug, thiserror::Error)]
#[error("the migrations cannot be run on {backend}")]
pub(crate) struct Unrunnable {
    /// On which database.
    backend: plugin_abi::database::Backend,
    /// Why.
    source: Error,
}

/// Looks for what the declared fields need and the migrations do not give.
///
/// # Errors
/// When the migrations cannot be run.
pub(crate) fn survey(descriptor: &Descriptor) -> Result<Survey, Unrunnable> {
    let [on_sqlite, on_postgres] = [Backend::Sqlite, Backend::Postgres].map(|backend| {
        let walked = Walked::of(descriptor, backend);
        walked.map_err(|source| Unrunnable { backend: backend.into(), source })
    });
    let (on_sqlite, on_postgres) = (on_sqlite?, on_postgres?);
    let mut survey =
        Survey { gaps: Vec::new(), index_names: BTreeSet::new(), in_use: BTreeSet::new() };
    for resource in resources(descriptor) {
        for field in &resource.fields {
            let here = on_sqlite.gaps(resource, field);
            let there = on_postgres.gaps(resource, field);
            let only = |gap: &Gap, backend| Gap { only_on: Some(backend), ..gap.clone() };
            survey.gaps.extend(here.iter().map(|gap| {
                if there.contains(gap) { gap.clone() } else { only(gap, Backend::Sqlite) }
            }));
            let others = there.iter().filter(|gap| !here.contains(gap));
            survey.gaps.extend(others.map(|gap| only(gap, Backend::Postgres)));
        }
    }
    for Walked { serving, last, .. } in [&on_sqlite, &on_postgres] {
        survey.index_names.extend(last.index_names().map(str::to_owned));
        let is_own = |column: &str| !columns::ALL.iter().any(|hosts| hosts.name == column);
        let tables = resources(descriptor).map(|resource| &resource.table);
        let in_use = tables.filter(|table| serving.columns(table).any(is_own));
        survey.in_use.extend(in_use.cloned());
    }
    Ok(survey)
}

fn resources(descriptor: &Descriptor) -> impl Iterator<Item = &Resource> {
    descriptor.types.iter().flat_map(|declared| &declared.resources)
}

impl Survey {
    /// The new columns that rows which are there already cannot do without.
    pub(crate) fn demanding(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter().filter(|gap| {
            matches!(gap.need, Need::Column { is_required: true, .. })
                && self.in_use.contains(&gap.table)
        })
    }
}

/// A chain, as a first installation runs it.
struct Walked {
    backend: Backend,
    /// When the version comes to serve.
    serving: Shape,
    /// Behind each contract step that waits for later.
    later: Vec<(Arc<Migration>, Shape)>,
    /// In the end.
    last: Shape,
}

impl Walked {
    fn of(descriptor: &Descriptor, backend: Backend) -> Result<Self, Error> {
        let chain = Arc::new(Chain::of(descriptor, backend)?);
        let plan = plan(&chain, None, &Ledger::default())?;
        let mut world = World::new(chain.element(), chain.slugs(), backend);
        let mut shape = Shape::new(backend);
        for step in plan.steps() {
            follow(&mut world, &mut shape, &step.migration)?;
        }
        let serving = shape.clone();
        let Plan { pending_contract, .. } = plan;
        let mut later = Vec::with_capacity(pending_contract.len());
        for step in pending_contract {
            follow(&mut world, &mut shape, &step.migration)?;
            later.push((step.migration, shape.clone()));
        }
        Ok(Self { backend, serving, later, last: shape })
    }

    /// What a field is not given.
    fn gaps(&self, resource: &Resource, field: &Field) -> Vec<Gap> {
        let Resource { table, .. } = resource;
        let Field { name, kind, unique, indexed, required, .. } = field;
        let gap = |need| Gap { table: table.clone(), field: name.clone(), need, only_on: None };
        let mut needs = Vec::new();
        let column = self.serving.column(table, name);
        match column {
            None => needs.push(Need::Column {
                kind: *kind,
                is_looked_up: unique.is_some() || *indexed,
                is_required: *required,
            }),
            Some(declared) if !fields::holds(self.backend, declared, *kind) => {
                needs.push(Need::Type { declared: declared.to_owned(), kind: *kind });
            }
            Some(_holds) => needs.extend(self.taker(table, name)),
        }
        let has_column = column.is_some();
        if let Some(among) = *unique {
            let wanted = unique_columns(among, name);
            let mut indexes = self.last.indexes_of(table);
            if !indexes.any(|index| index.is_unique && index.is_of(&wanted)) {
                needs.push(Need::Unique { among, has_column });
            }
        }
        let begins = self.last.indexes_of(table).any(|index| index.columns.first() == Some(name));
        if *indexed && !begins {
            needs.push(Need::Index { kind: *kind, has_column });
        }
        needs.into_iter().map(gap).collect()
    }

    /// The contract step that takes a column away.
    fn taker(&self, table: &str, column: &str) -> Option<Need> {
        let is_gone = |(_, shape): &&(_, Shape)| shape.column(table, column).is_none();
        let (Migration { name, id, .. }, _shape) =
            self.later.iter().find(is_gone).map(|(migration, shape)| (&**migration, shape))?;
        Some(Need::ToStay { name: name.clone(), id: *id })
    }
}

/// Checks a migration both ways and follows what it does.
fn follow(world: &mut World, shape: &mut Shape, migration: &Migration) -> Result<(), Error> {
    check::check(world, migration, Direction::Up)?;
    if migration.down.is_some() {
        check::check(&mut world.clone(), migration, Direction::Down)?;
    }
    for sql in &migration.up {
        shape.follow(sql).expect("the check has read it");
    }
    Ok(())
}

/// The columns by which rows are unique.
fn unique_columns(among: Unique, field: &str) -> Vec<&str> {
    match among {
        Unique::Parent => vec!["parent_id", field],
        Unique::Project => vec!["project_id", field],
        Unique::Type => vec![field],
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, field, need, only_on } = self;
        match need {
            Need::Column { kind, .. } => {
                let wanted = fields::wanted(*kind);
                write!(
                    f,
                    "table `{table}` has no column `{field}` for the declared field, a `{wanted}`"
                )?;
            }
            Need::Unique { among, .. } => {
                let columns = unique_columns(*among, field).join("`, `");
                write!(
                    f,
                    "table `{table}` has no unique index on `{columns}`, by which the declared field is unique"
                )?;
            }
            Need::Index { .. } => write!(
                f,
                "table `{table}` has no index that begins with `{field}`, by which lists are filtered"
            )?,
            Need::Type { declared, kind } => write!(
                f,
                "column `{field}` of table `{table}` is `{declared}` and cannot hold the declared field, which needs `{}`",
                fields::wanted(*kind)
            )?,
            Need::ToStay { name, id } => write!(
                f,
                "contract migration `{name}` ({id}) drops column `{field}` of table `{table}`, which a declared field still has"
            )?,
        }
        match only_on {
            None => Ok(()),
            Some(backend) => {
                write!(f, " (on {} alone)", plugin_abi::database::Backend::from(*backend))
            }
        }
    }
}

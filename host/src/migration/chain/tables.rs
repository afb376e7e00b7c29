//! The steps that the host puts before a plugin's own: one for each declared resource, which makes its table.
//!
//! They are steps like any other, in plan, ledger and undo. Their ids follow from the table's name alone, so they
//! are the same in every version and on every daemon; whoever finds one in a ledger knows it by id and name.

use std::sync::Arc;

use plugin_abi::descriptor::{Descriptor, Phase};
use plugin_abi::resource::columns;
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{Author, Migration, MigrationId};
use crate::migration::checksum::{Checksum, Content};
use crate::store::Backend;

/// How their names begin, and no other's.
pub(super) const NAME: &str = "table of resources ";

/// The steps of a descriptor, as declared.
pub(super) fn of(
    descriptor: &Descriptor,
    backend: Backend,
) -> impl Iterator<Item = Arc<Migration>> {
    let resources = descriptor.types.iter().flat_map(|declared| &declared.resources);
    resources.map(move |resource| Arc::new(step(&resource.table, backend)))
}

/// Whose a migration is that has this id and this name.
pub(crate) fn author(id: MigrationId, name: &str) -> Author {
    match name.strip_prefix(NAME) {
        Some(table) if id_of(table) == id => Author::Host,
        Some(_) | None => Author::Plugin,
    }
}

fn step(table: &str, backend: Backend) -> Migration {
    let name = format!("{NAME}{table}");
    let (up, down) =
        (Vec::from(columns::create(table, backend.into())), vec![columns::drop(table)]);
    let content =
        Content { name: &name, phase: Phase::Expand, depends_on: &[], up: &up, down: Some(&down) };
    Migration {
        id: id_of(table),
        author: Author::Host,
        checksum: Checksum::of(content),
        name,
        depends_on: Vec::new(),
        phase: Phase::Expand,
        up,
        down: Some(down),
        backfill: None,
    }
}

/// A UUID of version 8: the digest of the table's name.
fn id_of(table: &str) -> MigrationId {
    let digest = Sha256::digest(format!("metapaas resource table {table}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    MigrationId(Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_host_is_known_by_its_name_and_its_id() {
        let step = step("demo_instances", Backend::Sqlite);
        assert_eq!(author(step.id, &step.name), Author::Host);
        assert_eq!(author(id_of("demo_others"), &step.name), Author::Plugin);
        assert_eq!(author(step.id, "make the table"), Author::Plugin);
        // It is in the ledgers of every daemon: it never changes.
        assert_eq!(step.id.to_string(), "168551e0-2742-8e6a-81d2-5bea95b380c2");
    }
}

//! Copying a repository, verified, to where it is nearer.
//!
//! A mirror has no keys: it serves the very bytes that the owner signed, so whoever reads it trusts the owner
//! and not the mirror. What is copied is verified first, and is written in the order in which it is published,
//! so that a mirror can be read while it is brought up to date, and be brought up to date again.

use std::path::Path;

use super::error::Error;
use super::layout::{METADATA, TARGETS, named_by_digest, unversioned, versioned};
use super::location::Location;
use super::metadata::Files;
use super::read::{Keep, Repository};
use super::role::Role;
use super::tree::{TreeError, put};
use super::trusted::version_of;

/// Where a mirror keeps what it trusts. Hidden, so that it is not served.
const TRUSTED: &str = ".trusted";

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mirrored {
    /// How many bundles the mirror has.
    pub n_targets: usize,
    /// How many bytes they have.
    pub bytes: u64,
}

/// A repository cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It cannot be read, or is not to be believed.
    #[error(transparent)]
    Read(#[from] Error),
    /// The copy cannot be written.
    #[error(transparent)]
    Write(#[from] TreeError),
}

/// Copies the repository at `location`, whose owner's root is `root`, to the folder `to`.
///
/// # Errors
/// When it cannot be read, is not to be believed, or the copy cannot be written.
pub async fn mirror(root: &[u8], location: Location, to: &Path) -> Result<Mirrored, MirrorError> {
    let mut repository = Repository::open(root, location, &to.join(TRUSTED))?;
    let files = repository.read_newest(Keep::Before).await?;
    let mut mirrored = Mirrored { n_targets: 0, bytes: 0 };
    for target in repository.targets()? {
        let place = to.join(TARGETS).join(named_by_digest(&target.path, target.digest));
        let file = repository.download(&target, &place).await?;
        mirrored.n_targets += 1;
        mirrored.bytes += file.bytes();
    }
    if let Some(version) = version_of(root) {
        put(&to.join(METADATA).join(versioned(Role::Root, version)), root)?;
    }
    write(&files, to)?;
    Ok(mirrored)
}

/// The timestamp is the last, and comes after all that it speaks of.
fn write(files: &Files, to: &Path) -> Result<(), TreeError> {
    let timestamp = unversioned(Role::Timestamp);
    let others = files.iter().filter(|(name, _bytes)| **name != timestamp);
    for (name, bytes) in others.chain(files.get_key_value(&timestamp)) {
        put(&to.join(METADATA).join(name), bytes)?;
    }
    Ok(())
}

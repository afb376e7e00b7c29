//! Where what is in the tree of a repository.
//!
//! ```text
//! metadata/1.root.json …            one for each version of root, kept for ever
//! metadata/N.targets.json
//! metadata/N.snapshot.json
//! metadata/timestamp.json           the one file that is replaced
//! targets/hello/1.4.0/<sha256>.hello-1.4.0.bundle
//! ```
//!
//! Files are named by their version or digest (TUF calls that a consistent snapshot), so one that was
//! written is never changed: whoever reads while somebody publishes sees one state or the other.

use super::role::Role;
use crate::bundle::Digest;

/// The folder of the metadata.
pub(super) const METADATA: &str = "metadata";
/// The folder of the bundles.
pub(super) const TARGETS: &str = "targets";

/// The name of a version of a role's metadata.
pub(super) fn versioned(role: Role, version: u64) -> String {
    match role {
        Role::Timestamp => unversioned(role),
        Role::Root | Role::Targets | Role::Snapshot => format!("{version}.{role}.json"),
    }
}

/// The name of a role's metadata where there is one version of it.
pub(super) fn unversioned(role: Role) -> String {
    format!("{role}.json")
}

/// Where the file of the target at `path` is, below the targets.
pub(super) fn named_by_digest(path: &str, digest: Digest) -> String {
    let digest = digest.hex();
    match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/{digest}.{name}"),
        None => format!("{digest}.{path}"),
    }
}

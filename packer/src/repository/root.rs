//! Root: which keys each role has.
//!
//! The first root is what readers are given by hand; each later one is signed by the keys of the one before
//! it and by its own, so that whoever trusts the first gets to the last. Each role has the keys it was
//! assigned, and one of them is enough.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;

use jiff::Timestamp;
use tough::schema::{RoleKeys, Root};

use super::key::PublicKey;
use super::role::Role;
use super::sign::{SPEC_VERSION, next};

/// Which keys which role is to have. A role that is left out of a rotation keeps those it has.
pub type Assignment = BTreeMap<Role, Vec<PublicKey>>;

/// The first root of a repository.
pub(super) fn first(assignment: &Assignment, expires: Timestamp) -> Root {
    let mut root = Root {
        spec_version: SPEC_VERSION.to_owned(),
        consistent_snapshot: true,
        version: NonZeroU64::MIN,
        expires,
        keys: HashMap::new(),
        roles: HashMap::new(),
        _extra: HashMap::new(),
    };
    assign(&mut root, assignment);
    root
}

/// The root after `root`, with other keys for the roles that `assignment` names.
pub(super) fn after(root: &Root, assignment: &Assignment, expires: Timestamp) -> Root {
    let mut root = root.clone();
    root.version = next(root.version);
    root.expires = expires;
    assign(&mut root, assignment);
    root
}

fn assign(root: &mut Root, assignment: &Assignment) {
    for (role, keys) in assignment {
        let keyids = keys.iter().map(|key| key.id.clone()).collect();
        let threshold = NonZeroU64::MIN;
        root.roles.insert(role.kind(), RoleKeys { keyids, threshold, _extra: HashMap::new() });
        root.keys.extend(keys.iter().map(|key| (key.id.clone(), key.key.clone())));
    }
    let used: Vec<_> = root.roles.values().flat_map(|keys| keys.keyids.clone()).collect();
    root.keys.retain(|id, _key| used.contains(id));
}

//! The four roles that sign a repository.
//!
//! `root` says which keys the others have, `targets` says what there is, `snapshot` which metadata belong
//! together, `timestamp` what is newest. Whoever has the keys of the last two alone cannot bring anybody
//! to take another bundle. Delegations to further roles are read, never made.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tough::schema::RoleType;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Whose keys are trusted.
    Root,
    /// What there is.
    Targets,
    /// Which metadata belong together.
    Snapshot,
    /// What is newest.
    Timestamp,
}

/// The text is not a role.
#[derive(Debug, Error)]
#[error("`{0}` is not a role: wanted `root`, `targets`, `snapshot` or `timestamp`")]
pub struct InvalidRole(String);

impl Role {
    /// Every role, in the order of trust.
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }

    /// The same, in the words of the format.
    pub(super) fn kind(self) -> RoleType {
        match self {
            Self::Root => RoleType::Root,
            Self::Targets => RoleType::Targets,
            Self::Snapshot => RoleType::Snapshot,
            Self::Timestamp => RoleType::Timestamp,
        }
    }
}

impl From<RoleType> for Role {
    fn from(kind: RoleType) -> Self {
        match kind {
            RoleType::Root => Self::Root,
            // Who delegated is who answers for it.
            RoleType::Targets | RoleType::DelegatedTargets => Self::Targets,
            RoleType::Snapshot => Self::Snapshot,
            RoleType::Timestamp => Self::Timestamp,
        }
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| InvalidRole(text.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

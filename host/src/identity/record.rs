//! What identity knows of, one type for each table.
//!
//! Made of the store's rows and of nothing else (`reading`); a row that cannot be read is told by table and id.
//! `words` are what kinds and places are called. Not here: how they are written, and how the API shows them.

use std::net::IpAddr;

use ipnet::IpNet;
use uuid::Uuid;

use super::caller::ProjectId;
use super::permission::Pattern;
use super::role::{BuiltIn, Rules};
use crate::timestamp::Timestamp;

mod reading;
mod words;

/// An organization: it has projects.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A project: it has instances.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) organization: Uuid,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A person.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) status: Status,
    /// The hash of the password, if there is one.
    pub(super) password: Option<String>,
    pub(super) password_changed_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A program.
#[derive(Debug, Clone)]
pub(crate) struct ServiceAccount {
    pub(crate) id: Uuid,
    /// The project whose owners look after it; nothing: the platform's.
    pub(crate) project: Option<ProjectId>,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) status: Status,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A role that somebody wrote.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) allow: Vec<Pattern>,
    pub(crate) deny: Vec<Pattern>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A principal has a role somewhere.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) id: Uuid,
    pub(crate) principal: PrincipalRef,
    pub(crate) role: RoleRef,
    pub(crate) scope: BindingScope,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
}

/// A key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: Uuid,
    /// The part of it that may be shown.
    pub(crate) key_id: String,
    pub(crate) name: String,
    pub(crate) owner: PrincipalRef,
    pub(super) hash: [u8; 32],
    pub(crate) scopes: Option<Vec<Pattern>>,
    pub(crate) project: Option<ProjectId>,
    /// Where it may be used from; empty: everywhere.
    pub(crate) cidrs: Vec<IpNet>,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) rotated_to: Option<Uuid>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) last_used_ip: Option<String>,
}

/// Whether a principal may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It may.
    Active,
    /// It may not, for now.
    Disabled,
}

/// Which principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PrincipalRef {
    pub(crate) kind: PrincipalKind,
    pub(crate) id: Uuid,
}

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    ServiceAccount,
}

/// Which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoleRef {
    /// One that every daemon has.
    BuiltIn(BuiltIn),
    /// One that somebody wrote.
    Custom(Uuid),
}

/// Where a role is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BindingScope {
    /// Everywhere.
    Platform,
    /// In every project of an organization.
    Organization(Uuid),
    /// In a project.
    Project(ProjectId),
    /// To one type in a project.
    Type(ProjectId, String),
    /// To one instance.
    Instance(ProjectId, String, Uuid),
}

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "row `{id}` of `{table}` cannot be read: column `{column}` is damaged or from another version ({reason})"
)]
pub(crate) struct Unreadable {
    table: &'static str,
    id: String,
    column: &'static str,
    reason: String,
}

impl User {
    /// Whether it can log in with a password.
    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }
}

impl Role {
    /// What it says.
    pub(super) fn rules(&self) -> Rules {
        Rules::Custom { allow: self.allow.clone(), deny: self.deny.clone() }
    }
}

impl Key {
    /// Whether it is neither over nor taken back.
    pub(crate) fn counts_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it may be used from there.
    pub(crate) fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.cidrs.is_empty() || self.cidrs.iter().any(|net| net.contains(&peer))
    }
}

impl BindingScope {
    /// The project that it is about, if it is about one.
    pub(crate) fn project(&self) -> Option<ProjectId> {
        match self {
            Self::Platform | Self::Organization(_) => None,
            Self::Project(project) | Self::Type(project, _) | Self::Instance(project, _, _) => {
                Some(*project)
            }
        }
    }
}

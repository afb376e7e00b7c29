//! What identity knows of, one type for each table.
//!
//! Made of the store's rows and of nothing else; a row that cannot be read is told by table and id. Not here: how
//! they are written, and how the API shows them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use sea_orm::entity::prelude::TimeDateTimeWithTimeZone;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::caller::ProjectId;
use super::permission::Pattern;
use super::role::{BuiltIn, Rules};
use crate::store::entity::{
    api_key, organization, project, role, role_binding, service_account, user,
};
use crate::timestamp::Timestamp;

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

/// The row that is being read, for what is said if it cannot be.
struct Reading {
    table: &'static str,
    id: String,
}

impl Reading {
    fn parse<T: FromStr<Err: fmt::Display>>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, Unreadable> {
        text.parse().map_err(|error| self.unreadable(column, &error))
    }

    fn optional<T: FromStr<Err: fmt::Display>>(
        &self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<T>, Unreadable> {
        text.map(|text| self.parse(column, text)).transpose()
    }

    fn json<T: DeserializeOwned>(
        &self,
        column: &'static str,
        value: serde_json::Value,
    ) -> Result<T, Unreadable> {
        serde_json::from_value(value).map_err(|error| self.unreadable(column, &error))
    }

    fn cidrs(&self, value: serde_json::Value) -> Result<Vec<IpNet>, Unreadable> {
        let texts: Vec<String> = self.json("cidrs", value)?;
        texts.iter().map(|text| self.parse("cidrs", text)).collect()
    }

    fn id(&self) -> Result<Uuid, Unreadable> {
        self.parse("id", &self.id)
    }

    fn unreadable(&self, column: &'static str, reason: &dyn fmt::Display) -> Unreadable {
        Unreadable { table: self.table, id: self.id.clone(), column, reason: reason.to_string() }
    }
}

fn moment(column: Option<TimeDateTimeWithTimeZone>) -> Option<Timestamp> {
    column.map(Into::into)
}

impl Organization {
    pub(super) fn read(row: organization::Model) -> Result<Self, Unreadable> {
        let organization::Model { id, name, description, created_at, updated_at } = row;
        let reading = Reading { table: "metapaas_organizations", id };
        let (created_at, updated_at) = (created_at.into(), updated_at.into());
        Ok(Self { id: reading.id()?, name, description, created_at, updated_at })
    }
}

impl Project {
    pub(super) fn read(row: project::Model) -> Result<Self, Unreadable> {
        let project::Model { id, organization_id, name, description, created_at, updated_at } = row;
        let reading = Reading { table: "metapaas_projects", id };
        let organization = reading.parse("organization_id", &organization_id)?;
        let (created_at, updated_at) = (created_at.into(), updated_at.into());
        let id = ProjectId::of(reading.id()?);
        Ok(Self { id, organization, name, description, created_at, updated_at })
    }
}

impl User {
    pub(super) fn read(row: user::Model) -> Result<Self, Unreadable> {
        let user::Model {
            id,
            name,
            description,
            status,
            password,
            password_changed_at,
            created_at,
            updated_at,
        } = row;
        let reading = Reading { table: "metapaas_users", id };
        Ok(Self {
            id: reading.id()?,
            name,
            description,
            status: reading.parse("status", &status)?,
            password,
            password_changed_at: moment(password_changed_at),
            created_at: created_at.into(),
            updated_at: updated_at.into(),
        })
    }
}

impl ServiceAccount {
    pub(super) fn read(row: service_account::Model) -> Result<Self, Unreadable> {
        let service_account::Model {
            id,
            project_id,
            name,
            description,
            status,
            created_at,
            updated_at,
        } = row;
        let reading = Reading { table: "metapaas_service_accounts", id };
        Ok(Self {
            id: reading.id()?,
            project: reading.optional("project_id", project_id.as_deref())?,
            name,
            description,
            status: reading.parse("status", &status)?,
            created_at: created_at.into(),
            updated_at: updated_at.into(),
        })
    }
}

impl Role {
    pub(super) fn read(row: role::Model) -> Result<Self, Unreadable> {
        let role::Model { id, name, description, allow, deny, created_at, updated_at } = row;
        let reading = Reading { table: "metapaas_roles", id };
        Ok(Self {
            id: reading.id()?,
            name,
            description,
            allow: reading.json("allow", allow)?,
            deny: reading.json("deny", deny)?,
            created_at: created_at.into(),
            updated_at: updated_at.into(),
        })
    }
}

impl Binding {
    pub(super) fn read(row: role_binding::Model) -> Result<Self, Unreadable> {
        let role_binding::Model {
            id,
            principal_kind,
            principal_id,
            role,
            scope,
            created_by,
            created_at,
        } = row;
        let reading = Reading { table: "metapaas_role_bindings", id };
        Ok(Self {
            id: reading.id()?,
            principal: PrincipalRef {
                kind: reading.parse("principal_kind", &principal_kind)?,
                id: reading.parse("principal_id", &principal_id)?,
            },
            role: reading.parse("role", &role)?,
            scope: reading.parse("scope", &scope)?,
            created_by,
            created_at: created_at.into(),
        })
    }
}

impl Key {
    pub(super) fn read(row: api_key::Model) -> Result<Self, Unreadable> {
        let api_key::Model {
            id,
            key_id,
            name,
            principal_kind,
            principal_id,
            hash,
            scopes,
            project_id,
            cidrs,
            created_by,
            created_at,
            expires_at,
            revoked_at,
            rotated_to,
            last_used_at,
            last_used_ip,
        } = row;
        let reading = Reading { table: "metapaas_api_keys", id };
        let mut digest = [0; 32];
        hex::decode_to_slice(&hash, &mut digest)
            .map_err(|error| reading.unreadable("hash", &error))?;
        Ok(Self {
            id: reading.id()?,
            key_id,
            name,
            owner: PrincipalRef {
                kind: reading.parse("principal_kind", &principal_kind)?,
                id: reading.parse("principal_id", &principal_id)?,
            },
            hash: digest,
            scopes: scopes.map(|scopes| reading.json("scopes", scopes)).transpose()?,
            project: reading.optional("project_id", project_id.as_deref())?,
            cidrs: reading.cidrs(cidrs)?,
            created_by,
            created_at: created_at.into(),
            expires_at: moment(expires_at),
            revoked_at: moment(revoked_at),
            rotated_to: reading.optional("rotated_to", rotated_to.as_deref())?,
            last_used_at: moment(last_used_at),
            last_used_ip,
        })
    }
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

// === words ===

impl Status {
    /// As rows and documents have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "DISABLED" => Ok(Self::Disabled),
            other => Err(format!("there is no status `{other}`")),
        }
    }
}

impl PrincipalKind {
    /// As rows, documents and names of principals have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ServiceAccount => "service-account",
        }
    }
}

impl FromStr for PrincipalKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "user" => Ok(Self::User),
            "service-account" => Ok(Self::ServiceAccount),
            other => Err(format!("there is no kind of principal `{other}`")),
        }
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(role) => f.write_str(role.name()),
            Self::Custom(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl FromStr for RoleRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(role) = BuiltIn::named(text) {
            return Ok(Self::BuiltIn(role));
        }
        text.parse().map(Self::Custom).map_err(|_no_id| format!("there is no role `{text}`"))
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

impl fmt::Display for BindingScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Organization(id) => write!(f, "organization/{id}"),
            Self::Project(id) => write!(f, "project/{id}"),
            Self::Type(project, slug) => write!(f, "project/{project}/{slug}"),
            Self::Instance(project, slug, id) => write!(f, "project/{project}/{slug}/{id}"),
        }
    }
}

impl FromStr for BindingScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = |text: &str| text.parse::<Uuid>().map_err(|error| error.to_string());
        let project = |text: &str| id(text).map(ProjectId::of);
        match *text.split('/').collect::<Vec<_>>() {
            ["platform"] => Ok(Self::Platform),
            ["organization", of] => Ok(Self::Organization(id(of)?)),
            ["project", of] => Ok(Self::Project(project(of)?)),
            ["project", of, slug] => Ok(Self::Type(project(of)?, slug.to_owned())),
            ["project", of, slug, instance] => {
                Ok(Self::Instance(project(of)?, slug.to_owned(), id(instance)?))
            }
            [..] => Err(format!("there is no scope `{text}`")),
        }
    }
}

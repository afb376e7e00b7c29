//! Records as rows: each column read, or told by its name.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use sea_orm::entity::prelude::TimeDateTimeWithTimeZone;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{
    Binding, Key, Organization, PrincipalRef, Project, Role, ServiceAccount, Unreadable, User,
};
use crate::identity::caller::ProjectId;
use crate::store::entity::{
    api_key, organization, project, role, role_binding, service_account, user,
};
use crate::timestamp::Timestamp;

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
    pub(in crate::identity) fn read(row: organization::Model) -> Result<Self, Unreadable> {
        let organization::Model { id, name, description, created_at, updated_at } = row;
        let reading = Reading { table: "metapaas_organizations", id };
        let (created_at, updated_at) = (created_at.into(), updated_at.into());
        Ok(Self { id: reading.id()?, name, description, created_at, updated_at })
    }
}

impl Project {
    pub(in crate::identity) fn read(row: project::Model) -> Result<Self, Unreadable> {
        let project::Model { id, organization_id, name, description, created_at, updated_at } = row;
        let reading = Reading { table: "metapaas_projects", id };
        let organization = reading.parse("organization_id", &organization_id)?;
        let (created_at, updated_at) = (created_at.into(), updated_at.into());
        let id = ProjectId::of(reading.id()?);
        Ok(Self { id, organization, name, description, created_at, updated_at })
    }
}

impl User {
    pub(in crate::identity) fn read(row: user::Model) -> Result<Self, Unreadable> {
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
    pub(in crate::identity) fn read(row: service_account::Model) -> Result<Self, Unreadable> {
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
    pub(in crate::identity) fn read(row: role::Model) -> Result<Self, Unreadable> {
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
    pub(in crate::identity) fn read(row: role_binding::Model) -> Result<Self, Unreadable> {
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
    pub(in crate::identity) fn read(row: api_key::Model) -> Result<Self, Unreadable> {
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

//! Callers for the tests, in a world without a store.

use std::sync::Arc;

use uuid::Uuid;

use super::caller::{Caller, Credential, Limits, ProjectId};
use super::record::{
    Binding, BindingScope, Organization, PrincipalKind, PrincipalRef, Project, Role, RoleRef,
    Status, User,
};
use super::register::{Register, Rows};
use super::role::BuiltIn;
use crate::timestamp::Timestamp;

/// What there is, made piece by piece.
#[derive(Debug, Default)]
pub(crate) struct World {
    rows: Rows,
    gate: Option<&'static str>,
}

impl World {
    /// An organization.
    pub(crate) fn organization(&mut self, name: &str) -> Uuid {
        let (id, now) = (Uuid::now_v7(), Timestamp::now());
        let organization = Organization {
            id,
            name: name.to_owned(),
            description: String::new(),
            created_at: now,
            updated_at: now,
        };
        self.rows.organizations.insert(id, organization);
        id
    }

    /// A project of it.
    pub(crate) fn project(&mut self, organization: Uuid, name: &str) -> ProjectId {
        let (id, now) = (ProjectId::random(), Timestamp::now());
        let project = Project {
            id,
            organization,
            name: name.to_owned(),
            description: String::new(),
            created_at: now,
            updated_at: now,
        };
        self.rows.projects.insert(id, project);
        id
    }

    /// A user, who may do nothing yet.
    pub(crate) fn user(&mut self, name: &str) -> PrincipalRef {
        let (id, now) = (Uuid::now_v7(), Timestamp::now());
        let user = User {
            id,
            name: name.to_owned(),
            description: String::new(),
            status: Status::Active,
            password: None,
            password_changed_at: None,
            created_at: now,
            updated_at: now,
        };
        self.rows.users.insert(id, user);
        PrincipalRef { kind: PrincipalKind::User, id }
    }

    /// A role of somebody's making.
    pub(crate) fn role(&mut self, allow: &[&str], deny: &[&str]) -> RoleRef {
        let (id, now) = (Uuid::now_v7(), Timestamp::now());
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let role = Role {
            id,
            name: id.to_string(),
            description: String::new(),
            allow: patterns(allow),
            deny: patterns(deny),
            created_at: now,
            updated_at: now,
        };
        self.rows.roles.insert(id, role);
        RoleRef::Custom(id)
    }

    /// Binds a role to a principal.
    pub(crate) fn bind(&mut self, principal: PrincipalRef, role: RoleRef, scope: BindingScope) {
        let id = Uuid::now_v7();
        let (created_by, created_at) = ("user:admin".to_owned(), Timestamp::now());
        let binding = Binding { id, principal, role, scope, created_by, created_at };
        self.rows.bindings.insert(id, binding);
    }

    /// Asks for a role in the project of this name too.
    pub(crate) fn gate(&mut self, project: &'static str) {
        self.gate = Some(project);
    }

    /// A new user with one role in one place, calling.
    pub(crate) fn caller_with(&mut self, name: &str, role: BuiltIn, scope: BindingScope) -> Caller {
        let user = self.user(name);
        self.bind(user, RoleRef::BuiltIn(role), scope);
        self.caller(name)
    }

    /// The user of this name, calling in the world as it is now.
    pub(crate) fn caller(&self, name: &str) -> Caller {
        self.limited(name, Limits::default())
    }

    /// The same with a key that narrows what it may.
    pub(super) fn limited(&self, name: &str, limits: Limits) -> Caller {
        let register = Arc::new(Register::new(self.rows.clone(), self.gate));
        let id = register.user_named(name).expect("the user was made before").id;
        let principal = PrincipalRef { kind: PrincipalKind::User, id };
        Caller::new(&register, principal, Credential::Own, limits, None)
            .expect("the user is active")
    }
}

//! Refusing a caller what it may not do, with the role that it lacks.

use uuid::Uuid;

use super::{Caller, Scope};
use crate::identity::record::{BindingScope, RoleRef};
use crate::identity::role::BuiltIn;

/// A permission that a caller has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("permission `{permission}` is missing")]
pub(crate) struct Forbidden {
    /// Which.
    pub(crate) permission: String,
    /// Where it is missing.
    pub(crate) place: Place,
    /// The smallest built-in role that would grant it.
    pub(crate) role: &'static str,
}

/// Where a permission is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the platform.
    Platform,
    /// In the organization of this name.
    Organization(String),
    /// In the project of this name.
    Project(String),
}

impl Forbidden {
    /// It is missing in all of these projects.
    pub(crate) fn in_any_of(permission: &str, projects: &[String]) -> Self {
        Self {
            permission: permission.to_owned(),
            place: Place::Project(projects.join(", ")),
            role: BuiltIn::smallest(permission, false).name(),
        }
    }

    /// All of them are needed there, without a key that narrows them.
    fn everything(place: Place) -> Self {
        let role = match place {
            Place::Platform => BuiltIn::PlatformAdmin,
            Place::Organization(_) | Place::Project(_) => BuiltIn::Owner,
        };
        Self { permission: "*.*.*".to_owned(), place, role: role.name() }
    }
}

impl Caller {
    /// Refuses what it may not do there.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn demand(&self, permission: &str, scope: &Scope<'_>) -> Result<(), Forbidden> {
        if self.allows(permission, scope) {
            return Ok(());
        }
        let project = self.0.register.project(scope.project);
        let project = project.map_or_else(|| scope.project.to_string(), |known| known.name.clone());
        let role = BuiltIn::smallest(permission, false).name();
        let place = Place::Project(project);
        Err(Forbidden { permission: permission.to_owned(), place, role })
    }

    /// Refuses what it may not do on the platform.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn demand_on_platform(&self, permission: &str) -> Result<(), Forbidden> {
        if self.allows_on_platform(permission) {
            return Ok(());
        }
        let role = BuiltIn::smallest(permission, true).name();
        Err(Forbidden { permission: permission.to_owned(), place: Place::Platform, role })
    }

    /// Refuses what it may not do in an organization.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn demand_in_organization(
        &self,
        permission: &str,
        organization: Uuid,
    ) -> Result<(), Forbidden> {
        if self.allows_in_organization(permission, organization) {
            return Ok(());
        }
        let known = self.0.register.rows().organizations.get(&organization);
        let name = known.map_or_else(|| organization.to_string(), |known| known.name.clone());
        let place = Place::Organization(name);
        let role = BuiltIn::smallest(permission, false).name();
        Err(Forbidden { permission: permission.to_owned(), place, role })
    }

    /// Refuses whoever may not do everything.
    ///
    /// # Errors
    /// It may not, or came with what narrows its rights.
    pub(crate) fn demand_everything(&self) -> Result<(), Forbidden> {
        let has_all = self.0.grants.have_everything(&BindingScope::Platform);
        if has_all && !self.is_narrowed() {
            Ok(())
        } else {
            Err(Forbidden::everything(Place::Platform))
        }
    }

    /// Refuses to let it give `role` to anybody in `scope`, unless it has there what the role grants.
    ///
    /// # Errors
    /// It has not, or came with what narrows its rights.
    pub(crate) fn demand_to_pass_on(
        &self,
        role: &RoleRef,
        scope: &BindingScope,
    ) -> Result<(), Forbidden> {
        let rules = self.0.register.rules(role);
        let may = rules.is_some_and(|rules| self.0.grants.may_pass_on(&rules, scope));
        if may && !self.is_narrowed() {
            return Ok(());
        }
        let place = match scope {
            BindingScope::Platform => Place::Platform,
            BindingScope::Organization(id) => Place::Organization(
                self.0
                    .register
                    .rows()
                    .organizations
                    .get(id)
                    .map_or_else(String::new, |it| it.name.clone()),
            ),
            BindingScope::Project(id)
            | BindingScope::Type(id, _)
            | BindingScope::Instance(id, _, _) => Place::Project(
                self.0.register.project(*id).map_or_else(String::new, |it| it.name.clone()),
            ),
        };
        Err(Forbidden::everything(place))
    }

    /// Refuses what a narrowed key or token must not do: make another secret, which would not be.
    pub(crate) fn narrowed(&self) -> Forbidden {
        Forbidden::everything(Place::Platform)
    }
}

//! Who is calling, and what they may.
//!
//! A [`Caller`] is what authentication yields: a principal, its roles as they were at that moment, and what the
//! key or token that it came with narrows them to. Asking one takes no lock, no query and no allocation. Who keeps
//! one for longer than a request watches [`Identity::generation`](super::Identity::generation) and renews it.
//!
//! Invariants: what no role grants is denied; a denial beats every grant; a key never widens what its owner may.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use super::access_token::Claims;
use super::grants::{Grants, Seen};
use super::permission::{Pattern, Permission};
use super::record::{BindingScope, PrincipalRef, Project};
use super::register::Register;
use crate::timestamp::Timestamp;

mod demand;

pub(crate) use demand::{Forbidden, Place};

/// The id of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ProjectId(Uuid);

/// Who is calling. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Caller(Arc<Inner>);

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The project that it is in.
    pub(crate) project: ProjectId,
    /// The type, if it is about one.
    pub(crate) slug: Option<&'a str>,
    /// The instance, if it is about one; its type is said too.
    pub(crate) instance: Option<Uuid>,
}

/// What may be seen of a type, for lists and watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visible {
    /// All there is.
    Everything,
    /// What is in `projects` but for `hidden`, and `instances` wherever they are.
    Some {
        /// All of these projects.
        projects: BTreeSet<ProjectId>,
        /// Single ones elsewhere.
        instances: BTreeSet<Uuid>,
        /// Single ones in `projects` that are not seen.
        hidden: BTreeSet<Uuid>,
    },
    /// Nothing.
    Nothing,
}

/// By what a caller was recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The admin token, with the part of it that may be shown.
    AdminToken(String),
    /// A key, with the part of it that may be shown.
    ApiKey(String),
    /// A short-lived token, with what it says.
    Token(Arc<Claims>),
    /// A password.
    Password,
    /// None: the daemon itself.
    Own,
}

/// Why it is not known which project is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProjectError {
    /// There is none of this name or id, or the caller has nothing to do with it.
    #[error("there is no project `{0}`")]
    NotFound(String),
    /// The caller has several and named none.
    #[error("the caller has {} projects and named none", .0.len())]
    Ambiguous(Vec<String>),
    /// The caller has none.
    #[error("the caller has no project")]
    None,
}

#[derive(Debug)]
struct Inner {
    principal: PrincipalRef,
    /// `user:admin`.
    name: Arc<str>,
    credential: Credential,
    limits: Limits,
    /// From where, for the audit.
    peer: Option<IpAddr>,
    grants: Arc<Grants>,
    register: Arc<Register>,
    /// When it was recognized, by whatever it came with.
    since: Timestamp,
}

/// What a key narrows its owner's rights to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// A permission must be meant by one pattern of each; none: all are.
    pub(super) scopes: Vec<Arc<[Pattern]>>,
    /// The only project; nothing: all, and the platform.
    pub(super) project: Option<ProjectId>,
}

impl Caller {
    /// The principal `principal`, as `register` knows it, by `credential`; nothing if it is not there or disabled.
    pub(super) fn new(
        register: &Arc<Register>,
        principal: PrincipalRef,
        credential: Credential,
        limits: Limits,
        peer: Option<IpAddr>,
    ) -> Option<Self> {
        let (name, grants) = register.standing(principal)?;
        let (register, since) = (Arc::clone(register), Timestamp::now());
        Some(Self(Arc::new(Inner {
            principal,
            name,
            credential,
            limits,
            peer,
            grants,
            register,
            since,
        })))
    }

    /// It with the rights that it has by `register`.
    pub(super) fn renewed(&self, register: &Arc<Register>) -> Option<Self> {
        let Inner { principal, credential, limits, peer, since, .. } = &*self.0;
        let (name, grants) = register.standing(*principal)?;
        Some(Self(Arc::new(Inner {
            principal: *principal,
            name,
            credential: credential.clone(),
            limits: limits.clone(),
            peer: *peer,
            grants,
            register: Arc::clone(register),
            since: *since,
        })))
    }

    /// When it was recognized.
    pub(super) fn since(&self) -> Timestamp {
        self.0.since
    }

    /// How logs, events and plugins know it: `user:admin`.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Which principal it is.
    pub(crate) fn principal(&self) -> PrincipalRef {
        self.0.principal
    }

    /// By what it was recognized.
    pub(crate) fn credential(&self) -> &Credential {
        &self.0.credential
    }

    /// From where it calls.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.0.peer
    }

    /// The patterns that its key or token narrows its rights to; all of the sets hold.
    pub(crate) fn scopes(&self) -> &[Arc<[Pattern]>] {
        &self.0.limits.scopes
    }

    /// The one project that its key or token is good for.
    pub(crate) fn only_project(&self) -> Option<ProjectId> {
        self.0.limits.project
    }

    /// Whether it may do that there.
    pub(crate) fn allows(&self, permission: &str, scope: &Scope<'_>) -> bool {
        let Some(permission) = Permission::parse(permission) else { return false };
        self.is_in_limits(permission, Some(scope.project))
            && self.passes_the_gate()
            && self.0.grants.allow(permission, scope)
    }

    /// Whether it may do what is about the platform and no project of it: elements, nodes, organizations.
    pub(crate) fn allows_on_platform(&self, permission: &str) -> bool {
        let Some(permission) = Permission::parse(permission) else { return false };
        self.is_in_limits(permission, None) && self.0.grants.allow_on_platform(permission)
    }

    /// Whether it may do that in an organization.
    pub(crate) fn allows_in_organization(&self, permission: &str, organization: Uuid) -> bool {
        let Some(permission) = Permission::parse(permission) else { return false };
        self.is_in_limits(permission, None)
            && self.0.grants.allow_in_organization(permission, organization)
    }

    /// Whether what it came with narrows its rights.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.0.limits != Limits::default()
    }

    /// Whether it may know of an organization: it may read it, or has a project in it.
    pub(crate) fn sees_organization(&self, id: Uuid) -> bool {
        self.allows_in_organization("iam.organization.read", id)
            || self.projects().iter().any(|project| {
                self.0.register.project(*project).is_some_and(|project| project.organization == id)
            })
    }

    /// Whether it may know of a project: it has a role in it.
    pub(crate) fn sees_project(&self, id: ProjectId) -> bool {
        self.has(id)
    }

    /// What of the instances of `slug` this permission lets it see.
    pub(crate) fn visible(&self, permission: &str, slug: &str) -> Visible {
        let Some(permission) = Permission::parse(permission) else { return Visible::Nothing };
        let all: Vec<_> = self.0.register.project_ids().collect();
        let visible = self.visible_among(permission, slug, &all);
        // Who has all projects by roles in each has not the one that is made next.
        let has_all = match &visible {
            Visible::Some { projects, hidden, .. } => {
                projects.len() == all.len() && hidden.is_empty()
            }
            Visible::Everything | Visible::Nothing => all.is_empty(),
        };
        if has_all
            && self.is_in_limits(permission, None)
            && self.0.grants.allow_on_platform(permission)
        {
            return Visible::Everything;
        }
        visible
    }

    /// The same, of those in one project.
    pub(crate) fn visible_in(&self, permission: &str, slug: &str, project: ProjectId) -> Visible {
        let Some(permission) = Permission::parse(permission) else { return Visible::Nothing };
        self.visible_among(permission, slug, &[project])
    }

    fn visible_among(
        &self,
        permission: Permission<'_>,
        slug: &str,
        among: &[ProjectId],
    ) -> Visible {
        let (mut projects, mut instances, mut hidden) =
            <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
        for project in among.iter().copied() {
            if !self.is_in_limits(permission, Some(project)) || !self.passes_the_gate() {
                continue;
            }
            let seen = self.0.grants.seen(permission, slug, project);
            let Seen { all, instances: single, hidden: unseen } = seen;
            if all {
                projects.insert(project);
            }
            instances.extend(single);
            hidden.extend(unseen);
        }
        if projects.is_empty() && instances.is_empty() {
            return Visible::Nothing;
        }
        Visible::Some { projects, instances, hidden }
    }

    /// The projects that it has something to do with.
    pub(crate) fn projects(&self) -> BTreeSet<ProjectId> {
        self.0.register.project_ids().filter(|project| self.has(*project)).collect()
    }

    /// The project that a request is about: the one that it names by id or name, or the caller's only one.
    ///
    /// # Errors
    /// It names none that the caller has, or none where there are several.
    pub(crate) fn project(&self, named: Option<&str>) -> Result<ProjectId, ProjectError> {
        if let Some(named) = named {
            let found = self.0.register.project_named(named).map(|project| project.id);
            let found = found.filter(|project| self.has(*project));
            return found.ok_or_else(|| ProjectError::NotFound(named.to_owned()));
        }
        let mut own = self.projects().into_iter();
        match (own.next(), own.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(ProjectError::None),
            (Some(_), Some(_)) => {
                let names =
                    self.projects().into_iter().filter_map(|id| self.0.register.project(id));
                Err(ProjectError::Ambiguous(names.map(|project| project.name.clone()).collect()))
            }
        }
    }

    /// A project as it was when the caller was recognized.
    pub(crate) fn project_of(&self, id: ProjectId) -> Option<&Project> {
        self.0.register.project(id)
    }

    fn has(&self, project: ProjectId) -> bool {
        let Inner { limits, grants, .. } = &*self.0;
        limits.project.is_none_or(|only| only == project) && grants.has_any_in(project)
    }

    fn is_in_limits(&self, permission: Permission<'_>, project: Option<ProjectId>) -> bool {
        let Limits { scopes, project: only } = &self.0.limits;
        let in_scopes =
            scopes.iter().all(|scopes| scopes.iter().any(|scope| scope.means(permission)));
        in_scopes && only.is_none_or(|only| project == Some(only))
    }

    /// Whether a role in the platform's project is there too, where the settings ask for one.
    fn passes_the_gate(&self) -> bool {
        match self.0.register.gate() {
            None => true,
            Some(project) => self.0.grants.has_any_in(project),
        }
    }
}

impl<'a> Scope<'a> {
    /// That of a binding, if it is in a project.
    pub(super) fn of(scope: &'a BindingScope) -> Option<Self> {
        let (project, slug, instance) = match scope {
            BindingScope::Platform | BindingScope::Organization(_) => return None,
            BindingScope::Project(project) => (*project, None, None),
            BindingScope::Type(project, slug) => (*project, Some(slug.as_str()), None),
            BindingScope::Instance(project, slug, id) => (*project, Some(slug.as_str()), Some(*id)),
        };
        Some(Self { project, slug, instance })
    }
}

impl ProjectId {
    /// The id that is `id`.
    pub(crate) fn of(id: Uuid) -> Self {
        Self(id)
    }

    /// A new one.
    pub(super) fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// It as it is.
    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for ProjectId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests;

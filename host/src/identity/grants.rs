//! What one principal may, by where: the roles that are bound to it, ready to be asked.
//!
//! Pure, and made anew for each [`Register`](super::register::Register): asking takes no lock and no query.
//! Invariants: nothing is allowed that no role grants; one denial that holds somewhere beats every grant there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::caller::{ProjectId, Scope};
use super::permission::Permission;
use super::record::BindingScope;
use super::role::{BuiltIn, Rules, Verdict};

/// The roles of one principal.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// Those that hold everywhere.
    pub(super) platform: Vec<Arc<Rules>>,
    /// Those of an organization.
    pub(super) organizations: BTreeMap<Uuid, Vec<Arc<Rules>>>,
    /// Those of a project, its organization's included.
    pub(super) projects: BTreeMap<ProjectId, Vec<Bound>>,
}

/// A role in a project.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) rules: Arc<Rules>,
    pub(super) reach: Reach,
}

/// How much of a project a role is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of it.
    Project,
    /// One type.
    Type(String),
    /// One instance of a type.
    Instance(String, Uuid),
}

/// What several roles say together.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    is_granted: bool,
    is_denied: bool,
}

/// What may be seen of one type in one project.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether it is all but `hidden`.
    pub(super) all: bool,
    /// The instances that are seen though not all are.
    pub(super) instances: BTreeSet<Uuid>,
    /// The instances that are not seen though all others are.
    pub(super) hidden: BTreeSet<Uuid>,
}

impl Grants {
    /// Whether the roles that hold everywhere allow `permission`.
    pub(super) fn allow_on_platform(&self, permission: Permission<'_>) -> bool {
        self.sum_on_platform(permission).allows()
    }

    /// Whether `permission` is allowed in the organization `id`.
    pub(super) fn allow_in_organization(&self, permission: Permission<'_>, id: Uuid) -> bool {
        let mut sum = self.sum_on_platform(permission);
        for rules in self.organizations.get(&id).into_iter().flatten() {
            sum.add(rules.say(permission));
        }
        sum.allows()
    }

    /// Whether `permission` is allowed there.
    pub(super) fn allow(&self, permission: Permission<'_>, scope: &Scope<'_>) -> bool {
        let mut sum = self.sum_on_platform(permission);
        for bound in self.projects.get(&scope.project).into_iter().flatten() {
            if bound.reach.holds(scope) {
                sum.add(bound.rules.say(permission));
            }
        }
        sum.allows()
    }

    /// What `permission` lets be seen of the instances of `slug` in `project`.
    pub(super) fn seen(&self, permission: Permission<'_>, slug: &str, project: ProjectId) -> Seen {
        let scope = |instance| Scope { project, slug: Some(slug), instance };
        let all = self.allow(permission, &scope(None));
        let mut seen = Seen { all, ..Seen::default() };
        for bound in self.projects.get(&project).into_iter().flatten() {
            let Reach::Instance(of, id) = &bound.reach else { continue };
            if of != slug {
                continue;
            }
            match (all, self.allow(permission, &scope(Some(*id)))) {
                (false, true) => drop(seen.instances.insert(*id)),
                (true, false) => drop(seen.hidden.insert(*id)),
                (true, true) | (false, false) => {}
            }
        }
        seen
    }

    /// Those of somebody who may do everything, whatever else is bound to them.
    pub(super) fn of_an_admin() -> Self {
        let rules = Arc::new(Rules::BuiltIn(BuiltIn::PlatformAdmin));
        Self { platform: vec![rules], ..Self::default() }
    }

    /// Takes `rules` in where `scope` says; `projects` are those of an organization.
    pub(super) fn add(
        &mut self,
        rules: &Arc<Rules>,
        scope: &BindingScope,
        projects: impl Fn(Uuid) -> Vec<ProjectId>,
    ) {
        let (project, reach) = match scope {
            BindingScope::Platform => return self.platform.push(Arc::clone(rules)),
            BindingScope::Organization(id) => {
                self.organizations.entry(*id).or_default().push(Arc::clone(rules));
                for project in projects(*id) {
                    self.bind(rules, project, Reach::Project);
                }
                return;
            }
            BindingScope::Project(project) => (project, Reach::Project),
            BindingScope::Type(project, slug) => (project, Reach::Type(slug.clone())),
            BindingScope::Instance(project, slug, id) => {
                (project, Reach::Instance(slug.clone(), *id))
            }
        };
        self.bind(rules, *project, reach);
    }

    fn bind(&mut self, rules: &Arc<Rules>, project: ProjectId, reach: Reach) {
        let rules = Arc::clone(rules);
        self.projects.entry(project).or_default().push(Bound { rules, reach });
    }

    /// Whether whoever has these may do everything in `scope`.
    pub(super) fn have_everything(&self, scope: &BindingScope) -> bool {
        let own = self.rules_in(scope);
        own.iter().any(|rules| rules.grants_everything()) && !own.iter().any(|rules| rules.denies())
    }

    /// Whether whoever has these has in `scope` all that `rules` grant.
    pub(super) fn may_pass_on(&self, rules: &Rules, scope: &BindingScope) -> bool {
        let own = self.rules_in(scope);
        let has_it = own.iter().any(|held| held.grants_everything() || *held == rules);
        has_it && !own.iter().any(|held| held.denies())
    }

    /// All that holds in `scope`.
    fn rules_in(&self, scope: &BindingScope) -> Vec<&Rules> {
        let mut all: Vec<&Rules> = self.platform.iter().map(AsRef::as_ref).collect();
        if let BindingScope::Organization(id) = scope {
            all.extend(self.organizations.get(id).into_iter().flatten().map(AsRef::as_ref));
        }
        if let Some(place) = Scope::of(scope) {
            let bound = self.projects.get(&place.project).into_iter().flatten();
            all.extend(bound.filter(|bound| bound.reach.holds(&place)).map(|bound| &*bound.rules));
        }
        all
    }

    /// Whether any role is bound in `project`, or everywhere.
    pub(super) fn has_any_in(&self, project: ProjectId) -> bool {
        !self.platform.is_empty() || self.projects.contains_key(&project)
    }

    fn sum_on_platform(&self, permission: Permission<'_>) -> Sum {
        let mut sum = Sum::default();
        for rules in &self.platform {
            sum.add(rules.say(permission));
        }
        sum
    }
}

impl Reach {
    fn holds(&self, scope: &Scope<'_>) -> bool {
        match self {
            Self::Project => true,
            Self::Type(slug) => scope.slug == Some(slug),
            Self::Instance(slug, id) => scope.slug == Some(slug) && scope.instance == Some(*id),
        }
    }
}

impl Sum {
    fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Allow => self.is_granted = true,
            Verdict::Deny => self.is_denied = true,
            Verdict::Silent => {}
        }
    }

    fn allows(self) -> bool {
        self.is_granted && !self.is_denied
    }
}

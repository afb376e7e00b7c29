//! All that identity knows, in memory, as it was at one moment.
//!
//! A register is immutable and replaced as a whole when rows changed, so that a request is measured by one state of
//! things, takes no lock and asks the store nothing. What is derived of the rows (who may what) is made once, when
//! it is. Not here: who replaces it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use uuid::Uuid;

use super::caller::ProjectId;
use super::grants::Grants;
use super::record::{
    Binding, Key, Organization, PrincipalKind, PrincipalRef, Project, Role, RoleRef,
    ServiceAccount, Status, Unreadable, User,
};
use super::role::Rules;
use crate::store::entity::{
    api_key, identity_revision, organization, project, role, role_binding, service_account, user,
};

/// The user that every daemon has, who may do everything and cannot be removed.
pub(super) const ADMIN: &str = "admin";

/// The name of the one row that says how often anything changed.
pub(super) const REVISION: &str = "identity";

/// How often all is read again because something changed meanwhile.
const READS_MAX: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Register {
    rows: Rows,
    project_names: HashMap<String, ProjectId>,
    user_names: HashMap<String, Uuid>,
    key_ids: HashMap<String, Uuid>,
    principals: HashMap<PrincipalRef, Standing>,
    /// The project in which a role is needed too, where the settings say so.
    gate: Option<ProjectId>,
}

/// The rows themselves, by id and so in the order in which they were made.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rows {
    pub(crate) revision: i64,
    pub(crate) organizations: BTreeMap<Uuid, Organization>,
    pub(crate) projects: BTreeMap<ProjectId, Project>,
    pub(crate) users: BTreeMap<Uuid, User>,
    pub(crate) service_accounts: BTreeMap<Uuid, ServiceAccount>,
    pub(crate) roles: BTreeMap<Uuid, Role>,
    pub(crate) bindings: BTreeMap<Uuid, Binding>,
    pub(crate) keys: BTreeMap<Uuid, Key>,
}

/// A principal, ready to call.
#[derive(Debug)]
struct Standing {
    name: Arc<str>,
    status: Status,
    grants: Arc<Grants>,
}

/// Why the rows cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The store failed.
    #[error("who may do what cannot be read from the store")]
    Store(#[from] DbErr),
    /// A row makes no sense.
    #[error(transparent)]
    Row(#[from] Unreadable),
    /// It never stood still.
    #[error("who may do what changed {READS_MAX} times while it was read: try again")]
    Restless,
}

impl Rows {
    /// All rows, as they were at one moment.
    pub(super) async fn load(db: &impl ConnectionTrait) -> Result<Self, LoadError> {
        for _read in 0..READS_MAX {
            let before = revision(db).await?;
            let rows = Self { revision: before, ..Self::read(db).await? };
            if revision(db).await? == before {
                return Ok(rows);
            }
        }
        Err(LoadError::Restless)
    }

    async fn read(db: &impl ConnectionTrait) -> Result<Self, LoadError> {
        macro_rules! rows {
            ($entity:ident, $record:ident, $id:ident) => {{
                let rows = $entity::Entity::find().all(db).await?;
                let read = |row| $record::read(row).map(|record| (record.$id, record));
                rows.into_iter().map(read).collect::<Result<BTreeMap<_, _>, _>>()?
            }};
        }
        Ok(Self {
            revision: 0,
            organizations: rows!(organization, Organization, id),
            projects: rows!(project, Project, id),
            users: rows!(user, User, id),
            service_accounts: rows!(service_account, ServiceAccount, id),
            roles: rows!(role, Role, id),
            bindings: rows!(role_binding, Binding, id),
            keys: rows!(api_key, Key, id),
        })
    }
}

/// How often anything changed.
pub(super) async fn revision(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let row = identity_revision::Entity::find_by_id(REVISION).one(db).await?;
    Ok(row.map_or(0, |row| row.revision))
}

impl Register {
    /// What follows of these rows. `gate` is the name of the project in which everybody needs a role as well.
    pub(super) fn new(rows: Rows, gate: Option<&str>) -> Self {
        let named = |project: &Project| (project.name.clone(), project.id);
        let project_names: HashMap<_, _> = rows.projects.values().map(named).collect();
        let users = rows.users.values().map(|user| (user.name.clone(), user.id));
        let keys = rows.keys.values().map(|key| (key.key_id.clone(), key.id));
        // Without that project only roles of the platform pass.
        let nowhere = ProjectId::of(Uuid::nil());
        let gate = gate.map(|name| project_names.get(name).copied().unwrap_or(nowhere));
        Self {
            user_names: users.collect(),
            key_ids: keys.collect(),
            principals: principals(&rows),
            project_names,
            gate,
            rows,
        }
    }

    /// The rows.
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// A project.
    pub(crate) fn project(&self, id: ProjectId) -> Option<&Project> {
        self.rows.projects.get(&id)
    }

    /// The project of this id or name.
    pub(crate) fn project_named(&self, text: &str) -> Option<&Project> {
        let id = match text.parse() {
            Ok(id) => id,
            Err(_no_id) => *self.project_names.get(text)?,
        };
        self.project(id)
    }

    /// Every project.
    pub(super) fn project_ids(&self) -> impl Iterator<Item = ProjectId> {
        self.rows.projects.keys().copied()
    }

    /// The user of this name.
    pub(crate) fn user_named(&self, name: &str) -> Option<&User> {
        self.rows.users.get(self.user_names.get(name)?)
    }

    /// The organization of this id or name.
    pub(crate) fn organization_named(&self, text: &str) -> Option<&Organization> {
        match text.parse::<Uuid>() {
            Ok(id) => self.rows.organizations.get(&id),
            Err(_no_id) => self.rows.organizations.values().find(|one| one.name == text),
        }
    }

    /// The user of this id or name.
    pub(crate) fn user_of(&self, text: &str) -> Option<&User> {
        match text.parse::<Uuid>() {
            Ok(id) => self.rows.users.get(&id),
            Err(_no_id) => self.user_named(text),
        }
    }

    /// The service account of this id or name.
    pub(crate) fn service_account_of(&self, text: &str) -> Option<&ServiceAccount> {
        match text.parse::<Uuid>() {
            Ok(id) => self.rows.service_accounts.get(&id),
            Err(_no_id) => self.rows.service_accounts.values().find(|one| one.name == text),
        }
    }

    /// The role of this id or name.
    pub(crate) fn role_named(&self, text: &str) -> Option<RoleRef> {
        match text.parse::<RoleRef>() {
            Ok(RoleRef::Custom(id)) => {
                self.rows.roles.contains_key(&id).then_some(RoleRef::Custom(id))
            }
            Ok(built_in @ RoleRef::BuiltIn(_)) => Some(built_in),
            Err(_no_id) => {
                let found = self.rows.roles.values().find(|role| role.name == text);
                found.map(|role| RoleRef::Custom(role.id))
            }
        }
    }

    /// The key of this id, or with this shown part.
    pub(crate) fn key_of(&self, text: &str) -> Option<&Key> {
        match text.parse::<Uuid>() {
            Ok(id) => self.rows.keys.get(&id),
            Err(_no_id) => self.key_named(text),
        }
    }

    /// What a role says.
    pub(super) fn rules(&self, role: &RoleRef) -> Option<Rules> {
        match role {
            RoleRef::BuiltIn(role) => Some(Rules::BuiltIn(*role)),
            RoleRef::Custom(id) => self.rows.roles.get(id).map(Role::rules),
        }
    }

    /// The user who may do everything.
    pub(super) fn admin(&self) -> Option<PrincipalRef> {
        let id = *self.user_names.get(ADMIN)?;
        Some(PrincipalRef { kind: PrincipalKind::User, id })
    }

    /// The key whose shown part is this.
    pub(super) fn key_named(&self, key_id: &str) -> Option<&Key> {
        self.rows.keys.get(self.key_ids.get(key_id)?)
    }

    /// The name and the rights of a principal that may call.
    pub(super) fn standing(&self, principal: PrincipalRef) -> Option<(Arc<str>, Arc<Grants>)> {
        let Standing { name, status, grants } = self.principals.get(&principal)?;
        match status {
            Status::Active => Some((Arc::clone(name), Arc::clone(grants))),
            Status::Disabled => None,
        }
    }

    /// What a principal is called, whether or not it may call.
    pub(crate) fn name_of(&self, principal: PrincipalRef) -> Option<&str> {
        self.principals.get(&principal).map(|standing| &*standing.name)
    }

    /// The project in which a role is needed too.
    pub(super) fn gate(&self) -> Option<ProjectId> {
        self.gate
    }
}

fn principals(rows: &Rows) -> HashMap<PrincipalRef, Standing> {
    let mut grants = grants(rows);
    let mut principals = HashMap::new();
    let mut add = |kind, id, name: &str, status| {
        let principal = PrincipalRef { kind, id };
        let own = grants.remove(&principal).unwrap_or_default();
        let is_admin = kind == PrincipalKind::User && name == ADMIN;
        // Whatever is bound to it, the way back in stays open.
        let own = if is_admin { Grants::of_an_admin() } else { own };
        let name = format!("{}:{name}", kind.word()).into();
        principals.insert(principal, Standing { name, status, grants: Arc::new(own) });
    };
    for user in rows.users.values() {
        add(PrincipalKind::User, user.id, &user.name, user.status);
    }
    for account in rows.service_accounts.values() {
        add(PrincipalKind::ServiceAccount, account.id, &account.name, account.status);
    }
    principals
}

fn grants(rows: &Rows) -> HashMap<PrincipalRef, Grants> {
    let projects_of = |organization: Uuid| {
        let all = rows.projects.values();
        all.filter(|project| project.organization == organization)
            .map(|project| project.id)
            .collect()
    };
    let custom: HashMap<Uuid, Arc<Rules>> =
        rows.roles.values().map(|role| (role.id, Arc::new(role.rules()))).collect();
    let mut grants: HashMap<PrincipalRef, Grants> = HashMap::new();
    for binding in rows.bindings.values() {
        let rules = match &binding.role {
            RoleRef::BuiltIn(role) => Arc::new(Rules::BuiltIn(*role)),
            RoleRef::Custom(id) => match custom.get(id) {
                Some(rules) => Arc::clone(rules),
                None => continue,
            },
        };
        grants.entry(binding.principal).or_default().add(&rules, &binding.scope, projects_of);
    }
    grants
}

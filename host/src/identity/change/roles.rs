//! Roles that are not built in, and who has which role where.

use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

use super::principals::check_there;
use super::{ChangeError, Kind, Name, Refusal, check_free, check_unused, not_found};
use crate::identity::Identity;
use crate::identity::permission::Pattern;
use crate::identity::record::{BindingScope, PrincipalKind, PrincipalRef, RoleRef};
use crate::identity::register::{ADMIN, Rows};
use crate::identity::role::BuiltIn;
use crate::store::entity::{role, role_binding};
use crate::timestamp::Timestamp;

/// A role that shall be.
#[derive(Debug)]
pub(crate) struct NewRole {
    pub(crate) name: Name,
    pub(crate) description: String,
    pub(crate) allow: Vec<Pattern>,
    pub(crate) deny: Vec<Pattern>,
}

/// What shall be otherwise about a role.
#[derive(Debug, Default)]
pub(crate) struct RolePatch {
    pub(crate) description: Option<String>,
    pub(crate) allow: Option<Vec<Pattern>>,
    pub(crate) deny: Option<Vec<Pattern>>,
}

/// A role that somebody shall have.
#[derive(Debug)]
pub(crate) struct NewBinding {
    pub(crate) principal: PrincipalRef,
    pub(crate) role: RoleRef,
    pub(crate) scope: BindingScope,
    pub(crate) created_by: String,
}

impl Identity {
    /// Makes a role.
    pub(crate) async fn create_role(&self, new: NewRole) -> Result<Uuid, ChangeError> {
        let NewRole { name, description, allow, deny } = new;
        self.change(async |db, rows| {
            if BuiltIn::named(name.as_str()).is_some() {
                return Err(Refusal::Taken { kind: Kind::Role, name: name.to_string() }.into());
            }
            check_free(Kind::Role, &name, rows.roles.values().map(|one| &one.name))?;
            let (id, now) = (Uuid::now_v7(), Timestamp::now().into_inner());
            let row = role::ActiveModel {
                id: Set(id.to_string()),
                name: Set(name.to_string()),
                description: Set(description),
                allow: Set(document(&allow)),
                deny: Set(document(&deny)),
                created_at: Set(now),
                updated_at: Set(now),
            };
            role::Entity::insert(row).exec_without_returning(db).await?;
            Ok(id)
        })
        .await
    }

    /// Changes a role, for everybody who has it.
    pub(crate) async fn update_role(&self, id: Uuid, patch: RolePatch) -> Result<(), ChangeError> {
        let RolePatch { description, allow, deny } = patch;
        self.change(async |db, rows| {
            if !rows.roles.contains_key(&id) {
                return Err(not_found(Kind::Role, id).into());
            }
            let mut row = role::ActiveModel {
                id: Set(id.to_string()),
                updated_at: Set(Timestamp::now().into_inner()),
                ..Default::default()
            };
            if let Some(description) = description {
                row.description = Set(description);
            }
            if let Some(allow) = allow {
                row.allow = Set(document(&allow));
            }
            if let Some(deny) = deny {
                row.deny = Set(document(&deny));
            }
            role::Entity::update(row).exec_without_returning(db).await?;
            Ok(())
        })
        .await
    }

    /// Removes a role that nobody has.
    pub(crate) async fn delete_role(&self, id: Uuid) -> Result<(), ChangeError> {
        self.change(async |db, rows| {
            let Some(one) = rows.roles.get(&id) else {
                return Err(not_found(Kind::Role, id).into());
            };
            let bound =
                rows.bindings.values().filter(|binding| binding.role == RoleRef::Custom(id));
            check_unused(Kind::Role, &one.name, bound.count(), "role bindings")?;
            role::Entity::delete_by_id(id.to_string()).exec(db).await?;
            Ok(())
        })
        .await
    }

    /// Gives a role to somebody; the binding that there is already, if there is one.
    pub(crate) async fn create_binding(&self, new: NewBinding) -> Result<Uuid, ChangeError> {
        let NewBinding { principal, role, scope, created_by } = new;
        self.change(async |db, rows| {
            check_there(rows, principal)?;
            check_scope(rows, &scope)?;
            check_place(rows, &role, &scope)?;
            let same = rows
                .bindings
                .values()
                .find(|one| (one.principal, &one.role, &one.scope) == (principal, &role, &scope));
            if let Some(same) = same {
                return Ok(same.id);
            }
            let id = Uuid::now_v7();
            let row = role_binding::ActiveModel {
                id: Set(id.to_string()),
                principal_kind: Set(principal.kind.word().to_owned()),
                principal_id: Set(principal.id.to_string()),
                role: Set(role.to_string()),
                scope: Set(scope.to_string()),
                created_by: Set(created_by),
                created_at: Set(Timestamp::now().into_inner()),
            };
            role_binding::Entity::insert(row).exec_without_returning(db).await?;
            Ok(id)
        })
        .await
    }

    /// Takes a role from somebody.
    pub(crate) async fn delete_binding(&self, id: Uuid) -> Result<(), ChangeError> {
        self.change(async |db, rows| {
            let Some(one) = rows.bindings.get(&id) else {
                return Err(not_found(Kind::RoleBinding, id).into());
            };
            let of_a_user = one.principal.kind == PrincipalKind::User;
            let user = of_a_user.then(|| rows.users.get(&one.principal.id)).flatten();
            let is_admins = user.is_some_and(|user| user.name == ADMIN);
            if is_admins && one.role == RoleRef::BuiltIn(BuiltIn::PlatformAdmin) {
                let (kind, name) = (Kind::RoleBinding, id.to_string());
                return Err(Refusal::BuiltIn { kind, name }.into());
            }
            role_binding::Entity::delete_by_id(id.to_string()).exec(db).await?;
            Ok(())
        })
        .await
    }
}

fn document(patterns: &[Pattern]) -> serde_json::Value {
    serde_json::to_value(patterns).expect("patterns are strings")
}

fn check_scope(rows: &Rows, scope: &BindingScope) -> Result<(), Refusal> {
    match scope {
        BindingScope::Platform => Ok(()),
        BindingScope::Organization(id) => super::organization_in(rows, *id),
        BindingScope::Project(id)
        | BindingScope::Type(id, _)
        | BindingScope::Instance(id, _, _) => super::project_in(rows, *id),
    }
}

/// A built-in role is either of the platform or of what is in it.
fn check_place(rows: &Rows, role: &RoleRef, scope: &BindingScope) -> Result<(), Refusal> {
    let on_platform = *scope == BindingScope::Platform;
    match role {
        RoleRef::BuiltIn(role) if role.is_of_the_platform() != on_platform => {
            Err(Refusal::Misplaced {
                role: role.name().to_owned(),
                on_platform: role.is_of_the_platform(),
            })
        }
        RoleRef::Custom(id) if !rows.roles.contains_key(id) => Err(not_found(Kind::Role, id)),
        RoleRef::BuiltIn(_) | RoleRef::Custom(_) => Ok(()),
    }
}

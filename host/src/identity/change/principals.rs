//! Users and service accounts.

use sea_orm::{ActiveValue::Set, DbErr, EntityTrait};
use uuid::Uuid;

use super::{
    ChangeError, Kind, Name, Refusal, check_free, not_found, project_in, remove_belongings,
};
use crate::identity::Identity;
use crate::identity::caller::ProjectId;
use crate::identity::password::Password;
use crate::identity::record::{PrincipalKind, PrincipalRef, Status};
use crate::identity::register::{ADMIN, Rows};
use crate::store::Transaction;
use crate::store::entity::{service_account, user};
use crate::timestamp::Timestamp;

/// A user who shall be.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) name: Name,
    pub(crate) description: String,
    pub(crate) password: Option<Password>,
}

/// A service account that shall be.
#[derive(Debug)]
pub(crate) struct NewServiceAccount {
    pub(crate) project: Option<ProjectId>,
    pub(crate) name: Name,
    pub(crate) description: String,
}

/// What shall be otherwise about one of them.
#[derive(Debug, Default)]
pub(crate) struct PrincipalPatch {
    pub(crate) description: Option<String>,
    pub(crate) status: Option<Status>,
    /// Users have one.
    pub(crate) password: Option<Password>,
}

impl Identity {
    /// Makes a user.
    pub(crate) async fn create_user(&self, new: NewUser) -> Result<Uuid, ChangeError> {
        let NewUser { name, description, password } = new;
        let hash = hashed(password).await?;
        self.change(async |db, rows| {
            check_free(Kind::User, &name, rows.users.values().map(|one| &one.name))?;
            let (id, now) = (Uuid::now_v7(), Timestamp::now().into_inner());
            let row = user::ActiveModel {
                id: Set(id.to_string()),
                name: Set(name.to_string()),
                description: Set(description),
                status: Set(Status::Active.word().to_owned()),
                password_changed_at: Set(hash.is_some().then_some(now)),
                password: Set(hash),
                created_at: Set(now),
                updated_at: Set(now),
            };
            user::Entity::insert(row).exec_without_returning(db).await?;
            Ok(id)
        })
        .await
    }

    /// Makes a service account.
    pub(crate) async fn create_service_account(
        &self,
        new: NewServiceAccount,
    ) -> Result<Uuid, ChangeError> {
        let NewServiceAccount { project, name, description } = new;
        self.change(async |db, rows| {
            if let Some(project) = project {
                project_in(rows, project)?;
            }
            let others = rows.service_accounts.values().map(|one| &one.name);
            check_free(Kind::ServiceAccount, &name, others)?;
            let (id, now) = (Uuid::now_v7(), Timestamp::now().into_inner());
            let row = service_account::ActiveModel {
                id: Set(id.to_string()),
                project_id: Set(project.map(|project| project.to_string())),
                name: Set(name.to_string()),
                description: Set(description),
                status: Set(Status::Active.word().to_owned()),
                created_at: Set(now),
                updated_at: Set(now),
            };
            service_account::Entity::insert(row).exec_without_returning(db).await?;
            Ok(id)
        })
        .await
    }

    /// Changes a user or service account.
    pub(crate) async fn update_principal(
        &self,
        principal: PrincipalRef,
        patch: PrincipalPatch,
    ) -> Result<(), ChangeError> {
        let PrincipalPatch { description, status, password } = patch;
        let hash = hashed(password).await?;
        self.change(async |db, rows| {
            check_there(rows, principal)?;
            if status == Some(Status::Disabled) {
                check_not_admin(rows, principal)?;
            }
            match principal.kind {
                PrincipalKind::User => {
                    update_user(db, principal.id, description, status, hash).await?
                }
                PrincipalKind::ServiceAccount => {
                    update_account(db, principal.id, description, status).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes a user or service account with its roles and keys.
    pub(crate) async fn delete_principal(
        &self,
        principal: PrincipalRef,
    ) -> Result<(), ChangeError> {
        self.change(async |db, rows| {
            check_there(rows, principal)?;
            check_not_admin(rows, principal)?;
            remove_belongings(db, principal).await?;
            let id = principal.id.to_string();
            match principal.kind {
                PrincipalKind::User => user::Entity::delete_by_id(id).exec(db).await?,
                PrincipalKind::ServiceAccount => {
                    service_account::Entity::delete_by_id(id).exec(db).await?
                }
            };
            Ok(())
        })
        .await
    }
}

/// Hashing takes long on purpose: not on a thread that answers others.
async fn hashed(password: Option<Password>) -> Result<Option<String>, ChangeError> {
    let Some(password) = password else { return Ok(None) };
    password.hash().await.map(Some).map_err(ChangeError::Secret)
}

async fn update_user(
    db: &Transaction,
    id: Uuid,
    description: Option<String>,
    status: Option<Status>,
    hash: Option<String>,
) -> Result<(), DbErr> {
    let now = Timestamp::now().into_inner();
    let mut row =
        user::ActiveModel { id: Set(id.to_string()), updated_at: Set(now), ..Default::default() };
    if let Some(description) = description {
        row.description = Set(description);
    }
    if let Some(status) = status {
        row.status = Set(status.word().to_owned());
    }
    if let Some(hash) = hash {
        row.password = Set(Some(hash));
        row.password_changed_at = Set(Some(now));
    }
    user::Entity::update(row).exec_without_returning(db).await?;
    Ok(())
}

async fn update_account(
    db: &Transaction,
    id: Uuid,
    description: Option<String>,
    status: Option<Status>,
) -> Result<(), DbErr> {
    let mut row = service_account::ActiveModel {
        id: Set(id.to_string()),
        updated_at: Set(Timestamp::now().into_inner()),
        ..Default::default()
    };
    if let Some(description) = description {
        row.description = Set(description);
    }
    if let Some(status) = status {
        row.status = Set(status.word().to_owned());
    }
    service_account::Entity::update(row).exec_without_returning(db).await?;
    Ok(())
}

/// A principal that is there.
pub(super) fn check_there(rows: &Rows, principal: PrincipalRef) -> Result<(), Refusal> {
    let (is_there, kind) = match principal.kind {
        PrincipalKind::User => (rows.users.contains_key(&principal.id), Kind::User),
        PrincipalKind::ServiceAccount => {
            (rows.service_accounts.contains_key(&principal.id), Kind::ServiceAccount)
        }
    };
    if is_there { Ok(()) } else { Err(not_found(kind, principal.id)) }
}

fn check_not_admin(rows: &Rows, principal: PrincipalRef) -> Result<(), Refusal> {
    let user =
        (principal.kind == PrincipalKind::User).then(|| rows.users.get(&principal.id)).flatten();
    match user.filter(|user| user.name == ADMIN) {
        Some(user) => Err(Refusal::BuiltIn { kind: Kind::User, name: user.name.clone() }),
        None => Ok(()),
    }
}

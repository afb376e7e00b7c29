//! What the first start makes: an organization, a project, and the user whose token is printed.
//!
//! All of it in one transaction, once: the user is the mark, because it cannot be removed. What is removed later
//! does not come back.

use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::record::{BindingScope, PrincipalKind, Status};
use super::register::{ADMIN, REVISION};
use super::role::BuiltIn;
use crate::store::Store;
use crate::store::entity::{identity_revision, organization, project, role_binding, user};
use crate::timestamp::Timestamp;

/// The name of the first organization and of its project.
const FIRST: &str = "default";
/// Who made them.
const MAKER: &str = "system:bootstrap";

/// Makes it, unless it was made.
pub(super) async fn run(store: &Store) -> Result<(), DbErr> {
    let db = store.begin().await?;
    let made = user::Entity::find().filter(user::Column::Name.eq(ADMIN)).one(&db).await?;
    if made.is_some() {
        return db.commit().await;
    }
    let now = Timestamp::now().into_inner();
    let [organization, project, admin, binding] =
        std::array::from_fn(|_| Uuid::now_v7().to_string());
    let row = identity_revision::ActiveModel { name: Set(REVISION.to_owned()), revision: Set(1) };
    identity_revision::Entity::insert(row).exec_without_returning(&db).await?;
    let row = organization::ActiveModel {
        id: Set(organization.clone()),
        name: Set(FIRST.to_owned()),
        description: Set("made by the first start".to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    organization::Entity::insert(row).exec_without_returning(&db).await?;
    let row = project::ActiveModel {
        id: Set(project),
        organization_id: Set(organization),
        name: Set(FIRST.to_owned()),
        description: Set("made by the first start".to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    project::Entity::insert(row).exec_without_returning(&db).await?;
    let row = user::ActiveModel {
        id: Set(admin.clone()),
        name: Set(ADMIN.to_owned()),
        description: Set("the holder of the admin token".to_owned()),
        status: Set(Status::Active.word().to_owned()),
        password: Set(None),
        password_changed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    user::Entity::insert(row).exec_without_returning(&db).await?;
    let row = role_binding::ActiveModel {
        id: Set(binding),
        principal_kind: Set(PrincipalKind::User.word().to_owned()),
        principal_id: Set(admin),
        role: Set(BuiltIn::PlatformAdmin.name().to_owned()),
        scope: Set(BindingScope::Platform.to_string()),
        created_by: Set(MAKER.to_owned()),
        created_at: Set(now),
    };
    role_binding::Entity::insert(row).exec_without_returning(&db).await?;
    db.commit().await
}

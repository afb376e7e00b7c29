//! Organizations and their projects.

use std::collections::BTreeMap;

use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{ChangeError, Kind, Name, check_free, check_unused, not_found, organization_in};
use crate::identity::Identity;
use crate::identity::caller::ProjectId;
use crate::identity::quota::{self as limits, Limits};
use crate::identity::record::BindingScope;
use crate::store::entity::{api_key, organization, project, quota, role_binding};
use crate::timestamp::Timestamp;

/// An organization that shall be.
#[derive(Debug)]
pub(crate) struct NewOrganization {
    pub(crate) name: Name,
    pub(crate) description: String,
}

/// A project that shall be.
#[derive(Debug)]
pub(crate) struct NewProject {
    pub(crate) organization: Uuid,
    pub(crate) name: Name,
    pub(crate) description: String,
}

/// What shall be otherwise about one of them.
#[derive(Debug, Default)]
pub(crate) struct PlacePatch {
    pub(crate) name: Option<Name>,
    pub(crate) description: Option<String>,
}

impl Identity {
    /// Makes an organization.
    pub(crate) async fn create_organization(
        &self,
        new: NewOrganization,
    ) -> Result<Uuid, ChangeError> {
        let NewOrganization { name, description } = new;
        self.change(async |db, rows| {
            check_free(
                Kind::Organization,
                &name,
                rows.organizations.values().map(|one| &one.name),
            )?;
            let (id, now) = (Uuid::now_v7(), Timestamp::now().into_inner());
            let row = organization::ActiveModel {
                id: Set(id.to_string()),
                name: Set(name.to_string()),
                description: Set(description),
                created_at: Set(now),
                updated_at: Set(now),
            };
            organization::Entity::insert(row).exec_without_returning(db).await?;
            Ok(id)
        })
        .await
    }

    /// Changes an organization.
    pub(crate) async fn update_organization(
        &self,
        id: Uuid,
        patch: PlacePatch,
    ) -> Result<(), ChangeError> {
        let PlacePatch { name, description } = patch;
        self.change(async |db, rows| {
            organization_in(rows, id)?;
            let mut row = organization::ActiveModel {
                id: Set(id.to_string()),
                updated_at: Set(Timestamp::now().into_inner()),
                ..Default::default()
            };
            if let Some(name) = name {
                let others = rows.organizations.values().filter(|one| one.id != id);
                check_free(Kind::Organization, &name, others.map(|one| &one.name))?;
                row.name = Set(name.to_string());
            }
            if let Some(description) = description {
                row.description = Set(description);
            }
            organization::Entity::update(row).exec_without_returning(db).await?;
            Ok(())
        })
        .await
    }

    /// Removes an organization that has no projects.
    pub(crate) async fn delete_organization(&self, id: Uuid) -> Result<(), ChangeError> {
        self.change(async |db, rows| {
            let Some(one) = rows.organizations.get(&id) else {
                return Err(not_found(Kind::Organization, id).into());
            };
            let n = rows.projects.values().filter(|project| project.organization == id).count();
            check_unused(Kind::Organization, &one.name, n, "projects")?;
            let here = BindingScope::Organization(id).to_string();
            role_binding::Entity::delete_many()
                .filter(role_binding::Column::Scope.eq(here))
                .exec(db)
                .await?;
            organization::Entity::delete_by_id(id.to_string()).exec(db).await?;
            Ok(())
        })
        .await
    }

    /// Makes a project.
    pub(crate) async fn create_project(&self, new: NewProject) -> Result<ProjectId, ChangeError> {
        let NewProject { organization, name, description } = new;
        self.change(async |db, rows| {
            organization_in(rows, organization)?;
            check_free(Kind::Project, &name, rows.projects.values().map(|one| &one.name))?;
            let (id, now) = (ProjectId::random(), Timestamp::now().into_inner());
            let row = project::ActiveModel {
                id: Set(id.to_string()),
                organization_id: Set(organization.to_string()),
                name: Set(name.to_string()),
                description: Set(description),
                created_at: Set(now),
                updated_at: Set(now),
            };
            project::Entity::insert(row).exec_without_returning(db).await?;
            Ok(id)
        })
        .await
    }

    /// Changes a project.
    pub(crate) async fn update_project(
        &self,
        id: ProjectId,
        patch: PlacePatch,
    ) -> Result<(), ChangeError> {
        let PlacePatch { name, description } = patch;
        self.change(async |db, rows| {
            super::project_in(rows, id)?;
            let mut row = project::ActiveModel {
                id: Set(id.to_string()),
                updated_at: Set(Timestamp::now().into_inner()),
                ..Default::default()
            };
            if let Some(name) = name {
                let others = rows.projects.values().filter(|one| one.id != id);
                check_free(Kind::Project, &name, others.map(|one| &one.name))?;
                row.name = Set(name.to_string());
            }
            if let Some(description) = description {
                row.description = Set(description);
            }
            project::Entity::update(row).exec_without_returning(db).await?;
            Ok(())
        })
        .await
    }

    /// Removes a project that has neither instances nor service accounts, with the roles, keys and limits in it.
    pub(crate) async fn delete_project(&self, id: ProjectId) -> Result<(), ChangeError> {
        let usage = self.usage();
        self.change(async |db, rows| {
            let Some(one) = rows.projects.get(&id) else {
                return Err(not_found(Kind::Project, id).into());
            };
            // One that is being made holds the project: it is counted, or finds none any more.
            project::Entity::find_by_id(id.to_string()).lock_exclusive().one(db).await?;
            let n = usage.n_instances(db, id).await?;
            check_unused(Kind::Project, &one.name, n, "instances")?;
            let accounts = rows.service_accounts.values();
            let n = accounts.filter(|account| account.project == Some(id)).count();
            check_unused(Kind::Project, &one.name, n, "service accounts")?;
            let text = id.to_string();
            let whole = BindingScope::Project(id).to_string();
            role_binding::Entity::delete_many()
                .filter(
                    role_binding::Column::Scope
                        .eq(whole.clone())
                        .or(role_binding::Column::Scope.starts_with(format!("{whole}/"))),
                )
                .exec(db)
                .await?;
            api_key::Entity::delete_many()
                .filter(api_key::Column::ProjectId.eq(text.clone()))
                .exec(db)
                .await?;
            quota::Entity::delete_many()
                .filter(quota::Column::ProjectId.eq(text.clone()))
                .exec(db)
                .await?;
            project::Entity::delete_by_id(text).exec(db).await?;
            Ok(())
        })
        .await
    }

    /// The limits of a project, by type.
    pub(crate) async fn quotas(&self, id: ProjectId) -> Result<BTreeMap<String, Limits>, DbErr> {
        limits::of_project(self.store.connection(), id).await
    }

    /// Sets all limits of a project; what it has beyond them stays.
    pub(crate) async fn set_quotas(
        &self,
        id: ProjectId,
        quotas: BTreeMap<String, Limits>,
    ) -> Result<(), ChangeError> {
        self.change(async |db, rows| {
            super::project_in(rows, id)?;
            Ok(limits::set(db, id, quotas).await?)
        })
        .await
    }
}

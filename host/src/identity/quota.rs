//! Limits of projects: how much of a type a project may have.
//!
//! The resource engine [`hold`]s a project in the transaction that makes or grows an instance, asks the [`Limits`]
//! that it gets with what its own rows say is used, and commits or not. Holding makes such transactions of one
//! project and type come one after the other where there is a limit, and keeps the project from being removed
//! meanwhile; where there is none it costs two reads. What is used is told by [`Usage`].

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
};
use serde::{Deserialize, Serialize};

use super::caller::ProjectId;
use crate::store::Transaction;
use crate::store::entity::{project, quota};
use crate::timestamp::Timestamp;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Instances.
    Instances,
    /// Processor cores, in thousandths.
    CpuMillis,
    /// Memory.
    RamBytes,
    /// Disk.
    DiskBytes,
    /// Replicas of all instances together.
    Replicas,
    /// Deployments within the last hour.
    DeploymentsPerHour,
}

/// How much of each a project may have of one type; what is not named has no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Limits(BTreeMap<Measure, u64>);

/// More than the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{measure} of the project would be {wanted}, and its limit is {limit}")]
pub(crate) struct Exceeded {
    pub(crate) measure: Measure,
    pub(crate) limit: u64,
    /// What it has.
    pub(crate) used: u64,
    /// What it would have.
    pub(crate) wanted: u64,
}

/// How much of each measure a project uses, by type.
pub(crate) type Used = BTreeMap<String, BTreeMap<Measure, u64>>;

/// Tells what is used. The resource engine is the one who knows.
pub(crate) trait Usage: fmt::Debug + Send + Sync {
    /// What a project uses.
    fn used(&self, project: ProjectId) -> BoxFuture<'_, Result<Used, DbErr>>;

    /// How many instances a project has, those that are being deleted included, as `db` sees it.
    fn n_instances<'a>(
        &'a self,
        db: &'a Transaction,
        project: ProjectId,
    ) -> BoxFuture<'a, Result<usize, DbErr>>;
}

/// As long as nobody makes instances there are none.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoInstances;

/// The limits of `slug` in `project`, which both stay as they are until the transaction ends; nothing if there is no
/// such project any more.
pub(crate) async fn hold(
    db: &impl ConnectionTrait,
    project: ProjectId,
    slug: &str,
) -> Result<Option<Limits>, DbErr> {
    let there =
        project::Entity::find_by_id(project.to_string()).lock(LockType::Share).one(db).await?;
    if there.is_none() {
        return Ok(None);
    }
    let key = (project.to_string(), slug.to_owned());
    let row = quota::Entity::find_by_id(key).lock(LockType::Update).one(db).await?;
    row.map_or(Ok(Some(Limits::default())), |row| read(row.limits).map(Some))
}

/// The limits of a project, by type.
pub(crate) async fn of_project(
    db: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<BTreeMap<String, Limits>, DbErr> {
    let rows = quota::Entity::find()
        .filter(quota::Column::ProjectId.eq(project.to_string()))
        .all(db)
        .await?;
    rows.into_iter().map(|row| Ok((row.slug, read(row.limits)?))).collect()
}

/// Sets the limits of a project: those of the types that are named, and of no others.
pub(super) async fn set(
    db: &Transaction,
    project: ProjectId,
    limits: BTreeMap<String, Limits>,
) -> Result<(), DbErr> {
    quota::Entity::delete_many()
        .filter(quota::Column::ProjectId.eq(project.to_string()))
        .filter(quota::Column::Slug.is_not_in(limits.keys().cloned()))
        .exec(db)
        .await?;
    for (slug, limits) in limits {
        let row = quota::ActiveModel {
            project_id: Set(project.to_string()),
            slug: Set(slug),
            limits: Set(serde_json::to_value(limits).expect("limits are numbers by name")),
            updated_at: Set(Timestamp::now().into_inner()),
        };
        let replace = OnConflict::columns([quota::Column::ProjectId, quota::Column::Slug])
            .update_columns([quota::Column::Limits, quota::Column::UpdatedAt])
            .to_owned();
        quota::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await?;
    }
    Ok(())
}

fn read(document: serde_json::Value) -> Result<Limits, DbErr> {
    serde_json::from_value(document).map_err(|error| DbErr::Json(error.to_string()))
}

impl Limits {
    /// Refuses `more` of what is limited, when `used` is there already.
    ///
    /// # Errors
    /// It would be more than the limit.
    pub(crate) fn check(&self, measure: Measure, used: u64, more: u64) -> Result<(), Exceeded> {
        let wanted = used.saturating_add(more);
        match self.0.get(&measure) {
            Some(&limit) if wanted > limit => Err(Exceeded { measure, limit, used, wanted }),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether there is a limit.
    pub(crate) fn has(&self, measure: Measure) -> bool {
        self.0.contains_key(&measure)
    }

    /// Each with its limit.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Measure, u64)> {
        self.0.iter().map(|(measure, limit)| (*measure, *limit))
    }
}

impl Measure {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Instances,
        Self::CpuMillis,
        Self::RamBytes,
        Self::DiskBytes,
        Self::Replicas,
        Self::DeploymentsPerHour,
    ];

    /// As rows and documents have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::CpuMillis => "cpu_millis",
            Self::RamBytes => "ram_bytes",
            Self::DiskBytes => "disk_bytes",
            Self::Replicas => "replicas",
            Self::DeploymentsPerHour => "deployments_per_hour",
        }
    }

    /// The measure of this word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.word() == word)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromIterator<(Measure, u64)> for Limits {
    fn from_iter<I: IntoIterator<Item = (Measure, u64)>>(limits: I) -> Self {
        Self(limits.into_iter().collect())
    }
}

impl Usage for NoInstances {
    fn used(&self, _project: ProjectId) -> BoxFuture<'_, Result<Used, DbErr>> {
        Box::pin(async { Ok(Used::new()) })
    }

    fn n_instances<'a>(
        &'a self,
        _db: &'a Transaction,
        _project: ProjectId,
    ) -> BoxFuture<'a, Result<usize, DbErr>> {
        Box::pin(async { Ok(0) })
    }
}

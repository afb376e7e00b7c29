//! Organizations, projects and their limits: what may be removed, and how limits hold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use sea_orm::DbErr;

use super::super::change::{ChangeError, NewOrganization, NewProject, PlacePatch, Refusal};
use super::super::quota::{self, Limits, Measure, Usage, Used};
use super::*;
use crate::store::Transaction;

/// As if a resource engine had made so many instances.
#[derive(Debug)]
struct Pretended(AtomicU64);

impl Usage for Pretended {
    fn used(&self, _project: ProjectId) -> BoxFuture<'_, Result<Used, DbErr>> {
        let used = BTreeMap::from([(Measure::Instances, self.0.load(Ordering::Relaxed))]);
        Box::pin(async { Ok(Used::from([("s3".to_owned(), used)])) })
    }

    fn n_instances<'a>(
        &'a self,
        _db: &'a Transaction,
        _project: ProjectId,
    ) -> BoxFuture<'a, Result<usize, DbErr>> {
        Box::pin(async { Ok(usize::try_from(self.0.load(Ordering::Relaxed)).unwrap()) })
    }
}

fn refusal(error: ChangeError) -> Refusal {
    let ChangeError::Refused(refusal) = error else { panic!("{error}") };
    refusal
}

#[tokio::test]
async fn what_something_hangs_on_stays() {
    for database in Database::each().await {
        let scene = Scene::on(database).await;
        let (identity, usage) = (&scene.identity, Arc::new(Pretended(AtomicU64::new(1))));
        identity.count_with(Arc::clone(&usage) as Arc<dyn Usage>);
        let name = |text: &str| text.parse().unwrap();
        let new = NewOrganization { name: name("acme"), description: String::new() };
        let organization = identity.create_organization(new).await.unwrap();
        let new = || NewProject { organization, name: name("shop"), description: String::new() };
        let project = identity.create_project(new()).await.unwrap();
        let taken = refusal(identity.create_project(new()).await.unwrap_err());
        assert_eq!(taken.to_string(), "there is a project `shop` already: choose another name");

        let in_use = refusal(identity.delete_organization(organization).await.unwrap_err());
        assert_eq!(in_use.to_string(), "organization `acme` has 1 projects: remove them first");
        let in_use = refusal(identity.delete_project(project).await.unwrap_err());
        assert_eq!(in_use.to_string(), "project `shop` has 1 instances: remove them first");
        usage.0.store(0, Ordering::Relaxed);
        let patch = PlacePatch { name: Some(name("store")), description: None };
        identity.update_project(project, patch).await.unwrap();
        assert!(identity.register().project_named("store").is_some());
        identity.delete_project(project).await.unwrap();
        identity.delete_organization(organization).await.unwrap();
        let gone = refusal(identity.delete_project(project).await.unwrap_err());
        assert!(matches!(gone, Refusal::NotFound { .. }));
        scene.end().await;
    }
}

/// As a resource engine makes an instance: whether there was room for it.
async fn make_one(store: &Store, project: ProjectId, made: &AtomicU64) -> bool {
    let db = store.begin().await.unwrap();
    let limits = quota::hold(&db, project, "s3").await.unwrap().unwrap();
    let has_room = limits.check(Measure::Instances, made.load(Ordering::SeqCst), 1).is_ok();
    if has_room {
        // What another one does meanwhile would be seen here.
        tokio::task::yield_now().await;
        made.fetch_add(1, Ordering::SeqCst);
    }
    db.commit().await.unwrap();
    has_room
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_exactly_as_many_as_the_limit_get_in() {
    for database in Database::each().await {
        let scene = Scene::on(database).await;
        let project = *scene.identity.register().rows().projects.keys().next().unwrap();
        let limits: Limits = [(Measure::Instances, 10)].into_iter().collect();
        let quotas = BTreeMap::from([("s3".to_owned(), limits)]);
        scene.identity.set_quotas(project, quotas.clone()).await.unwrap();
        assert_eq!(scene.identity.quotas(project).await.unwrap(), quotas);

        let made = Arc::new(AtomicU64::new(0));
        let all = (0..100).map(|_| {
            let (store, made) = (scene.store.clone(), Arc::clone(&made));
            async move { make_one(&store, project, &made).await }
        });
        let admitted = tokio::task::JoinSet::from_iter(all).join_all().await;
        assert_eq!(admitted.into_iter().filter(|admitted| *admitted).count(), 10);
        assert_eq!(made.load(Ordering::SeqCst), 10);

        scene.identity.set_quotas(project, BTreeMap::new()).await.unwrap();
        assert!(make_one(&scene.store, project, &made).await, "without a limit there is room");
        let nobodys = ProjectId::of(uuid::Uuid::now_v7());
        let db = scene.store.begin().await.unwrap();
        assert_eq!(quota::hold(&db, nobodys, "s3").await.unwrap(), None);
        drop(db);
        scene.end().await;
    }
}

#[tokio::test]
async fn another_daemons_change_is_taken_up() {
    for database in Database::each().await {
        let scene = Scene::on(database).await;
        let (other, _) = open(&scene.database, &scene.store).await.unwrap();
        let new = NewOrganization { name: "acme".parse().unwrap(), description: String::new() };
        other.create_organization(new).await.unwrap();
        assert!(scene.identity.register().organization_named("acme").is_none());
        scene.identity.look().await.unwrap();
        assert!(scene.identity.register().organization_named("acme").is_some());
        // What was not seen yet is seen by a change all the same.
        let new = NewOrganization { name: "more".parse().unwrap(), description: String::new() };
        scene.identity.create_organization(new).await.unwrap();
        let new = NewOrganization { name: "more".parse().unwrap(), description: String::new() };
        let taken = refusal(other.create_organization(new).await.unwrap_err());
        assert!(matches!(taken, Refusal::Taken { .. }));
        scene.end().await;
    }
}

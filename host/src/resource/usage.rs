//! How many instances projects have, told to whoever limits them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbErr};

use super::rows;
use crate::identity::ProjectId;
use crate::identity::quota::{Measure, Usage, Used};
use crate::model::{INSTANCES, ResourceModel};
use crate::plugin::Plugins;
use crate::store::{Store, Transaction};

/// Counts the rows of every type that is known.
#[derive(Debug)]
pub(crate) struct Instances {
    store: Store,
    plugins: Arc<Plugins>,
}

impl Instances {
    /// Counts in `store` what the types of `plugins` have there.
    pub(crate) fn new(store: Store, plugins: Arc<Plugins>) -> Self {
        Self { store, plugins }
    }

    fn models(&self) -> Vec<Arc<ResourceModel>> {
        let table = self.plugins.tables.load();
        let types = table.types().into_iter();
        types.filter_map(|served| served.model.resource(INSTANCES).cloned()).collect()
    }

    /// How many of each type there are, by its slug.
    async fn counted(
        &self,
        db: &impl ConnectionTrait,
        project: ProjectId,
    ) -> Result<Vec<(String, u64)>, DbErr> {
        let mut counted = Vec::new();
        for model in self.models() {
            let n = rows::count_of(db, &model, project).await?;
            counted.push((model.slug.clone(), n));
        }
        Ok(counted)
    }
}

impl Usage for Instances {
    fn used(&self, project: ProjectId) -> BoxFuture<'_, Result<Used, DbErr>> {
        Box::pin(async move {
            let counted = self.counted(self.store.connection(), project).await?;
            let of = |n| BTreeMap::from([(Measure::Instances, n)]);
            Ok(counted.into_iter().map(|(slug, n)| (slug, of(n))).collect())
        })
    }

    fn n_instances<'a>(
        &'a self,
        db: &'a Transaction,
        project: ProjectId,
    ) -> BoxFuture<'a, Result<usize, DbErr>> {
        Box::pin(async move {
            let counted = self.counted(db, project).await?;
            let n: u64 = counted.iter().map(|(_slug, n)| n).sum();
            Ok(usize::try_from(n).unwrap_or(usize::MAX))
        })
    }
}

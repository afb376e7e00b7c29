//! Looking at an element without changing it: how its schema stands, and what another version would do to it.
//!
//! No plugin is run for it: a bundle is verified and its descriptor read.

use std::sync::Arc;

use packer::bundle::ElementName;
use plugin_abi::descriptor::Descriptor;
use semver::Version;

use super::wish::Refusal;
use super::{Elements, Error, Shared};
use crate::log;
use crate::migration::Chain;
use crate::migration::report::{PlanDocument, Status};

impl Elements {
    /// How the migrations of an element stand.
    ///
    /// # Errors
    /// When there is no such element, or nothing of it can be read.
    pub(crate) async fn migrations(&self, name: &ElementName) -> Result<Status, Error> {
        let serving = self.serving_chain(name).await?;
        Ok(self.shared.migrations.status(name, serving.as_deref()).await?)
    }

    /// What a rollout to `version`, or to the newest there is, would do to the schema.
    ///
    /// # Errors
    /// When there is no such version, or no way to it.
    pub(crate) async fn plan(
        &self,
        name: &ElementName,
        version: Option<Version>,
    ) -> Result<PlanDocument, Error> {
        let known = self.versions_of(name).await;
        let version = version.or_else(|| known.last().cloned());
        let version = version.ok_or_else(|| Refusal::NoBundle(name.clone()))?;
        if !known.contains(&version) {
            let element = name.clone();
            return Err(Refusal::VersionNotFound { element, version, known }.into());
        }
        let target = self.shared.chain(name, &version).await?;
        let serving = match self.report(name) {
            None => None,
            Some(_installed) => self.serving_chain(name).await?,
        };
        let migrations = &self.shared.migrations;
        let plan = migrations.plan_chain(&target, serving.as_deref()).await?;
        let from = serving.as_ref().map(|serving| serving.version());
        Ok(migrations.document(&plan, from).await?)
    }

    /// The migrations of what serves, if anything does.
    async fn serving_chain(&self, name: &ElementName) -> Result<Option<Arc<Chain>>, Error> {
        let report = self.report(name).ok_or_else(|| Refusal::NotFound(name.clone()))?;
        match report.serving {
            None => Ok(None),
            Some(serving) => self.shared.chain(name, &serving.version).await.map(Some),
        }
    }
}

impl Shared {
    /// The migrations that a bundle declares.
    ///
    /// # Errors
    /// When there is no such bundle, or it declares what is no chain.
    pub(super) async fn chain(
        &self,
        name: &ElementName,
        version: &Version,
    ) -> Result<Arc<Chain>, Error> {
        let (bundles, element, wanted) = (Arc::clone(&self.bundles), name.clone(), version.clone());
        let verified =
            tokio::task::spawn_blocking(move || bundles.verify(bundles.fetch(&element, &wanted)?));
        let verified = verified.await.expect("verification does not panic");
        let unreadable = |reason: String| Error::Bundle {
            element: name.clone(),
            version: version.clone(),
            reason,
        };
        let bundle = verified.map_err(|error| unreadable(log::chain(&error).to_string()))?;
        let descriptor: Descriptor = serde_json::from_slice(bundle.unpacked.descriptor())
            .map_err(|error| unreadable(error.to_string()))?;
        let chain = Chain::of(&descriptor, self.migrations.backend());
        chain.map(Arc::new).map_err(|error| Error::Migration(error.into()))
    }
}

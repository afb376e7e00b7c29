//! STUB until `migration` has it.
use crate::migration::Rollback;
use crate::plugin::ProbedPlugin;
use crate::plugin::generation::Generation;
use packer::bundle::ElementName;
use semver::Version;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub(crate) struct Error;
#[derive(Debug, Clone, Default)]
pub(crate) struct Migrations;
#[derive(Debug, Clone)]
pub(crate) struct MigratedPlugin(ProbedPlugin);
impl MigratedPlugin {
    pub(crate) fn probed(&self) -> &ProbedPlugin {
        &self.0
    }
    pub(crate) fn has_backfills(&self) -> bool {
        false
    }
}
impl Migrations {
    pub(crate) async fn migrate(
        &self,
        plugin: ProbedPlugin,
        _before: Option<&MigratedPlugin>,
    ) -> Result<MigratedPlugin, Error> {
        Ok(MigratedPlugin(plugin))
    }
    pub(crate) async fn settle(&self, _: &ElementName) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) async fn undo(&self, _: &ElementName) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) async fn purge(&self, _: &ElementName) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) async fn finalize(&self, _: &MigratedPlugin) -> Result<usize, Error> {
        Ok(0)
    }
    pub(crate) async fn backfill(
        &self,
        _: &MigratedPlugin,
        _: &Arc<Generation>,
    ) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) async fn sweep(&self, _: &MigratedPlugin, _: &Arc<Generation>) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) async fn rows_of_instances(&self, _: &ElementName) -> Result<u64, Error> {
        Ok(0)
    }
    pub(crate) async fn rollback(&self, _: &ElementName, _: &Version) -> Result<Rollback, Error> {
        Ok(Rollback::Available)
    }
}

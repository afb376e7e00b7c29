//! The stages of a rollout, each a type that only the stage before it can make.
//!
//! [`FetchedBundle`](super::bundles::FetchedBundle) → [`VerifiedBundle`] → [`ProbedPlugin`] → [`MigratedPlugin`] →
//! [`Generation`] → published and checked. A function that needs a stage asks for its type, so none can be
//! skipped. Nothing here decides what runs; each function does one step and says why it could not.

use std::sync::Arc;

use super::Shared;
use super::bundles::VerifiedBundle;
use super::failure::StageError;
use super::wanted::Wanted;
use crate::migration::{Chain, MigratedPlugin, Migrations, Tell};
use crate::plugin::ProbedPlugin;
use crate::plugin::generation::Generation;
use crate::plugin::table::Published;
use crate::plugin::{probe, start};

/// Has a bundle's plugin examined by a child process.
pub(super) async fn examine(
    verified: VerifiedBundle,
    wanted: &Wanted,
    shared: &Shared,
) -> Result<ProbedPlugin, StageError> {
    let settings = shared.secrets.resolve(&wanted.settings).map_err(StageError::Settings)?;
    let plugin = probe::probe(&shared.plugins, &verified.unpacked, settings.reveal()).await?;
    let schema = &plugin.descriptor().settings_schema;
    settings.validate(schema).map_err(StageError::Settings)?;
    Ok(plugin)
}

/// Checks that what the operator grants is what the plugin asks for.
pub(super) fn check_grants(plugin: &ProbedPlugin, wanted: &Wanted) -> Result<(), StageError> {
    let descriptor = plugin.descriptor();
    let mounts: Vec<_> = descriptor.mounts.iter().map(|mount| &*mount.prefix).collect();
    let listeners: Vec<_> = descriptor.listeners.iter().map(|listener| &*listener.name).collect();
    let undeclared = |kind: &str, granted: &str, declared: &[&str]| StageError::Grant {
        what: format!("{kind} `{granted}`"),
        declared: if declared.is_empty() { "none".to_owned() } else { declared.join(", ") },
    };
    for granted in &wanted.mounts {
        if !mounts.contains(&granted.as_str()) {
            return Err(undeclared("mount", granted, &mounts));
        }
    }
    for granted in wanted.listeners.keys() {
        if !listeners.contains(&granted.as_str()) {
            return Err(undeclared("listener", granted, &listeners));
        }
    }
    Ok(())
}

/// Brings the schema to where a plugin needs it.
pub(super) async fn migrate(
    plugin: ProbedPlugin,
    before: Option<&Chain>,
    migrations: &Migrations,
    tell: Tell<'_>,
) -> Result<MigratedPlugin, StageError> {
    migrations.migrate(plugin, before, tell).await.map_err(StageError::Migrate)
}

/// Starts a generation of a plugin.
pub(super) async fn start(
    plugin: &MigratedPlugin,
    wanted: &Wanted,
    shared: &Shared,
) -> Result<Arc<Generation>, StageError> {
    let settings = shared.secrets.resolve(&wanted.settings).map_err(StageError::Settings)?;
    Ok(start::start(&shared.plugins, plugin.probed(), wanted.isolation, settings.reveal()).await?)
}

/// Whether a generation may answer for its element, as far as the other elements are concerned.
pub(super) fn check_clash(
    published: &Arc<Published>,
    wanted: &Wanted,
    shared: &Shared,
) -> Result<(), StageError> {
    Ok(shared.plugins.tables.check(published, &wanted.mounts)?)
}

/// Lets a generation answer for its element.
pub(super) fn publish(
    published: &Arc<Published>,
    wanted: &Wanted,
    shared: &Shared,
) -> Result<(), StageError> {
    shared.plugins.tables.publish(published, &wanted.mounts)?;
    shared.plugins.metrics.swaps.inc();
    Ok(())
}

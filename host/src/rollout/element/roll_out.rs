//! Making serve what is wanted, stage by stage.

use std::sync::Arc;

use super::super::failure::{Failure, Stage, StageError};
use super::super::progress::{Progress, ROLLOUT_STEPS};
use super::super::report::Status;
use super::super::wanted::Wanted;
use super::super::{health, served, stages};
use super::{Running, Task};
use crate::log;
use crate::migration::backfill::Pass;
use crate::migration::{Chain, MigratedPlugin};
use crate::model::TypeModel;
use crate::operation::{Level, OperationId};
use crate::plugin::ProbedPlugin;
use crate::plugin::generation::Generation;
use crate::plugin::table::Published;

impl Task {
    /// Brings `wanted` to serve, or leaves what serves and says why.
    pub(super) async fn roll_out(&mut self, operation: Option<OperationId>, wanted: Wanted) {
        let operations = &self.shared.operations;
        let progress = Progress::begin(operations, operation, ROLLOUT_STEPS, &self.report).await;
        progress.hear_calls();
        if self.serves(&wanted) {
            self.tell_serving(Status::Active, None).await;
            return progress.succeed(format!("{} serves already", wanted.version)).await;
        }
        self.tell(|report| {
            report.status = Status::Updating;
            report.serves_wanted = false;
            report.reached = Stage::Resolve;
            report.failure = None;
            report.stages.clear();
        });
        self.serve_stable_first(&wanted).await;
        match self.try_to_roll_out(&wanted, &progress).await {
            Ok(()) => {
                self.remember(&wanted).await;
                self.tell_serving(Status::Active, None).await;
                progress.succeed(format!("{} serves", wanted.version)).await;
            }
            Err(error) => {
                let failure = self.leave_no_trace(error, &progress).await;
                self.fail(progress, failure).await;
            }
        }
    }

    /// Whether `wanted` is what serves, and well.
    fn serves(&self, wanted: &Wanted) -> bool {
        let is_same = self.serving.as_ref().is_some_and(|running| running.wanted == *wanted);
        is_same && self.report.borrow().failure.is_none()
    }

    /// When nothing serves, as after a crash in the middle of a rollout, what served last comes first: it is
    /// known to be good, and what is wanted may not be.
    pub(super) async fn serve_stable_first(&mut self, wanted: &Wanted) {
        let stable = self.record.as_ref().and_then(|record| record.stable.clone());
        let Some(stable) = stable.filter(|stable| self.serving.is_none() && stable != wanted)
        else {
            return;
        };
        let operations = &self.shared.operations;
        let quiet = Progress::begin(operations, None, ROLLOUT_STEPS, &self.report).await;
        if let Err(error) = self.try_to_roll_out(&stable, &quiet).await {
            let cause = log::chain(&error).to_string();
            tracing::error!(element = %self.name, version = %stable.version, "what served last does not start: {cause}");
        }
        self.tell(|report| report.stages.clear());
    }

    pub(super) async fn try_to_roll_out(
        &mut self,
        wanted: &Wanted,
        progress: &Progress,
    ) -> Result<(), StageError> {
        let plugin = self.prepare(wanted, progress).await?;
        let before = self.chain_before().await;
        let tell = |said: crate::migration::Progress<'_>| progress.hear(said);
        let migrating = stages::migrate(plugin, before.as_deref(), &self.shared.migrations, &tell);
        let plugin = progress.step(Stage::Migrate, "migrate", migrating).await?;
        self.start_and_switch(plugin, wanted, progress).await
    }

    /// The migrations of what serves, or, when the daemon has just started, of what served last.
    async fn chain_before(&self) -> Option<Arc<Chain>> {
        if let Some(running) = &self.serving {
            return Some(Arc::clone(running.plugin.chain()));
        }
        let stable = self.record.as_ref()?.stable.as_ref()?;
        let chain = self.shared.chain(&self.name, &stable.version).await;
        let chain = chain.inspect_err(|error| {
            let cause = log::chain(error).to_string();
            tracing::warn!(element = %self.name, version = %stable.version, "what served last cannot be looked into: {cause}");
        });
        chain.ok()
    }

    /// What a failed rollout did to the schema is undone, unless it was settled because clients may have been
    /// served by it.
    async fn leave_no_trace(&self, error: StageError, progress: &Progress) -> Failure {
        let tell = |said: crate::migration::Progress<'_>| progress.hear(said);
        if let Err(error) = self.shared.migrations.undo(&self.name, &tell).await {
            let message = format!("the schema is not as it was: {}", log::chain(&error));
            tracing::error!(element = %self.name, "{message}");
            progress.log(Level::Error, message).await;
        }
        error.into()
    }

    /// Everything that can be done without a trace: fetch, verify, probe.
    async fn prepare(
        &self,
        wanted: &Wanted,
        progress: &Progress,
    ) -> Result<ProbedPlugin, StageError> {
        let _permit = tokio::select! {
            permit = self.shared.preparing.acquire() => permit.expect("the semaphore is never closed"),
            canceled = progress.called_off() => return Err(canceled.into()),
        };
        let (name, version) = (&self.name, &wanted.version);
        let fetching = async { self.shared.bundles.fetch(name, version) };
        let fetched = progress.step(Stage::Resolve, "fetch", fetching).await?;
        let verifying = async {
            let bundles = Arc::clone(&self.shared.bundles);
            let verified = tokio::task::spawn_blocking(move || bundles.verify(fetched));
            verified.await.expect("verification does not panic")
        };
        let verified = progress.step(Stage::Verify, "verify", verifying).await?;
        let probing = async {
            let plugin = stages::examine(verified, wanted, &self.shared).await?;
            stages::check_grants(&plugin, wanted)?;
            Ok(plugin)
        };
        progress.step(Stage::Probe, "probe", probing).await
    }

    /// Start, switch, check; the generation before is drained in the background, or switched back to.
    pub(super) async fn start_and_switch(
        &mut self,
        plugin: MigratedPlugin,
        wanted: &Wanted,
        progress: &Progress,
    ) -> Result<(), StageError> {
        let starting = async {
            let bound = self.listeners.bind(&wanted.listeners).await?;
            let generation = stages::start(&plugin, wanted, &self.shared).await?;
            Ok((bound, generation))
        };
        let (bound, generation) = progress.step(Stage::Start, "start", starting).await?;
        if let Err(error) = self.backfill(&plugin, &generation, progress).await {
            self.end(generation).await;
            return Err(error);
        }
        let models_before = self.shared.plugins.tables.load().models_of(&self.name);
        let switching = async {
            progress.close_calls()?;
            self.publish(&plugin, &generation, wanted).await
        };
        let published = match progress.step(Stage::Start, "switch", switching).await {
            Ok(published) => published,
            Err(error) => {
                self.end(generation).await;
                return Err(error);
            }
        };
        let checking = async {
            let checked = health::check(&self.shared.plugins, &generation.descriptor).await;
            checked.map_err(|reason| StageError::Check { reason })
        };
        if let Err(error) = progress.step(Stage::Serve, "check", checking).await {
            self.switch_back(models_before);
            self.end(generation).await;
            return Err(error);
        }
        self.listeners.adopt(bound, &wanted.listeners, &self.name, &self.shared);
        served::keep(&self.shared.store, &self.name, published.models()).await;
        let running = Running { plugin, wanted: wanted.clone(), published };
        let before = self.serving.replace(running);
        self.end_and_sweep(before);
        Ok(())
    }

    /// Rows that the new code needs filled in are, before it is switched to.
    async fn backfill(
        &self,
        plugin: &MigratedPlugin,
        generation: &Arc<Generation>,
        progress: &Progress,
    ) -> Result<(), StageError> {
        if !plugin.has_backfills() {
            return Ok(());
        }
        let filling = async {
            let migrations = &self.shared.migrations;
            let tell = |said: crate::migration::Progress<'_>| progress.hear(said);
            let filled = migrations.backfill(plugin, generation, Pass::First, &tell).await;
            filled.map_err(StageError::Migrate)
        };
        progress.step(Stage::Start, "backfill", filling).await
    }

    /// The switch. From here on clients may write what nobody may take back, so the schema is settled first.
    async fn publish(
        &self,
        plugin: &MigratedPlugin,
        generation: &Arc<Generation>,
        wanted: &Wanted,
    ) -> Result<Arc<Published>, StageError> {
        let published = Published::new(Arc::clone(generation))?;
        stages::check_clash(&published, wanted, &self.shared)?;
        if !plugin.chain().migrations().is_empty() {
            self.shared.migrations.settle(&self.name).await.map_err(StageError::Migrate)?;
        }
        stages::publish(&published, wanted, &self.shared)?;
        Ok(published)
    }

    /// Lets whatever answered before answer again; if that was nothing, what was served last can be read.
    fn switch_back(&self, models: Vec<Arc<TypeModel>>) {
        let tables = &self.shared.plugins.tables;
        match &self.serving {
            None => tables.withdraw_to(&self.name, models),
            Some(before) => {
                let back = tables.publish(&before.published, &before.wanted.mounts);
                if let Err(clash) = back {
                    tracing::error!(element = %self.name, %clash, "cannot switch back");
                }
            }
        }
    }

    /// Ends what served before; when its last request is over, what it wrote meanwhile is filled in as well, and
    /// what the daemon's last life may have left.
    pub(super) fn end_and_sweep(&self, before: Option<Running>) {
        let (shared, limits) = (Arc::clone(&self.shared), self.shared.plugins.config.end_limits());
        let now =
            self.serving.as_ref().map(|now| (now.plugin.clone(), Arc::clone(now.generation())));
        self.shared.tasks.spawn("generation end", async move {
            if let Some(before) = before {
                before.generation().end(limits).await;
            }
            let Some((plugin, generation)) = now.filter(|(plugin, _)| plugin.has_backfills()) else {
                return;
            };
            let swept = shared.migrations.backfill(&plugin, &generation, Pass::Sweep, &|_said| {});
            if let Err(error) = swept.await {
                let cause = log::chain(&error).to_string();
                tracing::error!(element = %plugin.probed().element(), "rows written during the switch are not filled in: {cause}");
            }
        });
    }
}

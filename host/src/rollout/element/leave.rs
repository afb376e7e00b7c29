//! Giving up the way back, taking an element down, and the daemon's end.

use std::sync::Arc;
use std::time::Duration;

use super::super::failure::{Failure, Stage, StageError};
use super::super::listeners::Listeners;
use super::super::progress::Progress;
use super::super::report::Status;
use super::super::served;
use super::super::wanted::{self, Data};
use super::Task;
use crate::operation::OperationId;
use crate::plugin::generation::EndLimits;

impl Task {
    /// Runs what waits until there is no way back.
    pub(super) async fn finalize(&mut self, operation: Option<OperationId>) {
        let operations = &self.shared.operations;
        let progress = Progress::begin(operations, operation, &["finalize"], &self.report).await;
        let wanted = self.record.as_ref().map(|record| record.wanted.clone());
        if let Some(wanted) = wanted {
            self.serve_stable_first(&wanted).await;
            if self.serving.is_none() {
                self.roll_out(None, wanted).await;
            }
        }
        let Some(running) = &self.serving else {
            let failure = self.report.borrow().failure.clone();
            let nothing = StageError::Check { reason: "nothing of it serves".to_owned() };
            return progress.fail(&failure.unwrap_or_else(|| nothing.into()), &self.keeps()).await;
        };
        let finalizing = async {
            let (migrations, chain) = (&self.shared.migrations, running.plugin.chain());
            let finalized = migrations.finalize(chain, &|said| progress.hear(said)).await;
            finalized.map(|plan| plan.steps().count()).map_err(StageError::Migrate)
        };
        let finalized = progress.step(Stage::Serve, "finalize", finalizing).await;
        // A contract step that fails changes nothing about what serves.
        let (status, failure) = {
            let report = self.report.borrow();
            let is_well = report.failure.is_none();
            (if is_well { Status::Active } else { Status::Error }, report.failure.clone())
        };
        self.tell_serving(status, failure).await;
        match finalized {
            Ok(0) => progress.succeed("there was nothing to finalize".to_owned()).await,
            Ok(n) => progress.succeed(format!("{n} steps of the schema were finalized")).await,
            Err(error) => progress.fail(&error.into(), &self.keeps()).await,
        }
    }

    /// Takes the element down: its routes first, its code, and its data if that is asked for.
    pub(super) async fn uninstall(&mut self, operation: Option<OperationId>, data: Data) {
        let steps: &'static [&'static str] = match data {
            Data::Keep => &["withdraw", "stop"],
            Data::Purge => &["withdraw", "stop", "purge"],
        };
        let operations = &self.shared.operations;
        let progress = Progress::begin(operations, operation, steps, &self.report).await;
        self.tell(|report| {
            report.status = Status::Deleting;
            report.stages.clear();
        });
        let withdrawing = async {
            self.shared.plugins.tables.forget(&self.name);
            Ok(())
        };
        let withdrawn = progress.step(Stage::Resolve, "withdraw", withdrawing).await;
        self.listeners = Listeners::default();
        let generation = self.serving.take().map(|running| Arc::clone(running.generation()));
        let stopping = async {
            if let Some(generation) = generation {
                self.end(generation).await;
            }
            Ok(())
        };
        let stopped = progress.step(Stage::Resolve, "stop", stopping).await;
        let ended = match withdrawn.and(stopped) {
            Ok(()) => self.forget(data, &progress).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => {
                self.record = None;
                self.tell_serving(Status::Gone, None).await;
                self.tell(|report| report.record = None);
                progress.succeed("it is uninstalled".to_owned()).await;
            }
            Err(error) => {
                // The row still says that it is on its way out: the next start, or a second DELETE, goes on.
                let failure = Failure::from(error);
                self.tell_serving(Status::Error, Some(failure.clone())).await;
                progress.fail(&failure, &self.keeps()).await;
            }
        }
    }

    /// Drops what is to be dropped, and the row last of all.
    async fn forget(&self, data: Data, progress: &Progress) -> Result<(), StageError> {
        let migrations = &self.shared.migrations;
        match data {
            Data::Keep => {
                let undone = migrations.undo(&self.name, &|said| progress.hear(said)).await;
                let _n_undone = undone.map_err(StageError::Migrate)?;
            }
            Data::Purge => {
                let purging =
                    async { migrations.purge(&self.name).await.map_err(StageError::Migrate) };
                progress.step(Stage::Migrate, "purge", purging).await?;
            }
        }
        served::forget(self.shared.store.connection(), &self.name)
            .await
            .map_err(|error| StageError::Record(error.into()))?;
        wanted::remove(self.shared.store.connection(), &self.name).await.map_err(StageError::Record)
    }

    /// The daemon ends: everything that runs is taken down in order.
    pub(super) async fn stop(mut self) {
        self.listeners = Listeners::default();
        self.shared.plugins.tables.withdraw(&self.name);
        if let Some(running) = self.serving.take() {
            let limits = self.shared.plugins.config.end_limits();
            let at_once = EndLimits { drain: Duration::ZERO, ..limits };
            running.generation().end(at_once).await;
        }
    }
}

//! Replacing a generation that cannot be trusted any more.

use std::time::{Duration, Instant};

use super::super::failure::StageError;
use super::super::progress::{Progress, ROLLOUT_STEPS};
use super::super::report::Status;
use super::{Running, Task};
use crate::log;
use crate::operation::ElementKind;

/// So many faults within [`FAULTS_WITHIN`] and a version is given up.
const FAULTS_MAX: usize = 3;
const FAULTS_WITHIN: Duration = Duration::from_secs(60);

/// How long to wait before the second start within a minute; it doubles with each further one.
const BACK_OFF: Duration = Duration::from_millis(200);

impl Task {
    /// Starts the same plugin again, more slowly each time; gives it up when that does not help.
    pub(super) async fn replace_faulty(&mut self, reason: String) {
        let Some(running) = self.serving.take() else { return };
        running.generation().fault(reason.clone());
        tracing::warn!(element = %self.name, version = %running.wanted.version, %reason, "generation is faulty");
        self.note_fault();
        let progress = self.begin_replacement(&running, &reason).await;
        let n_faults = self.faults.len();
        if n_faults >= FAULTS_MAX {
            return self.give_up(running, n_faults, reason, progress).await;
        }
        self.tell(|report| {
            report.status = Status::Updating;
            report.serves_wanted = false;
            report.n_restarts += 1;
        });
        if n_faults > 1 && self.slot.is_empty() {
            let doublings = u32::try_from(n_faults - 2).unwrap_or(0);
            tokio::select! {
                () = tokio::time::sleep(BACK_OFF * 2u32.pow(doublings)) => {}
                () = self.slot.put.notified() => self.slot.put.notify_one(),
            }
        }
        let (plugin, wanted) = (running.plugin.clone(), running.wanted.clone());
        self.end_and_sweep(Some(running));
        match self.start_and_switch(plugin, &wanted, &progress).await {
            Ok(()) => {
                self.tell_serving(Status::Active, None).await;
                progress.succeed(format!("{} serves again", wanted.version)).await;
            }
            Err(error) => self.fail(progress, error.into()).await,
        }
    }

    /// A replacement is told like everything that takes time, in the name of the daemon.
    async fn begin_replacement(&self, running: &Running, reason: &str) -> Progress {
        let operations = &self.shared.operations;
        let version = &running.wanted.version;
        let details = serde_json::json!({"from": version, "to": version, "fault": reason});
        let new = self.shared.automatic(ElementKind::Replace, &self.name, details);
        let created = operations.create_alone(new).await;
        let operation = created.map_err(|error| log::chain(&error).to_string());
        let operation = operation.inspect_err(|cause| {
            tracing::error!(element = %self.name, "the replacement cannot be written down: {cause}");
        });
        let operation = operation.ok();
        self.tell(|report| {
            report.operation = operation.or(report.operation);
            report.stages.clear();
        });
        Progress::begin(operations, operation, ROLLOUT_STEPS, &self.report).await
    }

    fn note_fault(&mut self) {
        let now = Instant::now();
        self.faults.push_back(now);
        while self.faults.front().is_some_and(|at| now.duration_since(*at) > FAULTS_WITHIN) {
            self.faults.pop_front();
        }
    }

    /// Leaves a version that keeps failing, for the one before it if there is one.
    async fn give_up(
        &mut self,
        running: Running,
        n_faults: usize,
        reason: String,
        progress: Progress,
    ) {
        let error = StageError::KeepsFailing { n_faults, reason };
        let failed = running.wanted.version.clone();
        self.end_and_sweep(Some(running));
        self.faults.clear();
        let previous = self.record.as_ref().and_then(|record| record.previous.clone());
        match previous.filter(|previous| previous.version != failed) {
            None => self.shared.plugins.tables.withdraw(&self.name),
            Some(previous) => {
                if let Err(error) = self.try_to_roll_out(&previous, &progress).await {
                    let cause = log::chain(&error).to_string();
                    tracing::error!(element = %self.name, "cannot return to the last stable version: {cause}");
                }
            }
        }
        self.fail(progress, error.into()).await;
    }
}

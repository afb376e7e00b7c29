//! How a rollout tells where it is: to its operation, if it has one, and to the element's report.
//!
//! A daemon that starts brings its elements up without an operation; everything that somebody asked for, and
//! every replacement of what failed, has one.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::failure::{Failure, Stage, StageError};
use super::report::{Report, StageTime};
use crate::log;
use crate::migration;
use crate::operation::{self, Level, OperationId, Operations, Running};

/// The steps of a rollout, as its operation lists them.
pub(super) const ROLLOUT_STEPS: &[&str] =
    &["fetch", "verify", "probe", "migrate", "start", "switch", "check"];

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    operation: Option<Running>,
    report: watch::Sender<Report>,
    /// What the step under way has said.
    said: Mutex<Vec<String>>,
}

impl Progress {
    /// Begins to tell; without an operation only the report is told.
    pub(super) async fn begin(
        operations: &Operations,
        operation: Option<OperationId>,
        steps: &'static [&'static str],
        report: &watch::Sender<Report>,
    ) -> Self {
        let operation = match operation {
            None => None,
            Some(id) => operations.run(id, steps).await.inspect_err(unheard).ok(),
        };
        Self { operation, report: report.clone(), said: Mutex::default() }
    }

    /// Does one step.
    ///
    /// # Errors
    /// What the step failed with.
    pub(super) async fn step<T>(
        &self,
        stage: Stage,
        name: &'static str,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        self.report.send_modify(|report| report.reached = stage);
        // On the heap, because every element has such a future and hardly any is ever in a step.
        let work = Box::pin(async {
            let since = Instant::now();
            let done = work.await;
            let duration = since.elapsed();
            self.report.send_modify(|report| report.stages.push(StageTime { name, duration }));
            done
        });
        let Some(operation) = &self.operation else { return work.await };
        let done = Box::pin(operation.step(name, work)).await;
        let said = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        for line in said {
            operation.log(Level::Info, line).await;
        }
        done
    }

    /// Hears what a step says while it is done. It is written when the step ends: saying must not wait.
    pub(super) fn hear(&self, said: migration::Progress<'_>) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(said.to_string());
    }

    /// Adds a line to the operation's log.
    pub(super) async fn log(&self, level: Level, message: String) {
        if let Some(operation) = &self.operation {
            operation.log(level, message).await;
        }
    }

    /// It came to its end.
    pub(super) async fn succeed(self, description: String) {
        if let Some(operation) = self.operation {
            operation.succeed(description, serde_json::Value::Null).await;
        }
    }

    /// It did not.
    pub(super) async fn fail(self, failure: &Failure, keeps: &str) {
        if let Some(operation) = self.operation {
            operation.fail(failure.told(keeps)).await;
        }
    }
}

/// A rollout goes on when its operation cannot be told: what serves matters more than what is written about it.
fn unheard(error: &operation::Error) {
    let cause = log::chain(error).to_string();
    tracing::error!("an operation cannot be written down; its rollout goes on: {cause}");
}

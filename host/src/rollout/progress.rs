//! How a rollout tells where it is: to its operation, if it has one, and to the element's report.
//!
//! A daemon that starts brings its elements up without an operation; everything that somebody asked for, and
//! every replacement of what failed, has one.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::failure::{Failure, FailureKind, Stage, StageError};
use super::report::{Report, StageTime};
use crate::log;
use crate::migration;
use crate::operation::{self, Canceled, Level, OperationId, Operations, Running, State};

/// The steps of a rollout, as its operation lists them.
pub(super) const ROLLOUT_STEPS: &[&str] =
    &["fetch", "verify", "probe", "migrate", "start", "switch", "check"];

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    operation: Option<Running>,
    /// Whether it was called off before it began.
    standing: Standing,
    report: watch::Sender<Report>,
    /// What the step under way has said.
    said: Mutex<Vec<String>>,
}

/// What became of the wish while it waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It still counts.
    Wanted,
    /// Somebody called it off.
    CalledOff,
}

impl Progress {
    /// Begins to tell; without an operation only the report is told.
    pub(super) async fn begin(
        operations: &Operations,
        operation: Option<OperationId>,
        steps: &'static [&'static str],
        report: &watch::Sender<Report>,
    ) -> Self {
        let (operation, standing) = match operation {
            None => (None, Standing::Wanted),
            Some(id) => match operations.run(id, steps).await {
                Ok(running) => (Some(running), Standing::Wanted),
                Err(operation::Error::Ended { state: State::Canceled, .. }) => {
                    (None, Standing::CalledOff)
                }
                Err(error) => {
                    unheard(&error);
                    (None, Standing::Wanted)
                }
            },
        };
        Self { operation, standing, report: report.clone(), said: Mutex::default() }
    }

    /// From now on, and until [`Self::close_calls`], it can be called off between its steps.
    pub(super) fn hear_calls(&self) {
        if let Some(operation) = &self.operation {
            operation.hear_calls();
        }
    }

    /// From now on it cannot be called off any more.
    ///
    /// # Errors
    /// It was.
    pub(super) fn close_calls(&self) -> Result<(), Canceled> {
        self.operation.as_ref().map_or(Ok(()), Running::close_calls)
    }

    /// Ends when it is called off. Cancel-safe.
    pub(super) async fn called_off(&self) -> Canceled {
        match &self.operation {
            Some(operation) => operation.called_off().await,
            None => std::future::pending().await,
        }
        Canceled
    }

    /// Refuses to go on if it was called off.
    fn go_on(&self) -> Result<(), Canceled> {
        match (self.standing, &self.operation) {
            (Standing::CalledOff, _) => Err(Canceled),
            (Standing::Wanted, Some(operation)) => operation.go_on(),
            (Standing::Wanted, None) => Ok(()),
        }
    }

    /// Does one step.
    ///
    /// # Errors
    /// What the step failed with, or that the rollout was called off before it.
    pub(super) async fn step<T>(
        &self,
        stage: Stage,
        name: &'static str,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        self.go_on()?;
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
            match failure.kind {
                FailureKind::Canceled => operation.end_canceled(failure.told(keeps)).await,
                FailureKind::VersionNotFound
                | FailureKind::Settings
                | FailureKind::Migration
                | FailureKind::Full
                | FailureKind::Other => operation.fail(failure.told(keeps)).await,
            }
        }
    }
}

/// A rollout goes on when its operation cannot be told: what serves matters more than what is written about it.
fn unheard(error: &operation::Error) {
    let cause = log::chain(error).to_string();
    tracing::error!("an operation cannot be written down; its rollout goes on: {cause}");
}

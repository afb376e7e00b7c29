//! What is told to whoever waits for a resource: the operation that its last change began.

use serde_json::Value;

use crate::log;
use crate::operation::{Error, Failure, Kind, Level, OperationId, Operations, Running};

/// The only step that there is to tell of.
const STEP: &str = "reconcile";

/// The verbs of the operations that end when a resource is as it is wanted.
const VERBS: [&str; 4] = ["create", "update", "delete", "retry"];

/// Whether an operation of this kind ends when the resource is as it is wanted. Actions end by themselves.
pub(crate) fn ends(kind: &Kind) -> bool {
    match kind {
        Kind::Resource { verb, .. } => VERBS.contains(&verb.as_str()),
        Kind::Element(_) => false,
    }
}

/// The operation of a resource, as long as somebody waits for it.
#[derive(Debug, Default)]
pub(super) struct Report {
    running: Option<(OperationId, Running)>,
    /// The one that is over, so that it is not asked for again.
    ended: Option<OperationId>,
    /// What was said last, so that nothing is said twice.
    said: String,
}

impl Report {
    /// Takes up `last`, the operation of the resource's last change, if it is still open.
    pub(super) async fn begin(&mut self, operations: &Operations, last: Option<OperationId>) {
        let Some(last) = last else { return };
        let is_known = self.running.as_ref().is_some_and(|(id, _running)| *id == last);
        if is_known || self.ended == Some(last) {
            return;
        }
        // One that was superseded has ended by the row's own change.
        self.running = match take_up(operations, last).await {
            Ok(Some(running)) => Some((last, running)),
            Ok(None) => {
                self.ended = Some(last);
                None
            }
            Err(error) => {
                let cause = log::chain(&error).to_string();
                tracing::debug!(operation = %last, cause, "nobody waits");
                self.ended = Some(last);
                None
            }
        };
    }

    /// Says how it stands, if that is news.
    pub(super) async fn say(&mut self, level: Level, message: &str) {
        if self.said == message {
            return;
        }
        message.clone_into(&mut self.said);
        if let Some((_id, running)) = &self.running {
            running.log(level, message).await;
        }
    }

    /// It is done.
    pub(super) async fn succeed(&mut self, description: &str, result: Value) {
        if let Some((id, running)) = self.running.take() {
            running.succeed(description, result).await;
            self.ended = Some(id);
        }
    }

    /// It was ended by somebody else.
    pub(super) fn leave(&mut self, id: OperationId) {
        self.running = None;
        self.ended = Some(id);
    }

    /// It could not be done, or not in time. The resource is still worked on where that may help.
    pub(super) async fn fail(&mut self, failure: Failure) {
        if let Some((id, running)) = self.running.take() {
            running.fail(failure).await;
            self.ended = Some(id);
        }
    }
}

/// Goes on with an operation that ends here; nothing, if it ends by itself.
async fn take_up(operations: &Operations, id: OperationId) -> Result<Option<Running>, Error> {
    match operations.get(id).await? {
        Some(operation) if !ends(&operation.kind) => Ok(None),
        Some(_) | None => operations.run(id, &[STEP]).await.map(Some),
    }
}

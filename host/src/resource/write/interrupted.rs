//! Actions that a crash ended.
//!
//! None is done a second time, because nobody knows how far it was. What the reconciler brings about is taken up
//! by it.

use super::Writes;
use super::act::FAILED;
use crate::log;
use crate::operation::{Error, Failure, OperationId};
use crate::resource::reconcile;

impl Writes {
    /// Ends the actions that the last run of the daemon left; called before any is begun.
    pub(crate) async fn end_interrupted(&self) {
        let unfinished = match self.parts().operations.unfinished_of_resources().await {
            Ok(unfinished) => unfinished,
            Err(error) => {
                let cause = log::chain(&error).to_string();
                return tracing::error!("interrupted actions cannot be ended: {cause}");
            }
        };
        for operation in unfinished.iter().filter(|one| !reconcile::ends(&one.kind)) {
            if let Err(error) = self.fail_interrupted(operation.id).await {
                let cause = log::chain(&error).to_string();
                tracing::error!(operation = %operation.id, "it cannot be ended: {cause}");
            }
        }
    }

    async fn fail_interrupted(&self, id: OperationId) -> Result<(), Error> {
        let running = self.parts().operations.run(id, &[]).await?;
        let detail = "The daemon ended meanwhile; it may or may not have had its effect.";
        running.fail(Failure::new(FAILED, detail)).await;
        Ok(())
    }
}

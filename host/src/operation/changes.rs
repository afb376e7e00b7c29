//! Who waits for which operation.
//!
//! Guarantees: there is an entry for an operation while somebody watches it and no longer, so their number is
//! bounded by that of the watchers; telling of a change that nobody watches costs a look into a map.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::OperationId;

/// The operations that are watched. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes(Arc<Mutex<Watched>>);

type Watched = HashMap<OperationId, watch::Sender<Change>>;

/// What happened to an operation last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It came further.
    Moved,
    /// It came to its end.
    Ended,
}

/// Somebody's eye on one operation.
#[derive(Debug)]
pub(crate) struct Watching {
    id: OperationId,
    told: watch::Receiver<Change>,
    changes: Changes,
}

impl Changes {
    /// Sees every change that is told from now on. Watch first and read then, or miss one.
    pub(super) fn watch(&self, id: OperationId) -> Watching {
        let mut watched = self.lock();
        let sender = watched.entry(id).or_insert_with(|| watch::Sender::new(Change::Moved));
        Watching { id, told: sender.subscribe(), changes: self.clone() }
    }

    /// Tells whoever watches `id`.
    pub(super) fn tell(&self, id: OperationId, change: Change) {
        if let Some(sender) = self.lock().get(&id) {
            sender.send_replace(change);
        }
    }

    /// How many operations are watched.
    #[cfg(test)]
    pub(super) fn n_watched(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    /// Ends with the next change that was not seen yet. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        self.told.changed().await.expect("the sender stays while somebody watches");
    }

    /// Ends with the operation, if it ends after the watch began. Cancel-safe.
    pub(super) async fn ended(&mut self) {
        let ended = self.told.wait_for(|change| *change == Change::Ended).await;
        ended.expect("the sender stays while somebody watches");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watched = self.changes.lock();
        // This one still counts.
        if watched.get(&self.id).is_some_and(|sender| sender.receiver_count() == 1) {
            watched.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_sees_what_is_told_and_leaves_nothing() {
        let changes = Changes::default();
        let (id, _) = OperationId::make();
        changes.tell(id, Change::Moved);
        let (mut first, mut second) = (changes.watch(id), changes.watch(id));
        changes.tell(id, Change::Moved);
        first.changed().await;
        changes.tell(id, Change::Ended);
        first.changed().await;
        second.ended().await;
        drop(first);
        assert_eq!(changes.n_watched(), 1);
        drop(second);
        assert_eq!(changes.n_watched(), 0);
    }
}

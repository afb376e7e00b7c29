//! Who may begin a request with a generation, and how many have.
//!
//! Guarantees: once it is closed nobody is let in any more, and [`Admission::close_and_drain`] returns when
//! the last one is out. One atomic word says both, so there is no moment in between.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Set when the generation takes no new requests; the other bits count the leases that are out.
const CLOSED: u64 = 1 << 63;

/// Who may begin a request, and how many have.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    state: AtomicU64,
    drained: Notify,
}

impl Admission {
    /// Whether one more was let in.
    pub(super) fn enter(&self) -> bool {
        let before = self.state.fetch_add(1, Ordering::AcqRel);
        if before & CLOSED != 0 {
            self.leave();
            return false;
        }
        true
    }

    /// Lets one out.
    pub(super) fn leave(&self) {
        let before = self.state.fetch_sub(1, Ordering::AcqRel);
        if before == CLOSED | 1 {
            self.drained.notify_waiters();
        }
    }

    /// How many leases are out.
    pub(crate) fn n_out(&self) -> u64 {
        self.state.load(Ordering::Acquire) & !CLOSED
    }

    /// Lets nobody in any more and waits until all are out.
    ///
    /// # Cancellation
    /// The generation stays closed; waiting may be taken up again.
    pub(crate) async fn close_and_drain(&self) {
        let drained = self.drained.notified();
        tokio::pin!(drained);
        // Registered before the count is read, so that the last one out cannot be missed.
        drained.as_mut().enable();
        let before = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        if before & !CLOSED != 0 {
            drained.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn draining_waits_for_the_last_one_out_and_lets_nobody_in() {
        let admission = Admission::default();
        assert!(admission.enter());
        assert!(admission.enter());
        let mut draining = pin!(admission.close_and_drain());
        assert_eq!(draining.as_mut().now_or_never(), None);
        assert!(!admission.enter());
        admission.leave();
        assert_eq!(admission.n_out(), 1);
        assert_eq!(draining.as_mut().now_or_never(), None);
        admission.leave();
        assert_eq!(draining.now_or_never(), Some(()));
    }

    #[test]
    fn with_nobody_in_there_is_nothing_to_wait_for() {
        let admission = Admission::default();
        assert_eq!(admission.close_and_drain().now_or_never(), Some(()));
        assert_eq!(admission.close_and_drain().now_or_never(), Some(()));
        assert!(!admission.enter());
    }
}

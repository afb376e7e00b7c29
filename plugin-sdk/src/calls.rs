//! Calls of host functions that are not completed yet.
//!
//! The host completes every call exactly once, so a slot is free again when its completion has come and
//! has been taken, or has been thrown away because nobody waits any more. An id is never given out while
//! the host may still complete an older call of the same id.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use plugin_abi::AbiError;
use plugin_abi::guest::Parcel;
use plugin_abi::message::CallId;
use slab::Slab;

use crate::generation::Generation;

/// What a call brought.
pub(crate) type Outcome = Result<Parcel, AbiError>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Mutex<Slab<Slot>>,
}

#[derive(Debug)]
enum Slot {
    /// Not completed, and somebody may wait.
    Waiting(Option<Waker>),
    /// Completed, and not yet taken.
    Done(Outcome),
    /// Not completed, and nobody waits any more.
    Forgotten,
}

impl Calls {
    /// Notes what the host brought and wakes whoever waits for it.
    pub(crate) fn complete(&self, call: CallId, outcome: Outcome) {
        let Some(slot_idx) = slot_idx(call) else { return };
        let mut slots = self.lock();
        let waker = match slots.get_mut(slot_idx) {
            Some(slot @ Slot::Waiting(_)) => match std::mem::replace(slot, Slot::Done(outcome)) {
                Slot::Waiting(waker) => waker,
                Slot::Done(_) | Slot::Forgotten => None,
            },
            Some(Slot::Forgotten) => {
                slots.remove(slot_idx);
                None
            }
            // Completed twice or never begun: the host's mistake, and nothing here depends on it.
            Some(Slot::Done(_)) | None => None,
        };
        drop(slots);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn begin(&self) -> CallId {
        self.lock().insert(Slot::Waiting(None)) as CallId + 1
    }

    fn poll(&self, call: CallId, cx: &Context<'_>) -> Poll<Outcome> {
        let slot_idx = slot_idx(call).expect("ids of calls begin at 1");
        let mut slots = self.lock();
        if let Some(Slot::Waiting(waker)) = slots.get_mut(slot_idx) {
            match waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waker = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        match slots.remove(slot_idx) {
            Slot::Done(outcome) => Poll::Ready(outcome),
            Slot::Waiting(_) | Slot::Forgotten => {
                unreachable!("a call is forgotten by its drop only")
            }
        }
    }

    fn forget(&self, call: CallId) {
        let slot_idx = slot_idx(call).expect("ids of calls begin at 1");
        let mut slots = self.lock();
        let is_waiting = matches!(slots.get(slot_idx), Some(Slot::Waiting(_)));
        let dropped = if is_waiting {
            std::mem::replace(&mut slots[slot_idx], Slot::Forgotten)
        } else {
            slots.remove(slot_idx)
        };
        drop(slots);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot_idx(call: CallId) -> Option<usize> {
    usize::try_from(call).ok()?.checked_sub(1)
}

/// A call under way; dropping it forgets it, and what the host brings later is thrown away.
#[derive(Debug)]
pub(crate) struct Call {
    generation: Arc<Generation>,
    id: CallId,
    is_taken: bool,
}

impl Call {
    pub(crate) fn begin(generation: Arc<Generation>) -> Self {
        let id = generation.calls.begin();
        Self { generation, id, is_taken: false }
    }

    pub(crate) fn id(&self) -> CallId {
        self.id
    }
}

impl Future for Call {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let polled = self.generation.calls.poll(self.id, cx);
        self.is_taken = polled.is_ready();
        polled
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_taken {
            self.generation.calls.forget(self.id);
        }
    }
}

/// The parcel as bytes, read in place.
pub(crate) fn lent_bytes(parcel: Parcel) -> Bytes {
    struct Lent(Parcel);

    impl AsRef<[u8]> for Lent {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    Bytes::from_owner(Lent(parcel))
}

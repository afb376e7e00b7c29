//! A call that a plugin made and waits for.
//!
//! Guarantees: it is completed once, whatever becomes of the task that has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plugin_abi::message::CallId;
use plugin_abi::wire::WireError;
use plugin_abi::{AbiError, ErrorCode};
use tokio::sync::OwnedSemaphorePermit;

use super::fault::Trouble;
use crate::plugin::conversation::Conversation;

/// What is counted of a generation's calls.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) faults: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Call {
    id: CallId,
    conversation: Arc<Conversation>,
    counters: Arc<Counters>,
    payload: Vec<u8>,
    _place: Option<OwnedSemaphorePermit>,
    is_open: bool,
}

impl Call {
    /// The call of this number.
    pub(super) fn new(
        conversation: Arc<Conversation>,
        id: CallId,
        counters: Arc<Counters>,
    ) -> Self {
        counters.calls.fetch_add(1, Ordering::Relaxed);
        Self { id, conversation, counters, payload: Vec::new(), _place: None, is_open: true }
    }

    /// With what it asks, and its place among those that are under way.
    pub(super) fn with(self, payload: Vec<u8>, place: OwnedSemaphorePermit) -> Self {
        let mut call = self;
        call.payload = payload;
        call._place = Some(place);
        call
    }

    /// What it asks.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Completes it with an answer; a fault is one.
    pub(super) fn answer(self, answer: Result<Vec<u8>, Trouble>) {
        let bytes = answer.unwrap_or_else(|trouble| {
            self.counters.faults.fetch_add(1, Ordering::Relaxed);
            trouble.warn_if_denied();
            trouble.encode()
        });
        self.complete(Ok(bytes));
    }

    /// Completes it with the error of what cannot be read.
    pub(super) fn unreadable(self, error: WireError) {
        self.complete(Err(AbiError::new(ErrorCode::Invalid, error.to_string())));
    }

    fn complete(mut self, outcome: Result<Vec<u8>, AbiError>) {
        self.is_open = false;
        self.conversation.complete(self.id, outcome);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.is_open {
            let error = AbiError::new(ErrorCode::Closed, "the generation has ended");
            self.conversation.complete(self.id, Err(error));
        }
    }
}

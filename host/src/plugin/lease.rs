//! A request's hold on a generation: see [`super::admission`] for what it guarantees.

use std::sync::Arc;

use super::generation::Generation;

/// A hold on a generation: it stays able to answer until the lease is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    generation: Arc<Generation>,
}

impl Lease {
    /// A lease of `generation`, or `None` when it takes no new requests.
    pub(crate) fn take(generation: Arc<Generation>) -> Option<Self> {
        generation.admission.enter().then(|| Self { generation })
    }

    /// What is held.
    pub(crate) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.generation.admission.leave();
    }
}

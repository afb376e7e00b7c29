//! Code that could not be given back: counted in bytes, capped, and told with its remedy.
//!
//! A plugin that leaves a thread behind, blocks its own, or pins a thread-local keeps its code mapped.
//! That is its fault and our memory, so it is never silent: every entry has a reason, the sum is exported,
//! and beyond the cap no further plugin is loaded in-process. Now and then each entry is tried again: what
//! has ended meanwhile is unloaded after all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::identity::{Identity, Phase};
use super::run::{Code, PluginRun, Running};
use super::threads;
use super::unload::{self, Kept, KeptReason, Unloading};

/// Everything that is retained.
#[derive(Debug)]
pub(crate) struct Retained {
    entries: Mutex<Vec<Entry>>,
    bytes_max: u64,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    bytes: u64,
    reason: KeptReason,
    what: What,
}

/// What is held so that it stays where it is.
#[derive(Debug)]
enum What {
    /// A thread that has not returned.
    Running(Running),
    /// Code whose thread has.
    Code(Kept),
}

/// One entry, for the operator.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Which generation.
    pub(crate) identity: Identity,
    /// How much it keeps.
    pub(crate) bytes: u64,
    /// Why, and what to do about it.
    pub(crate) reason: String,
}

impl Retained {
    /// Nothing is retained yet; at most `bytes_max` may be.
    pub(crate) fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { entries: Mutex::default(), bytes_max })
    }

    /// How much is retained.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().iter().map(|entry| entry.bytes).sum()
    }

    /// Whether so much is retained that nothing more should be loaded into this process.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= self.bytes_max
    }

    /// What is retained.
    pub(crate) fn report(&self) -> Vec<Report> {
        let report = |entry: &Entry| Report {
            identity: entry.identity.clone(),
            bytes: entry.bytes,
            reason: entry.reason.to_string(),
        };
        self.lock().iter().map(report).collect()
    }

    /// Keeps code that could not be closed.
    pub(super) fn keep(&self, identity: Identity, kept: Kept) -> Phase {
        let (bytes, reason) = (kept.bytes, kept.reason.clone());
        self.push(Entry { identity, bytes, reason, what: What::Code(kept) })
    }

    /// Keeps a generation whose thread has not returned.
    pub(super) fn keep_running(
        &self,
        identity: Identity,
        running: Running,
        limit: Duration,
    ) -> Phase {
        let bytes = running.image.mapped_bytes();
        let reason = KeptReason::StillRunning { limit };
        self.push(Entry { identity, bytes, reason, what: What::Running(running) })
    }

    fn push(&self, entry: Entry) -> Phase {
        tracing::warn!(
            element = %entry.identity.element,
            version = %entry.identity.version,
            generation = entry.identity.id.number(),
            bytes = entry.bytes,
            reason = %entry.reason,
            "the code of a generation is retained",
        );
        let phase = Phase::Retained { bytes: entry.bytes, reason: entry.reason.to_string() };
        self.lock().push(entry);
        phase
    }

    /// Tries every entry again.
    pub(crate) async fn retry(&self) {
        let all = std::mem::take(&mut *self.lock());
        for entry in all {
            let identity = entry.identity.clone();
            match entry.retry().await {
                Some(still) => self.lock().push(still),
                None => tracing::info!(
                    element = %identity.element,
                    version = %identity.version,
                    generation = identity.id.number(),
                    "a retained generation is unloaded after all",
                ),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Retained {
    fn drop(&mut self) {
        // Threads of these plugins may still run and use what the entries hold.
        std::mem::forget(std::mem::take(&mut *self.lock()));
    }
}

impl Entry {
    /// The entry as it is now, or `None` when nothing is left of it.
    async fn retry(self) -> Option<Self> {
        let Self { identity, bytes, reason, what } = self;
        let unloading = match what {
            What::Running(mut running) => match running.thread.returned.try_recv() {
                Ok(returned) => {
                    let Running { thread: PluginRun { mark, handle, .. }, image } = running;
                    unload::unload(returned.code, Some(handle), mark, image).await
                }
                Err(_still_running) => {
                    return Some(Self { identity, bytes, reason, what: What::Running(running) });
                }
            },
            What::Code(Kept { code: Code::Library(library), image, mark, .. })
                if threads::n_alive(mark) == 0 =>
            {
                unload::unload(Code::Library(library), None, mark, image).await
            }
            What::Code(kept) => Unloading::Kept(kept),
        };
        match unloading {
            Unloading::Done => None,
            Unloading::Kept(kept) => {
                let (bytes, reason) = (kept.bytes, kept.reason.clone());
                Some(Self { identity, bytes, reason, what: What::Code(kept) })
            }
        }
    }
}

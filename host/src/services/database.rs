//! Service 1, the database: a plugin's statements on its own tables.
//!
//! In reading order: what a plugin says becomes a [`call`]; the [`desk`], one task for each generation, gives it to a
//! task of its own, or to the task that holds the [`transaction`] it is about; a [`statement`] runs on a fenced
//! connection, its values converted for [`sqlite`] or [`postgres`]; what goes wrong is a [`fault`].
//!
//! Guarantees: every call is completed; nothing here waits on the plugin's thread; a generation has at most
//! `store.plugin_calls_max` calls under way, and one more is refused at once; calls about a transaction are carried out
//! in the order in which they were said; when the generation ends, its statements are stopped and its transactions
//! taken back. Not here: what a plugin may touch, which is the database's to say (`store::fence`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use packer::bundle::ElementName;
use plugin_abi::database::REQUEST_BYTES_MAX;
use plugin_abi::database::answer::FaultKind;
use plugin_abi::message::CallId;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::plugin::conversation::Conversation;
use crate::shutdown::Tasks;
use crate::store::fence::Fences;

mod call;
mod desk;
mod fault;
mod postgres;
mod sqlite;
mod statement;
mod syntax;
#[cfg(test)]
mod tests;
mod transaction;

use call::{Call, Counters};
use desk::Desk;
use fault::Trouble;

/// The database service of one generation.
#[derive(Debug)]
pub(super) struct Database {
    calls: mpsc::UnboundedSender<Call>,
    /// One for each call that may be under way; this is what bounds the queue.
    places: Arc<Semaphore>,
    n_places: usize,
    ended: CancellationToken,
    counters: Arc<Counters>,
}

impl Database {
    /// That of a generation of `element`. Opens nothing until it is asked for something.
    pub(super) fn new(fences: &Fences, element: &ElementName, tasks: &Tasks) -> Self {
        let (calls, to_desk) = mpsc::unbounded_channel();
        let ended = CancellationToken::new();
        let n_places = fences.config().plugin_calls_max;
        let desk = Desk::new(fences, element, ended.clone());
        tasks.spawn("database of a plugin", desk.serve(to_desk));
        Self {
            calls,
            places: Arc::new(Semaphore::new(n_places)),
            n_places,
            ended,
            counters: Arc::default(),
        }
    }

    /// Takes what the plugin asks. Runs on the plugin's thread: it copies and returns.
    pub(super) fn ask(&self, conversation: &Arc<Conversation>, call: CallId, payload: &[u8]) {
        let counters = Arc::clone(&self.counters);
        let call = Call::new(Arc::clone(conversation), call, counters);
        if payload.len() > REQUEST_BYTES_MAX {
            let message = format!(
                "the request has {} bytes, and {REQUEST_BYTES_MAX} are the most",
                payload.len()
            );
            return call.answer(Err(Trouble::of_host(FaultKind::TooLarge, message)));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let message = format!(
                "{} calls of this generation are under way, as many as may be; see `store.plugin_calls_max`",
                self.n_places
            );
            return call.answer(Err(Trouble::of_host(FaultKind::Unavailable, message)));
        };
        // When the desk is gone the generation has ended, and the call that comes back says so by itself.
        let _taken = self.calls.send(call.with(payload.to_vec(), place));
    }

    /// Ends everything: the plugin will take no answer any more.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// How many calls were made, and how many of them were answered with a fault.
    pub(super) fn counted(&self) -> (u64, u64) {
        let Counters { calls, faults } = &*self.counters;
        (calls.load(Ordering::Relaxed), faults.load(Ordering::Relaxed))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.end();
    }
}

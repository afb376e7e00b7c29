//! The journal: what happened to resources, elements and operations, in one order, and who is told of it.
//!
//! Whoever changes something appends to it in the transaction of the change ([`Events::append`], one INSERT) and
//! says so when that is committed ([`Events::committed`]). Events are numbered in an order that only grows at its
//! end ([`position`]), so that whoever has seen one has seen all before it. What was numbered last is in memory
//! ([`tail`]), where any number of watchers read it ([`Subscription`]); what is older is read from the store.
//!
//! Invariants:
//! - No watcher skips an event that is committed late, and none sees one that is not committed.
//! - Nothing is read or kept in memory while nobody watches, and an append costs nothing more then.
//! - Memory is bounded by what the tail may hold, whatever the watchers do: who is slower than that is told.
//! - The last event is never forgotten, so that no number is given twice.
//!
//! Not here: who may see what (an event names the permission that it takes), filters, and HTTP.

use std::sync::Arc;

use sea_orm::DbErr;
use tokio::sync::{Mutex, Notify, watch};

use crate::shutdown::Tasks;
use crate::store::Store;
use tail::Shared;

mod config;
mod entry;
mod pass;
mod position;
mod prune;
mod read;
mod subscription;
mod tail;

pub(crate) use config::Config;
#[allow(unused_imports, reason = "the engine of resources appends it, once it writes")]
pub(crate) use entry::New;
pub(crate) use entry::{Change, Entry};
pub(crate) use read::{Event, Kind, Order, Slice, Sought};
pub(crate) use subscription::{From, Lost, Subscription};

/// The journal of this daemon. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    tail: Shared,
    /// The number of the last event in the tail; subscriptions wait for it to grow.
    reached: watch::Sender<i64>,
    /// Wakes the task that takes what is new into the tail.
    news: Notify,
    /// Held by the pass that numbers and takes in: one at a time.
    passing: Mutex<()>,
}

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store could not be asked.
    #[error("events cannot be read from the store")]
    Read(#[source] DbErr),
    /// The store did not take it.
    #[error("an event cannot be written to the store")]
    Append(#[source] DbErr),
    /// What is old could not be forgotten.
    #[error("old events cannot be removed from the store")]
    Prune(#[source] DbErr),
    /// A row says what nobody here wrote.
    #[error("the row of event {id} has {member} `{value}`: only this daemon may write it")]
    Damaged {
        /// Which row.
        id: i64,
        /// What of it.
        member: &'static str,
        /// What it says.
        value: String,
    },
}

impl Events {
    /// In the place of a type, where it is the daemon's own.
    pub(crate) const CORE: &str = "core";
    /// The collection of operations.
    pub(crate) const OPERATIONS: &str = "operations";

    /// The journal that `store` keeps; what is new is taken in by a task of `tasks`.
    pub(crate) fn start(store: Store, config: &Config, tasks: &Tasks) -> Self {
        let events = Self(Arc::new(Inner {
            store,
            tail: Shared::new(config),
            reached: watch::Sender::new(0),
            news: Notify::new(),
            passing: Mutex::new(()),
        }));
        events.take_in_until_told(tasks);
        events.prune_by_period(config, tasks);
        events
    }

    /// Says that something that was appended is committed. Costs a look at a number while nobody watches.
    pub(crate) fn committed(&self) {
        if self.0.tail.is_watched() {
            self.0.news.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;

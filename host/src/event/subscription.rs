//! Reading events as they come.
//!
//! A subscription that begins in the past reads the store until it has come to the tail; from then on it reads the
//! tail, and is over when it falls behind that: memory does not wait for it. It can be begun anew where it was.

use std::sync::Arc;

use tokio::sync::watch;

use super::pass::Watcher;
use super::tail::Behind;
use super::{Error, Event, Events};

/// So many are handed out at a time.
const BATCH: usize = 128;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// Behind all that is committed now.
    Now,
    /// Behind this number.
    Behind(i64),
}

/// Somebody's place in the order of events.
#[derive(Debug)]
pub(crate) struct Subscription {
    events: Events,
    reached: watch::Receiver<i64>,
    /// The number of the last one that was handed out.
    position: i64,
    way: Way,
    _watcher: Watcher,
}

/// From where it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// What left the tail long ago.
    Store,
    /// What is new.
    Tail,
}

/// Why a subscription is over, or cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// What it would go on with is forgotten, or never was.
    #[error("what happened behind event {0} is not known any more")]
    Expired(i64),
    /// It was read more slowly than things happen.
    #[error("it was read too slowly: what happened behind event {0} has left memory")]
    TooSlow(i64),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] Error),
}

impl Events {
    /// Begins to watch.
    ///
    /// # Errors
    /// What happened behind that number is forgotten, or the store cannot be read.
    pub(crate) async fn subscribe(&self, from: From) -> Result<Subscription, Lost> {
        let watcher = Watcher::new(self);
        self.pass().await?;
        let position = match from {
            From::Now => self.reached(),
            From::Behind(position) => {
                if !self.extent().await?.reaches_back_to(position) {
                    return Err(Lost::Expired(position));
                }
                position
            }
        };
        let reached = self.0.reached.subscribe();
        let (events, way) = (self.clone(), Way::Store);
        Ok(Subscription { events, reached, position, way, _watcher: watcher })
    }
}

impl Subscription {
    /// The number of the last event that was handed out, or behind which it began.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// The number of the last event that is committed now: whatever can be read in the store now is told by events
    /// up to this one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn horizon(&self) -> Result<i64, Error> {
        self.events.pass().await?;
        Ok(self.events.reached())
    }

    /// What comes next, as soon as there is something.
    ///
    /// # Errors
    /// It is over.
    ///
    /// # Cancellation
    /// Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<Arc<Event>>, Lost> {
        loop {
            self.reached.borrow_and_update();
            let events = match (self.way, self.events.0.tail.behind(self.position, BATCH)) {
                (_, Behind::Events(events)) => {
                    self.way = Way::Tail;
                    events
                }
                (Way::Tail, Behind::Gone) => return Err(Lost::TooSlow(self.position)),
                (Way::Store, Behind::Gone) => self.older().await?,
            };
            if let Some(last) = events.last() {
                self.position = last.number;
                return Ok(events);
            }
            // The sender is in what this holds.
            let _grown = self.reached.changed().await;
        }
    }

    async fn older(&self) -> Result<Vec<Arc<Event>>, Lost> {
        let events = self.events.next(self.position, BATCH as u64).await?;
        // Forgotten while it was on its way.
        if self.events.extent().await?.reaches_back_to(self.position) {
            Ok(events)
        } else {
            Err(Lost::Expired(self.position))
        }
    }
}

//! Taking what is new into the tail.
//!
//! Guarantees: passes follow one another; one that is broken off leaves the tail with all up to some number, and
//! the next goes on there. A pass while nobody watches does nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Error, Events};
use crate::log;
use crate::shutdown::Tasks;

/// How often it is looked whether something was committed that nobody spoke of: whoever would have may be gone.
const PERIOD: Duration = Duration::from_secs(1);

/// So many are read at a time.
const BATCH: u64 = 256;

impl Events {
    pub(super) fn take_in_until_told(&self, tasks: &Tasks) {
        let (events, stop) = (self.clone(), tasks.child());
        tasks.spawn("events", async move {
            stop.run_until_cancelled(events.take_in_for_ever()).await;
        });
    }

    async fn take_in_for_ever(&self) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.news.notified() => {}
                _tick = period.tick() => {}
            }
            if !self.0.tail.is_watched() {
                continue;
            }
            if let Err(error) = self.pass().await {
                let cause = log::chain(&error).to_string();
                tracing::warn!("watchers wait, events cannot be read: {cause}");
                tokio::time::sleep(PERIOD).await;
            }
        }
    }

    /// Takes all that is committed into the tail. Afterwards whoever watches can read it there.
    ///
    /// # Cancellation
    /// What was taken in is.
    pub(super) async fn pass(&self) -> Result<(), Error> {
        let _alone = self.0.passing.lock().await;
        self.number().await?;
        let Some(mut last) = self.0.tail.last() else {
            let last = self.extent().await?.last;
            self.0.tail.begin(last);
            self.0.reached.send_replace(last);
            return Ok(());
        };
        loop {
            let events = self.next(last, BATCH).await?;
            let is_all = (events.len() as u64) < BATCH;
            if let Some(newest) = events.last() {
                last = newest.number;
                self.0.tail.push(events);
                self.0.reached.send_replace(last);
            }
            if is_all {
                return Ok(());
            }
        }
    }

    /// The number of the last event that is taken in.
    pub(super) fn reached(&self) -> i64 {
        *self.0.reached.borrow()
    }
}

/// Keeps the tail alive. The last one takes it along.
#[derive(Debug)]
pub(super) struct Watcher(Arc<super::Inner>);

impl Watcher {
    /// One more who watches.
    pub(super) fn new(events: &Events) -> Self {
        events.0.tail.join();
        Self(Arc::clone(&events.0))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.tail.leave();
    }
}

//! Which resources are to be looked at, and when. Pure: time comes in as an argument.
//!
//! Invariants: a resource is worked on by one at a time; a wake that comes meanwhile is not lost, the resource is due
//! again at once; of two wakes the sooner counts. What was learned in one pass ([`Queue::done`]) is there in the next.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;
use uuid::Uuid;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The slug of its type.
    pub(crate) slug: String,
    /// Its collection.
    pub(crate) collection: String,
    /// Its id.
    pub(crate) id: Uuid,
}

/// When a resource is due; the number makes it unique.
type Due = (Instant, u64);

/// Work to do on resources, each with what was learned about it, a `W`.
#[derive(Debug)]
pub(super) struct Queue<W> {
    entries: HashMap<Key, Entry<W>>,
    due: BTreeMap<Due, Key>,
    n_given: u64,
    n_working: usize,
}

#[derive(Debug)]
enum Entry<W> {
    Waiting { due: Due, work: W },
    Working { woken: bool },
}

impl<W: Default> Queue<W> {
    pub(super) fn new() -> Self {
        Self { entries: HashMap::new(), due: BTreeMap::new(), n_given: 0, n_working: 0 }
    }

    /// Has `key` looked at when it is `at`, or sooner.
    pub(super) fn wake(&mut self, key: Key, at: Instant) {
        let work = match self.entries.get_mut(&key) {
            Some(Entry::Working { woken }) => return *woken = true,
            Some(Entry::Waiting { due, .. }) if due.0 <= at => return,
            Some(Entry::Waiting { due, work }) => {
                self.due.remove(due);
                std::mem::take(work)
            }
            None => W::default(),
        };
        self.put(key, at, work);
    }

    fn put(&mut self, key: Key, at: Instant, work: W) {
        self.n_given += 1;
        let due = (at, self.n_given);
        self.due.insert(due, key.clone());
        self.entries.insert(key, Entry::Waiting { due, work });
    }

    /// The one that is due longest, if one is due at `now`. Whoever takes it says when it is [`Self::done`].
    pub(super) fn take(&mut self, now: Instant) -> Option<(Key, W)> {
        let (due, _key) = self.due.first_key_value()?;
        if due.0 > now {
            return None;
        }
        let (_due, key) = self.due.pop_first()?;
        let entry = self.entries.insert(key.clone(), Entry::Working { woken: false });
        let Some(Entry::Waiting { work, .. }) = entry else {
            unreachable!("what is due waits");
        };
        self.n_working += 1;
        Some((key, work))
    }

    /// Ends the work on `key`, which is looked at again `at` that time, or by the next wake.
    pub(super) fn done(&mut self, key: Key, at: Option<Instant>, work: W, now: Instant) {
        self.n_working -= 1;
        let woken = matches!(self.entries.remove(&key), Some(Entry::Working { woken: true }));
        match if woken { Some(now) } else { at } {
            Some(at) => self.put(key, at, work),
            None => drop(work),
        }
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|(due, _key)| due.0)
    }

    /// How many are worked on.
    pub(super) fn n_working(&self) -> usize {
        self.n_working
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn n_waiting(&self) -> usize {
        self.due.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Key {
        let (slug, collection) = ("s3".to_owned(), "instances".to_owned());
        Key { slug, collection, id: Uuid::from_u128(u128::from(n)) }
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_sooner_of_two_wakes_counts() {
        let start = Instant::now();
        let mut queue = Queue::<u32>::new();
        queue.wake(key(1), after(start, 5));
        queue.wake(key(1), after(start, 9));
        assert_eq!(queue.next_due(), Some(after(start, 5)));
        queue.wake(key(1), after(start, 2));
        assert_eq!((queue.next_due(), queue.n_waiting()), (Some(after(start, 2)), 1));
        assert_eq!(queue.take(after(start, 1)), None);
        assert_eq!(queue.take(after(start, 2)), Some((key(1), 0)));
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_wake_during_the_work_is_not_lost_and_neither_is_what_was_learned() {
        let start = Instant::now();
        let mut queue = Queue::<u32>::new();
        queue.wake(key(1), start);
        assert!(queue.take(start).is_some());
        queue.wake(key(1), start);
        assert_eq!(queue.take(after(start, 1)), None, "one at a time");
        queue.done(key(1), Some(after(start, 60)), 7, after(start, 1));
        assert_eq!(queue.take(after(start, 1)), Some((key(1), 7)));
        queue.done(key(1), None, 8, after(start, 2));
        assert_eq!((queue.next_due(), queue.n_working()), (None, 0));
        queue.wake(key(1), start);
        assert_eq!(queue.take(start), Some((key(1), 0)), "what is done is forgotten");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_done_twice_at_once(
            steps in prop::collection::vec((0u8..4, 0u64..5, 0u8..3), 1..60),
        ) {
            let start = Instant::now();
            let (mut queue, mut now, mut working) = (Queue::<u32>::new(), start, Vec::<Key>::new());
            for (n, seconds, what) in steps {
                match what {
                    0 => queue.wake(key(n), now + Duration::from_secs(seconds)),
                    1 => {
                        now += Duration::from_secs(seconds);
                        if let Some((key, _)) = queue.take(now) {
                            prop_assert!(!working.contains(&key));
                            working.push(key);
                        }
                    }
                    _any_other => if let Some(key) = working.pop() {
                        queue.wake(key.clone(), now);
                        queue.done(key, None, 0, now);
                        prop_assert!(queue.next_due() <= Some(now));
                    },
                }
                prop_assert_eq!(queue.n_working(), working.len());
            }
        }
    }
}

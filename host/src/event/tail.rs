//! The newest events, in memory, for all who watch.
//!
//! Guarantees: bounded by a number of events and by the bytes of their documents, whichever comes first; who comes
//! for what has left it is told. It holds nothing while nobody watches. Pure but for its lock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Config, Event};

/// The tail, for whoever reads it and for the one who writes it.
#[derive(Debug)]
pub(super) struct Shared {
    tail: Mutex<Tail>,
    /// Whether anybody watches, for who only asks that.
    is_watched: AtomicBool,
}

#[derive(Debug)]
struct Tail {
    /// In the order of their numbers, without gaps between those that there are.
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// All that has a higher number than this, up to `last`, is in `events`.
    behind: i64,
    /// The number of the last one; nothing while nobody watches.
    last: Option<i64>,
    n_watchers: usize,
    n_max: usize,
    bytes_max: usize,
}

/// What comes behind a number.
#[derive(Debug)]
pub(super) enum Behind {
    /// These, oldest first; none: there is nothing yet.
    Events(Vec<Arc<Event>>),
    /// What comes next has left the tail.
    Gone,
}

impl Shared {
    pub(super) fn new(config: &Config) -> Self {
        let tail = Tail {
            events: VecDeque::new(),
            bytes: 0,
            behind: 0,
            last: None,
            n_watchers: 0,
            n_max: config.tail_max.get(),
            bytes_max: config.tail_bytes_max.get(),
        };
        Self { tail: Mutex::new(tail), is_watched: AtomicBool::new(false) }
    }

    /// Whether anybody watches.
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::SeqCst)
    }

    /// One more watches.
    pub(super) fn join(&self) {
        let mut tail = self.lock();
        tail.n_watchers += 1;
        self.is_watched.store(true, Ordering::SeqCst);
    }

    /// One leaves; the last one takes the tail along.
    pub(super) fn leave(&self) {
        let mut tail = self.lock();
        tail.n_watchers -= 1;
        if tail.n_watchers == 0 {
            self.is_watched.store(false, Ordering::SeqCst);
            tail.events = VecDeque::new();
            (tail.bytes, tail.last) = (0, None);
        }
    }

    /// The number of the last event, if somebody watches.
    pub(super) fn last(&self) -> Option<i64> {
        self.lock().last
    }

    /// Begins behind `last`.
    pub(super) fn begin(&self, last: i64) {
        let mut tail = self.lock();
        if tail.n_watchers == 0 {
            return;
        }
        tail.events.clear();
        (tail.bytes, tail.behind, tail.last) = (0, last, Some(last));
    }

    /// Takes in what comes next; the oldest leave for it.
    pub(super) fn push(&self, events: Vec<Arc<Event>>) {
        let mut tail = self.lock();
        if tail.n_watchers == 0 {
            return;
        }
        for event in events {
            tail.bytes += event.document.len();
            tail.last = Some(event.number);
            tail.events.push_back(event);
        }
        while tail.events.len() > tail.n_max || tail.bytes > tail.bytes_max {
            let Some(oldest) = tail.events.pop_front() else { return };
            tail.bytes -= oldest.document.len();
            tail.behind = oldest.number;
        }
    }

    /// At most `n_max` events behind `number`.
    pub(super) fn behind(&self, number: i64, n_max: usize) -> Behind {
        let tail = self.lock();
        if number < tail.behind {
            return Behind::Gone;
        }
        let from = tail.events.partition_point(|event| event.number <= number);
        Behind::Events(tail.events.range(from..).take(n_max).map(Arc::clone).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::read::tests::event;

    fn numbers(behind: Behind) -> Option<Vec<i64>> {
        match behind {
            Behind::Events(events) => Some(events.iter().map(|event| event.number).collect()),
            Behind::Gone => None,
        }
    }

    fn tail(n_max: usize, bytes_max: usize) -> Shared {
        let of = |n: usize| n.try_into().unwrap();
        let config =
            Config { tail_max: of(n_max), tail_bytes_max: of(bytes_max), ..Config::default() };
        Shared::new(&config)
    }

    #[test]
    fn what_is_too_old_has_left() {
        let tail = tail(3, 1_000_000);
        tail.begin(9);
        assert_eq!(tail.last(), None, "nobody watches");
        tail.join();
        tail.begin(10);
        assert_eq!(numbers(tail.behind(10, 9)), Some(vec![]));
        assert_eq!(numbers(tail.behind(9, 9)), None, "it was there before anybody watched");
        tail.push((11..=12).map(|number| event(number, "{}")).collect());
        assert_eq!(numbers(tail.behind(10, 9)), Some(vec![11, 12]));
        assert_eq!(numbers(tail.behind(10, 1)), Some(vec![11]));
        tail.push((13..=15).map(|number| event(number, "{}")).collect());
        assert_eq!(numbers(tail.behind(11, 9)), None);
        assert_eq!(numbers(tail.behind(12, 9)), Some(vec![13, 14, 15]));
        assert_eq!((tail.last(), numbers(tail.behind(15, 9))), (Some(15), Some(vec![])));
        tail.join();
        tail.leave();
        assert!(tail.is_watched() && tail.last() == Some(15));
        tail.leave();
        assert!(!tail.is_watched() && tail.last().is_none());
    }

    #[test]
    fn large_documents_leave_sooner() {
        let tail = tail(100, 10);
        tail.join();
        tail.begin(0);
        tail.push(vec![event(1, "12345"), event(2, "12345")]);
        assert_eq!(numbers(tail.behind(0, 9)), Some(vec![1, 2]));
        tail.push(vec![event(3, "1")]);
        assert_eq!(numbers(tail.behind(0, 9)), None);
        assert_eq!(numbers(tail.behind(1, 9)), Some(vec![2, 3]));
        tail.push(vec![event(4, "12345678901234")]);
        assert_eq!(numbers(tail.behind(3, 9)), None, "one alone is too large");
        assert_eq!(numbers(tail.behind(4, 9)), Some(vec![]));
    }
}

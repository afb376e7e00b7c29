//! From what a list held to what happened since: which event is news for a watcher, and as what.
//!
//! The list is read after the subscription began, so the first events may tell what the list has already: they are
//! told apart by revision, until the horizon is passed behind which nothing of the list can be. From then on all
//! that is kept are the ids that pass a filter, where there is one: what stops passing it is deleted for this
//! watcher, what begins to is added. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{Change, Event};

/// Whether what is watched is all of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filters {
    /// It is: what happens to a thing is news as it is.
    Nothing,
    /// Something of it; what a thing was before decides.
    Something,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Join {
    filters: Filters,
    stage: Stage,
    /// What is known of things: those that the client has, by revision.
    known: HashMap<Arc<str>, Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The list is being read.
    Reading,
    /// Events up to this number may tell what the list has.
    Until(i64),
    /// A list that was read to its end.
    Joined,
    /// There was no list: the client has what it had.
    Resumed,
}

/// What is known of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The client has it, at least in this revision.
    Has(i64),
    /// It has it not.
    HasNot,
}

impl Join {
    /// For a watcher that gets the list first.
    pub(super) fn reading(filters: Filters) -> Self {
        Self { filters, stage: Stage::Reading, known: HashMap::new() }
    }

    /// For one that goes on.
    pub(super) fn resumed(filters: Filters) -> Self {
        Self { filters, stage: Stage::Resumed, known: HashMap::new() }
    }

    /// The list has it in this revision.
    pub(super) fn listed(&mut self, id: Arc<str>, revision: i64) {
        self.known.insert(id, Standing::Has(revision));
    }

    /// The list is read; what it has is told by events up to `horizon`.
    pub(super) fn read(&mut self, horizon: i64) {
        if self.stage == Stage::Reading {
            self.stage = Stage::Until(horizon);
        }
    }

    /// Whether what the thing was before must be looked up first.
    pub(super) fn asks_about(&self, event: &Event) -> bool {
        self.stage == Stage::Resumed
            && self.filters == Filters::Something
            && !self.known.contains_key(&event.id)
    }

    /// The thing passed the filter before, or did not.
    pub(super) fn learn(&mut self, id: &Arc<str>, passed: bool) {
        let standing = if passed { Standing::Has(0) } else { Standing::HasNot };
        self.known.insert(Arc::clone(id), standing);
    }

    /// What the event is for the watcher, if it is anything; `passes`: whether the thing passes the filter now.
    pub(super) fn news(&mut self, event: &Event, passes: bool) -> Option<Change> {
        if let Stage::Until(horizon) = self.stage
            && event.number > horizon
        {
            self.stage = Stage::Joined;
            if self.filters == Filters::Nothing {
                self.known = HashMap::new();
            }
        }
        let remembers = match self.stage {
            Stage::Reading | Stage::Until(_) => true,
            Stage::Joined | Stage::Resumed => self.filters == Filters::Something,
        };
        if !remembers {
            return passes.then_some(event.change);
        }
        let had = match self.known.get(&event.id) {
            Some(Standing::Has(revision)) if event.revision <= *revision => return None,
            Some(Standing::Has(_)) => true,
            Some(Standing::HasNot) | None => false,
        };
        let has = passes && event.change != Change::Deleted;
        if has {
            self.known.insert(Arc::clone(&event.id), Standing::Has(event.revision));
        } else if self.stage == Stage::Resumed {
            self.known.insert(Arc::clone(&event.id), Standing::HasNot);
        } else {
            self.known.remove(&event.id);
        }
        match (had, has) {
            (false, true) => Some(Change::Added),
            (true, true) => Some(Change::Modified),
            (true, false) => Some(Change::Deleted),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Change::{Added, Deleted, Modified};

    fn told(join: &mut Join, events: &[(i64, &str, i64, Change, bool)]) -> Vec<Option<Change>> {
        let news = |(number, id, revision, change, passes): &(i64, &str, i64, Change, bool)| {
            let event = Event::for_tests(*number, id, *revision, *change);
            join.news(&event, *passes)
        };
        events.iter().map(news).collect()
    }

    #[test]
    fn what_the_list_has_is_not_told_again() {
        let mut join = Join::reading(Filters::Nothing);
        join.listed("a".into(), 3);
        join.listed("b".into(), 1);
        join.read(15);
        let events = [
            (11, "a", 2, Modified, true),
            (12, "a", 3, Modified, true),
            (13, "b", 2, Modified, true),
            // Made and gone before the list was read that far.
            (14, "c", 1, Deleted, true),
            (15, "d", 1, Added, true),
            (16, "a", 4, Deleted, true),
            (17, "e", 9, Modified, true),
        ];
        let wanted = [None, None, Some(Modified), None, Some(Added), Some(Deleted), Some(Modified)];
        assert_eq!(told(&mut join, &events), wanted);
        assert!(join.known.is_empty(), "nothing is kept once they have joined");
    }

    #[test]
    fn what_stops_passing_a_filter_is_deleted_and_what_begins_to_is_added() {
        let mut join = Join::reading(Filters::Something);
        join.listed("a".into(), 1);
        join.read(10);
        let events = [
            (11, "a", 2, Modified, false),
            (12, "a", 3, Modified, false),
            (13, "a", 4, Modified, true),
            (14, "b", 1, Added, false),
            (15, "b", 2, Modified, true),
            (16, "b", 3, Deleted, true),
            (17, "c", 7, Deleted, true),
        ];
        let wanted = [Some(Deleted), None, Some(Added), None, Some(Added), Some(Deleted), None];
        assert_eq!(told(&mut join, &events), wanted);
    }

    #[test]
    fn who_comes_back_is_asked_for_what_it_had() {
        let mut join = Join::resumed(Filters::Something);
        let event = Event::for_tests(5, "a", 5, Modified);
        assert!(join.asks_about(&event));
        join.learn(&event.id, true);
        assert!(!join.asks_about(&event));
        assert_eq!(join.news(&event, false), Some(Deleted));
        assert_eq!(join.news(&Event::for_tests(6, "a", 6, Modified), false), None);
        let mut all = Join::resumed(Filters::Nothing);
        assert!(!all.asks_about(&event));
        assert_eq!(all.news(&event, true), Some(Modified));
    }
}

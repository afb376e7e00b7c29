//! Whether the daemon can do its work, and if not, why.
//!
//! Readiness is said by the parts that know, never implied: a daemon that nobody spoke for is not ready.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What each part of the daemon says about itself.
#[derive(Debug)]
pub(crate) struct Readiness(Mutex<BTreeMap<&'static str, Standing>>);

/// What a part says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does its work.
    Ready,
    /// It does not, for this reason.
    NotReady(String),
}

/// Why the daemon is not ready.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    /// Who says it.
    part: &'static str,
    /// What it waits for.
    reason: String,
}

impl Readiness {
    /// What `part` says from now on.
    pub(crate) fn set(&self, part: &'static str, standing: Standing) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, standing);
    }

    /// Why the daemon is not ready; nothing when it is.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter_map(|(part, standing)| Reason::of(part, standing)).collect()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        let starting = Standing::NotReady("starting".to_owned());
        Self(Mutex::new(BTreeMap::from([("daemon", starting)])))
    }
}

impl Reason {
    fn of(part: &'static str, standing: &Standing) -> Option<Self> {
        match standing {
            Standing::Ready => None,
            Standing::NotReady(reason) => Some(Self { part, reason: reason.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_part_says_so() {
        let readiness = Readiness::default();
        assert_eq!(readiness.reasons().len(), 1);
        readiness.set("elements", Standing::NotReady("2 of 3 serve".to_owned()));
        readiness.set("daemon", Standing::Ready);
        let reason = Reason { part: "elements", reason: "2 of 3 serve".to_owned() };
        assert_eq!(readiness.reasons(), [reason]);
        readiness.set("elements", Standing::Ready);
        assert_eq!(readiness.reasons(), []);
    }
}

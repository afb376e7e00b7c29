//! What was verified a moment ago, so that it need not be verified again.
//!
//! Guarantees: what was presented is kept as a hash; an entry lasts a fixed time at most; there is a limit to how
//! many there are, and when it is reached all are forgotten, which costs time and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::token::Digest;

/// See the module.
pub(super) struct Recent<V> {
    lasts: Duration,
    n_max: usize,
    verified: Mutex<HashMap<Digest, (V, Instant)>>,
}

impl<V: Clone> Recent<V> {
    pub(super) fn new(lasts: Duration, n_max: usize) -> Self {
        Self { lasts, n_max, verified: Mutex::default() }
    }

    /// What was found when this was verified, if that is recent.
    pub(super) fn get(&self, presented: &Digest) -> Option<V> {
        let verified = self.lock();
        let (found, since) = verified.get(presented)?;
        (since.elapsed() < self.lasts).then(|| found.clone())
    }

    /// Remembers that this was verified, and what was found.
    pub(super) fn put(&self, presented: Digest, found: V) {
        let mut verified = self.lock();
        if verified.len() >= self.n_max {
            verified.clear();
        }
        verified.insert(presented, (found, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, (V, Instant)>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> fmt::Debug for Recent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_for_a_while_and_within_the_limit() {
        let recent = Recent::new(Duration::from_secs(60), 2);
        recent.put([1; 32], "one");
        recent.put([2; 32], "two");
        assert_eq!((recent.get(&[1; 32]), recent.get(&[3; 32])), (Some("one"), None));
        recent.put([3; 32], "three");
        assert_eq!((recent.get(&[1; 32]), recent.get(&[3; 32])), (None, Some("three")));
        let never = Recent::new(Duration::ZERO, 2);
        never.put([1; 32], "one");
        assert_eq!(never.get(&[1; 32]), None);
    }
}

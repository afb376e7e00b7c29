//! Requests per second: a token bucket for each principal.
//!
//! Off unless a rate is set, and then it costs a request a comparison. Guarantees: a principal that exceeds its rate
//! takes nothing from others; there is a limit to how many buckets there are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::record::PrincipalRef;

/// How much a principal may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Requests in a second, in the long run; 0: as many as it likes.
    pub(crate) per_s: u32,
    /// Requests at once.
    pub(crate) burst: u32,
}

/// Nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Empty {
    /// The rate that was exceeded.
    pub(crate) rate: Rate,
    /// When there is something again.
    pub(crate) wait: Duration,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Buckets {
    rate: Rate,
    levels: Mutex<HashMap<PrincipalRef, Level>>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    left: f64,
    at: Instant,
}

/// So many buckets are kept; those that are full again are the first to go.
const N_MAX: usize = 10_000;

impl Buckets {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, levels: Mutex::default() }
    }

    /// Takes one request out of the bucket of `principal`.
    pub(super) fn take(&self, principal: PrincipalRef, now: Instant) -> Result<(), Empty> {
        let Rate { per_s, burst } = self.rate;
        if per_s == 0 {
            return Ok(());
        }
        let (per_s, burst) = (f64::from(per_s), f64::from(burst.max(1)));
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= N_MAX {
            levels.retain(|_, level| level.after(now, per_s, burst) < burst);
        }
        let level = levels.entry(principal).or_insert(Level { left: burst, at: now });
        *level = Level { left: level.after(now, per_s, burst), at: now };
        if level.left < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - level.left) / per_s);
            return Err(Empty { rate: self.rate, wait });
        }
        level.left -= 1.0;
        Ok(())
    }
}

impl Level {
    fn after(self, now: Instant, per_s: f64, burst: f64) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        since.mul_add(per_s, self.left).min(burst)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::record::PrincipalKind;
    use super::*;

    fn somebody() -> PrincipalRef {
        PrincipalRef { kind: PrincipalKind::User, id: Uuid::now_v7() }
    }

    #[test]
    fn a_burst_empties_it_and_time_fills_it() {
        let buckets = Buckets::new(Rate { per_s: 10, burst: 3 });
        let (own, other, now) = (somebody(), somebody(), Instant::now());
        let taken = (0..5).filter(|_| buckets.take(own, now).is_ok()).count();
        assert_eq!(taken, 3);
        let empty = buckets.take(own, now).unwrap_err();
        assert_eq!(empty.wait.as_millis(), 100);
        assert!(buckets.take(other, now).is_ok(), "others have their own");
        let later = now + Duration::from_millis(100);
        assert!(buckets.take(own, later).is_ok() && buckets.take(own, later).is_err());
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        let buckets = Buckets::new(Rate { per_s: 0, burst: 0 });
        let (own, now) = (somebody(), Instant::now());
        assert!((0..1000).all(|_| buckets.take(own, now).is_ok()));
    }
}

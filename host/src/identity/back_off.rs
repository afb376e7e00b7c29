//! Failed logins: the more of them, the longer the next one waits.
//!
//! Counted for each name from each address, and for each address whatever the name; a success forgives the name,
//! the time that passes forgives the rest. Who waits is told how long, and costs no hashing. Guarantees: nobody is
//! kept out by failures that come from elsewhere; there is a limit to what is remembered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many failures cost nothing: people mistype.
const FREE_OF_A_NAME: u32 = 4;
/// So many from one address, whatever the name.
const FREE_OF_AN_ADDRESS: u32 = 50;
/// What the first failure beyond that costs; each further one twice as much.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// After so long without a failure all is forgiven.
const FORGIVEN: Duration = Duration::from_secs(900);
/// So many are remembered; more of them are an attack, and then the oldest are forgotten.
const N_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BackOff(Mutex<HashMap<Source, Failures>>);

/// Whose failures are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    Name(IpAddr, String),
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    n: u32,
    last: Instant,
}

impl BackOff {
    /// How long `name` at `address` has to wait yet; nothing: it may try.
    pub(super) fn wait(&self, name: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let failures = self.lock();
        let of = |source: Source, free| {
            failures.get(&source).and_then(|failures| failures.wait(free, now))
        };
        let own = of(Source::Name(address, name.to_owned()), FREE_OF_A_NAME);
        own.max(of(Source::Address(address), FREE_OF_AN_ADDRESS))
    }

    /// Counts a failure.
    pub(super) fn failed(&self, name: &str, address: IpAddr, now: Instant) {
        let mut failures = self.lock();
        make_room(&mut failures, now);
        for source in [Source::Name(address, name.to_owned()), Source::Address(address)] {
            let counted = failures.entry(source).or_insert(Failures { n: 0, last: now });
            if now.duration_since(counted.last) >= FORGIVEN {
                counted.n = 0;
            }
            *counted = Failures { n: counted.n.saturating_add(1), last: now };
        }
    }

    /// Forgives the failures of a name.
    pub(super) fn succeeded(&self, name: &str, address: IpAddr) {
        self.lock().remove(&Source::Name(address, name.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Source, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    fn wait(self, free: u32, now: Instant) -> Option<Duration> {
        let beyond = self.n.checked_sub(free + 1)?;
        let penalty = FIRST.saturating_mul(1 << beyond.min(16)).min(LONGEST);
        let left = penalty.checked_sub(now.duration_since(self.last))?;
        (!left.is_zero()).then_some(left)
    }
}

fn make_room(failures: &mut HashMap<Source, Failures>, now: Instant) {
    if failures.len() < N_MAX {
        return;
    }
    failures.retain(|_source, failures| now.duration_since(failures.last) < FORGIVEN);
    if failures.len() < N_MAX {
        return;
    }
    let mut times: Vec<_> = failures.values().map(|failures| failures.last).collect();
    times.sort_unstable();
    let middle = times[times.len() / 2];
    failures.retain(|_source, failures| failures.last > middle);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn each_failure_doubles_the_wait_and_a_success_ends_it() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..8 {
            back_off.failed("ada", HERE, now);
            waits.push(back_off.wait("ada", HERE, now).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(back_off.wait("ada", HERE, now + Duration::from_secs(8)), None);
        assert_eq!(back_off.wait("ada", THERE, now), None, "who fails elsewhere locks nobody out");
        assert_eq!(back_off.wait("eve", HERE, now), None);
        back_off.succeeded("ada", HERE);
        assert_eq!(back_off.wait("ada", HERE, now), None);
    }

    #[test]
    fn many_names_from_one_address_wait_too() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        for n in 0..=FREE_OF_AN_ADDRESS {
            back_off.failed(&format!("user-{n}"), HERE, now);
        }
        assert_eq!(back_off.wait("another", HERE, now), Some(FIRST));
        assert_eq!(back_off.wait("another", THERE, now), None);
    }

    #[test]
    fn it_is_never_longer_than_the_longest_and_is_forgiven() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        for _ in 0..100 {
            back_off.failed("ada", HERE, now);
        }
        assert_eq!(back_off.wait("ada", HERE, now), Some(LONGEST));
        let later = now + FORGIVEN;
        back_off.failed("ada", HERE, later);
        assert_eq!(back_off.wait("ada", HERE, later), None);
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        for n in 0..3 * N_MAX {
            back_off.failed(&format!("user-{n}"), HERE, now + Duration::from_millis(n as u64));
        }
        assert!(back_off.lock().len() <= N_MAX + 2);
    }
}

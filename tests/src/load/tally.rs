//! What came of a run.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::fault::Fault;

const N_TOLD_FAULTS: usize = 5;
/// Longer exchanges are recorded as this long.
const LATENCY_MAX: Duration = Duration::from_secs(60);

/// What came of the exchanges of one script.
#[derive(Clone)]
pub struct Tally {
    /// The script's name.
    pub name: &'static str,
    /// Exchanges that were right.
    pub n_right: u64,
    /// Exchanges without an answer, or with an error as the answer.
    pub n_failed: u64,
    /// Answers that were not right.
    pub n_wrong: u64,
    /// Connections that were opened.
    pub n_connections: u64,
    /// The first faults, told.
    pub faults: Vec<String>,
    /// Nanoseconds from due to done, of the right ones.
    latency: Histogram<u64>,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By script.
    pub tallies: Vec<Tally>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Tally {
    pub(super) fn new(name: &'static str) -> Self {
        let max_ns = u64::try_from(LATENCY_MAX.as_nanos()).expect("a minute fits");
        let latency = Histogram::new_with_bounds(1, max_ns, 3).expect("the bounds are in order");
        let faults = Vec::new();
        Self { name, n_right: 0, n_failed: 0, n_wrong: 0, n_connections: 0, faults, latency }
    }

    pub(super) fn right(&mut self, took: Duration) {
        self.n_right += 1;
        self.latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn fault(&mut self, fault: &Fault) {
        if fault.is_wrong_answer() {
            self.n_wrong += 1;
        } else {
            self.n_failed += 1;
        }
        if self.faults.len() < N_TOLD_FAULTS {
            self.faults.push(fault.told());
        }
    }

    /// The latency that this part of the exchanges stayed below; 0.5 is the median.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_quantile(part))
    }

    fn add(&mut self, other: Self) {
        let Self { name: _, n_right, n_failed, n_wrong, n_connections, faults, latency } = other;
        self.n_right += n_right;
        self.n_failed += n_failed;
        self.n_wrong += n_wrong;
        self.n_connections += n_connections;
        self.faults.extend(faults);
        self.faults.truncate(N_TOLD_FAULTS);
        self.latency.add(latency).expect("all histograms have the same bounds");
    }
}

impl Report {
    pub(super) fn new(tallies: impl Iterator<Item = Tally>, elapsed: Duration) -> Self {
        let mut report = Self { tallies: Vec::new(), elapsed };
        tallies.for_each(|tally| report.count(tally));
        report
    }

    /// Adds what another thread did at the same time.
    pub(super) fn add(&mut self, other: Self) {
        let Self { tallies, elapsed } = other;
        tallies.into_iter().for_each(|tally| self.count(tally));
        self.elapsed = self.elapsed.max(elapsed);
    }

    fn count(&mut self, tally: Tally) {
        match self.tallies.iter_mut().find(|each| each.name == tally.name) {
            Some(same) => same.add(tally),
            None => self.tallies.push(tally),
        }
    }

    /// All scripts together.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::new("total");
        self.tallies.iter().cloned().for_each(|tally| total.add(tally));
        total
    }

    /// Right exchanges per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.total().n_right as f64 / self.elapsed.as_secs_f64()
    }

    /// Panics unless every exchange of every script was right and there were some of each.
    ///
    /// # Panics
    /// With the counts and the first faults.
    pub fn assert_faultless(&self) {
        let clean = |tally: &Tally| {
            let Tally { n_right, n_failed, n_wrong, .. } = *tally;
            n_right > 0 && n_failed == 0 && n_wrong == 0
        };
        assert!(self.tallies.iter().all(clean), "the load was not answered rightly:\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tallies.iter().try_for_each(|tally| writeln!(f, "{tally}"))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, n_right, n_failed, n_wrong, n_connections, faults, latency: _ } = self;
        let (p50, p99) = (self.quantile(0.5), self.quantile(0.99));
        write!(
            f,
            "{name:<9} {n_right:>9} right, {n_failed} failed, {n_wrong} wrong, {n_connections} connections, \
             p50 {p50:.1?}, p99 {p99:.1?}"
        )?;
        faults.iter().try_for_each(|fault| write!(f, "\n    {fault}"))
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! What every bench needs: its arguments, medians, and a book of results printed as a table and kept as JSON.
//!
//! A result is judged against its target, `PASS` or `MISS`, and never asserted: a bench measures.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

use crate::places;

/// The results of one bench.
#[derive(Debug, Serialize)]
pub struct Book {
    bench: &'static str,
    machine: Machine,
    rows: Vec<Row>,
}

/// One result.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The result.
    pub value: f64,
    /// What it is counted in.
    pub unit: &'static str,
    /// What it should be.
    pub target: Option<Target>,
    /// What the result is the median of; empty when it was measured once.
    pub samples: Vec<f64>,
}

/// What a result should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// Where it was measured.
#[derive(Debug, Serialize)]
struct Machine {
    n_cores: usize,
    memory_mib: u64,
    kernel: String,
    profile: String,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(bench: &'static str) -> Self {
        Self { bench, machine: Machine::this(), rows: Vec::new() }
    }

    /// Writes down something measured once.
    pub fn once(&mut self, what: &str, value: f64, unit: &'static str, target: Option<Target>) {
        let what = what.to_owned();
        self.rows.push(Row { what, value, unit, target, samples: Vec::new() });
    }

    /// Writes down the median of `samples`.
    pub fn median(
        &mut self,
        what: &str,
        samples: Vec<f64>,
        unit: &'static str,
        target: Option<Target>,
    ) {
        let value = median(&samples);
        self.rows.push(Row { what: what.to_owned(), value, unit, target, samples });
    }

    /// Prints the table and writes the document; returns where.
    ///
    /// # Panics
    /// When the document cannot be written.
    #[expect(clippy::print_stdout, reason = "the table is what the bench is run for")]
    pub fn close(self) -> PathBuf {
        println!("{self}");
        let path = places::leftovers("bench").join(format!("{}.json", self.bench));
        let document = serde_json::to_string_pretty(&self).expect("a book is plain data");
        fs::write(&path, document).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("written to {}", path.display());
        path
    }
}

impl Target {
    fn judge(self, value: f64) -> &'static str {
        let met = match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        };
        if met { "PASS" } else { "MISS" }
    }
}

impl Machine {
    fn this() -> Self {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_kib = memory.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let profile = places::profile();
        let profile = profile.file_name().unwrap_or_default().to_string_lossy();
        Self {
            n_cores,
            memory_mib: memory_kib.unwrap_or(0_u64) / 1024,
            kernel: kernel.trim().to_owned(),
            profile: profile.into_owned(),
        }
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { n_cores, memory_mib, kernel, profile } = &self.machine;
        writeln!(
            f,
            "\n{}: {n_cores} cores, {memory_mib} MiB, Linux {kernel}, {profile} build",
            self.bench
        )?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, unit, target, samples: _ } = self;
        let precision = if value.abs() >= 1000.0 { 0 } else { 3 };
        write!(f, "  {what:<58} {value:>12.precision$} {unit:<8}")?;
        match *target {
            Some(target @ Target::AtLeast(least)) => {
                write!(f, " {} (≥ {least})", target.judge(*value))
            }
            Some(target @ Target::AtMost(most)) => {
                write!(f, " {} (≤ {most})", target.judge(*value))
            }
            None => Ok(()),
        }
    }
}

/// The middle of `samples`; not a number when there are none.
#[must_use]
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The value of a flag such as `--rounds 5` of this process, or `default`.
///
/// # Panics
/// When the value is not one.
#[must_use]
pub fn argument<T: FromStr>(flag: &str, default: T) -> T {
    let mut arguments = std::env::args().skip_while(|each| each != flag).skip(1);
    let Some(value) = arguments.next() else { return default };
    value.parse().unwrap_or_else(|_| panic!("`{value}` is no value of `{flag}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!(median(&[]).is_nan());
        let cases: [(&[f64], f64); 3] =
            [(&[3.0], 3.0), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)];
        for (samples, middle) in cases {
            assert!((median(samples) - middle).abs() < f64::EPSILON, "{samples:?}");
        }
    }

    #[test]
    fn targets_judge_on_the_right_side() {
        assert_eq!(Target::AtLeast(0.8).judge(0.8), "PASS");
        assert_eq!(Target::AtLeast(0.8).judge(0.79), "MISS");
        assert_eq!(Target::AtMost(1.3).judge(1.31), "MISS");
    }
}

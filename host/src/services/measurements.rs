//! What a plugin measures about itself, kept for the next scrape.
//!
//! Bounded: a plugin that makes up labels fills its own table and no more; the rest is counted as dropped.
//! It ends with its generation.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use plugin_abi::record::{Measurement, MetricRecord};

/// The most series one generation may have.
const SERIES_MAX: usize = 500;

/// The series that counts what found no place.
const DROPPED: &str = "measurements_dropped";

/// The series of one generation.
#[derive(Debug, Default)]
pub(crate) struct Measurements {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    series: BTreeMap<SeriesName, Series>,
    n_dropped: f64,
}

/// The name of a series and its labels, in the order the plugin gave them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeriesName {
    /// As the plugin calls it.
    pub(crate) name: String,
    /// Label and value.
    pub(crate) labels: Vec<(String, String)>,
}

/// What has come in for a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Series {
    /// The sum of all additions.
    Counter(f64),
    /// The last value set.
    Gauge(f64),
    /// How many observations, and their sum.
    Summary {
        /// How many.
        count: u64,
        /// Their sum.
        sum: f64,
    },
}

impl Measurements {
    /// Takes one measurement.
    pub(crate) fn take(&self, record: &MetricRecord<'_>) {
        let name = SeriesName {
            name: record.name.to_owned(),
            labels: record.labels.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = table.series.get_mut(&name) {
            series.add(record.measurement);
        } else if table.series.len() < SERIES_MAX {
            table.series.insert(name, Series::first(record.measurement));
        } else {
            table.n_dropped += 1.0;
        }
    }

    /// Every series as it stands; what found no place is counted in the last one.
    pub(crate) fn snapshot(&self) -> Vec<(SeriesName, Series)> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let series = table.series.iter().map(|(name, series)| (name.clone(), *series));
        let dropped = (table.n_dropped > 0.0).then(|| {
            let name = SeriesName { name: DROPPED.to_owned(), labels: Vec::new() };
            (name, Series::Counter(table.n_dropped))
        });
        series.chain(dropped).collect()
    }
}

impl Series {
    fn first(measurement: Measurement) -> Self {
        match measurement {
            Measurement::Add(value) => Self::Counter(value),
            Measurement::Set(value) => Self::Gauge(value),
            Measurement::Observe(sum) => Self::Summary { count: 1, sum },
        }
    }

    /// A measurement of another kind begins the series anew: the plugin changed its mind.
    fn add(&mut self, measurement: Measurement) {
        match (&mut *self, measurement) {
            (Self::Counter(sum), Measurement::Add(value)) => *sum += value,
            (Self::Summary { count, sum }, Measurement::Observe(value)) => {
                *count += 1;
                *sum += value;
            }
            (Self::Counter(_) | Self::Gauge(_) | Self::Summary { .. }, other) => {
                *self = Self::first(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, measurement: Measurement) -> MetricRecord<'_> {
        MetricRecord { name, labels: vec![("to", "x")], measurement }
    }

    #[test]
    fn series_add_up_by_their_kind() {
        let measurements = Measurements::default();
        for value in [1.0, 2.0] {
            measurements.take(&record("calls", Measurement::Add(value)));
            measurements.take(&record("queue", Measurement::Set(value)));
            measurements.take(&record("seconds", Measurement::Observe(value)));
        }
        let series = measurements.snapshot().into_iter();
        let values: Vec<_> = series.map(|(_name, series)| series).collect();
        let expected =
            [Series::Counter(3.0), Series::Gauge(2.0), Series::Summary { count: 2, sum: 3.0 }];
        assert_eq!(values, expected);
    }

    #[test]
    fn made_up_names_fill_the_table_and_no_more() {
        let measurements = Measurements::default();
        for idx in 0..SERIES_MAX + 7 {
            measurements.take(&record(&format!("m{idx}"), Measurement::Add(1.0)));
        }
        let series = measurements.snapshot();
        assert_eq!(series.len(), SERIES_MAX + 1);
        let (name, dropped) = series.last().unwrap();
        assert_eq!((&*name.name, dropped), (DROPPED, &Series::Counter(7.0)));
    }
}

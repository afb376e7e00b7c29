//! The load of each living generation, read when somebody scrapes.
//!
//! Guarantees: a generation's series exist exactly as long as its [`Registration`]; being measured costs a
//! request nothing beyond the counters that its generation keeps anyway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::services::measurements::{Series, SeriesName};

mod measured;

/// Every generation that is measured. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generations(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    registered: u64,
    entries: BTreeMap<u64, Entry>,
}

struct Entry {
    labels: [(&'static str, String); 3],
    read: Box<dyn Fn() -> Reading + Send + Sync>,
}

/// What is known of a generation when somebody asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// What the host counts.
    pub(crate) load: Load,
    /// What the plugin measures.
    pub(crate) series: Vec<(SeriesName, Series)>,
}

/// What the host counts of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    /// Requests it was given since it started.
    pub(crate) requests_total: u64,
    /// Requests it has not answered yet.
    pub(crate) requests_in_flight: u64,
    /// Panics since it started.
    pub(crate) panics_total: u64,
    /// Breaches of the contract since it started.
    pub(crate) breaches_total: u64,
    /// Calls of the database service.
    pub(crate) database_calls_total: u64,
    /// Those that were answered with a fault.
    pub(crate) database_faults_total: u64,
}

/// Keeps the series of one generation; dropping it ends them.
#[derive(Debug)]
#[must_use = "the series end when this is dropped"]
pub(crate) struct Registration {
    generations: Generations,
    id: u64,
}

impl Generations {
    /// Measures a generation. `read` runs on whatever thread scrapes, and must not run plugin code.
    pub(crate) fn register(
        &self,
        element: &str,
        version: &str,
        generation: u64,
        read: impl Fn() -> Reading + Send + Sync + 'static,
    ) -> Registration {
        let labels = [
            ("element", element.to_owned()),
            ("version", version.to_owned()),
            ("generation", generation.to_string()),
        ];
        let mut list = self.lock();
        list.registered += 1;
        let id = list.registered;
        list.entries.insert(id, Entry { labels, read: Box::new(read) });
        Registration { generations: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.generations.lock().entries.remove(&self.id);
    }
}

impl Collector for Generations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let list = self.lock();
        let readings: Vec<_> =
            list.entries.values().map(|entry| (&entry.labels, (entry.read)())).collect();
        for family in &FAMILIES {
            let mut series =
                encoder.encode_descriptor(family.name, family.help, None, family.metric_type())?;
            for (labels, reading) in &readings {
                family.encode((family.read)(&reading.load), series.encode_family(*labels)?)?;
            }
        }
        measured::encode(&readings, &mut encoder)
    }
}

/// A family of series of which every generation has one.
struct Counted {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: fn(&Load) -> u64,
}

enum Kind {
    Counter,
    Gauge,
}

const FAMILIES: [Counted; 6] = [
    Counted {
        name: "plugin_requests",
        help: "Requests given to a generation",
        kind: Kind::Counter,
        read: |load| load.requests_total,
    },
    Counted {
        name: "plugin_requests_in_flight",
        help: "Requests that a generation has not answered yet",
        kind: Kind::Gauge,
        read: |load| load.requests_in_flight,
    },
    Counted {
        name: "plugin_panics",
        help: "Panics of a generation",
        kind: Kind::Counter,
        read: |load| load.panics_total,
    },
    Counted {
        name: "plugin_breaches",
        help: "Breaches of the contract by a generation",
        kind: Kind::Counter,
        read: |load| load.breaches_total,
    },
    Counted {
        name: "plugin_database_calls",
        help: "Calls of the database service by a generation",
        kind: Kind::Counter,
        read: |load| load.database_calls_total,
    },
    Counted {
        name: "plugin_database_faults",
        help: "Calls of the database service that were answered with a fault",
        kind: Kind::Counter,
        read: |load| load.database_faults_total,
    },
];

impl Counted {
    fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        }
    }

    fn encode(&self, value: u64, encoder: MetricEncoder<'_>) -> fmt::Result {
        match self.kind {
            Kind::Counter => ConstCounter::new(value).encode(encoder),
            Kind::Gauge => ConstGauge::new(value).encode(encoder),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("labels", &self.labels).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use prometheus_client::registry::Registry;

    use super::*;

    fn scrape(generations: &Generations) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(generations.clone()));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn series_live_as_long_as_their_registration() {
        let generations = Generations::default();
        let read = || {
            let name = SeriesName {
                name: "calls".to_owned(),
                labels: vec![("to".to_owned(), "x".to_owned())],
            };
            let load = Load { requests_total: 7, requests_in_flight: 2, ..Load::default() };
            Reading { load, series: vec![(name, Series::Counter(1.5))] }
        };
        let first = generations.register("demo", "0.1.0", 1, read);
        let _second = generations.register("demo", "0.2.0", 2, read);
        drop(first);
        expect![[r##"
            # HELP plugin_requests Requests given to a generation
            # TYPE plugin_requests counter
            plugin_requests_total{element="demo",version="0.2.0",generation="2"} 7
            # HELP plugin_requests_in_flight Requests that a generation has not answered yet
            # TYPE plugin_requests_in_flight gauge
            plugin_requests_in_flight{element="demo",version="0.2.0",generation="2"} 2
            # HELP plugin_panics Panics of a generation
            # TYPE plugin_panics counter
            plugin_panics_total{element="demo",version="0.2.0",generation="2"} 0
            # HELP plugin_breaches Breaches of the contract by a generation
            # TYPE plugin_breaches counter
            plugin_breaches_total{element="demo",version="0.2.0",generation="2"} 0
            # HELP plugin_database_calls Calls of the database service by a generation
            # TYPE plugin_database_calls counter
            plugin_database_calls_total{element="demo",version="0.2.0",generation="2"} 0
            # HELP plugin_database_faults Calls of the database service that were answered with a fault
            # TYPE plugin_database_faults counter
            plugin_database_faults_total{element="demo",version="0.2.0",generation="2"} 0
            # HELP plugin_calls Measured by the plugin
            # TYPE plugin_calls counter
            plugin_calls_total{element="demo",version="0.2.0",generation="2",to="x"} 1.5
            # EOF
        "##]]
        .assert_eq(&scrape(&generations));
    }
}

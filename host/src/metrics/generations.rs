//! The load of each living generation, read when somebody scrapes.
//!
//! Guarantees: a generation's series exist exactly as long as its [`Registration`]; being measured costs a
//! request nothing beyond the counters that its generation keeps anyway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

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
    read: Box<dyn Fn() -> Load + Send + Sync>,
}

/// What a generation says about itself when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    /// Requests it was given since it started.
    pub(crate) requests_total: u64,
    /// Requests it has not answered yet.
    pub(crate) requests_in_flight: u64,
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
        read: impl Fn() -> Load + Send + Sync + 'static,
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
        let loads: Vec<_> =
            list.entries.values().map(|entry| (&entry.labels, (entry.read)())).collect();
        let help = "Requests given to a generation";
        let mut requests =
            encoder.encode_descriptor("plugin_requests", help, None, MetricType::Counter)?;
        for (labels, load) in &loads {
            ConstCounter::new(load.requests_total).encode(requests.encode_family(*labels)?)?;
        }
        let help = "Requests that a generation has not answered yet";
        let mut in_flight = encoder.encode_descriptor(
            "plugin_requests_in_flight",
            help,
            None,
            MetricType::Gauge,
        )?;
        for (labels, load) in &loads {
            ConstGauge::new(load.requests_in_flight).encode(in_flight.encode_family(*labels)?)?;
        }
        Ok(())
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
        let load = Load { requests_total: 7, requests_in_flight: 2 };
        let first = generations.register("demo", "0.1.0", 1, move || load);
        let _second = generations.register("demo", "0.2.0", 2, move || load);
        drop(first);
        expect![[r##"
            # HELP plugin_requests Requests given to a generation
            # TYPE plugin_requests counter
            plugin_requests_total{element="demo",version="0.2.0",generation="2"} 7
            # HELP plugin_requests_in_flight Requests that a generation has not answered yet
            # TYPE plugin_requests_in_flight gauge
            plugin_requests_in_flight{element="demo",version="0.2.0",generation="2"} 2
            # EOF
        "##]]
        .assert_eq(&scrape(&generations));
    }
}

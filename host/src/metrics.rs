//! What the daemon measures about itself, as text for `/metrics`.
//!
//! Guarantees: no label is looked up while a request is answered. Handles are made once and kept; the load of a
//! generation is read when somebody scrapes, and its series end with its [`generations::Registration`]. Not here: what
//! plugins measure.

use std::fmt;

use ::http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(crate) mod generations;
mod process;

use generations::Generations;
use process::Process;

/// The media type of [`Metrics::text`].
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every series of the daemon.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Written by the server, per connection and per request.
    pub(crate) http: HttpMetrics,
    /// Written by generations and rollouts.
    pub(crate) plugin: PluginMetrics,
}

/// What the user API measures. Clones are the same series.
#[derive(Debug, Clone)]
pub(crate) struct HttpMetrics {
    /// By hundreds of the status, `1xx` first.
    answered: [Counter; 5],
    /// By [`Refused`], in its order.
    refused: [Counter; Refused::ALL.len()],
    /// Open connections, upgraded ones included.
    pub(crate) connections: Gauge,
}

/// A limit that turned something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A connection over `http.connections_max`.
    ConnectionLimit,
    /// A connection that the system could not hand over, as when file descriptors run out.
    AcceptFailed,
    /// A connection that did not come to agree on keys.
    Handshake,
    /// A request over its generation's concurrency limit.
    PluginBusy,
    /// A request to a generation that takes no more.
    PluginDraining,
    /// A body over its route's limit.
    BodyTooLarge,
    /// A request that was not answered in time.
    Deadline,
}

/// A family with one label.
type ByName<M> = Family<[(&'static str, &'static str); 1], M>;

/// What generations and rollouts measure, all of it off the request's way.
#[derive(Debug, Clone, Default)]
pub(crate) struct PluginMetrics {
    /// The load of each living generation.
    pub(crate) generations: Generations,
    phases: ByName<Gauge>,
    /// Bytes of libraries that are still mapped after their generation ended.
    pub(crate) retained_bytes: Gauge,
    /// Thread-local keys that the process can still make.
    pub(crate) free_keys: Gauge,
    /// Switches from one generation to another.
    pub(crate) swaps: Counter,
    /// Generations that were refused or failed before they served.
    pub(crate) loads_failed: Counter,
}

impl Metrics {
    /// All series, at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let http = HttpMetrics::register(&mut registry);
        let plugin = PluginMetrics::register(&mut registry);
        registry.register_collector(Box::new(Process));
        Self { registry, http, plugin }
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(4096);
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl HttpMetrics {
    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        let hundreds = usize::from(status.as_u16() / 100).clamp(1, self.answered.len());
        self.answered[hundreds - 1].inc();
    }

    /// Counts what a limit turned away.
    pub(crate) fn refused(&self, what: Refused) {
        self.refused[what as usize].inc();
    }

    fn register(registry: &mut Registry) -> Self {
        let requests = ByName::<Counter>::default();
        let refusals = ByName::<Counter>::default();
        let http = Self {
            answered: ["1xx", "2xx", "3xx", "4xx", "5xx"]
                .map(|class| requests.get_or_create_owned(&[("status_class", class)])),
            refused: Refused::ALL
                .map(|what| refusals.get_or_create_owned(&[("reason", what.reason())])),
            connections: Gauge::default(),
        };
        registry.register("http_requests", "Requests answered", requests);
        registry.register("http_refused", "Connections and requests over a limit", refusals);
        registry.register("http_connections", "Open connections", http.connections.clone());
        http
    }
}

impl PluginMetrics {
    /// How many generations are in `phase`.
    pub(crate) fn in_phase(&self, phase: &'static str) -> Gauge {
        self.phases.get_or_create_owned(&[("phase", phase)])
    }

    fn register(registry: &mut Registry) -> Self {
        let plugin = Self::default();
        let Self { generations, phases, retained_bytes, free_keys, swaps, loads_failed } =
            plugin.clone();
        registry.register_collector(Box::new(generations));
        registry.register("generations", "Generations by phase", phases);
        registry.register(
            "retained_bytes",
            "Libraries still mapped after their generation ended",
            retained_bytes,
        );
        registry.register("free_keys", "Thread-local keys that can still be made", free_keys);
        registry.register("swaps", "Switches from one generation to another", swaps);
        registry.register("loads_failed", "Generations that never served", loads_failed);
        plugin
    }
}

impl Refused {
    /// All of them, in the order of their counters.
    const ALL: [Self; 7] = [
        Self::ConnectionLimit,
        Self::AcceptFailed,
        Self::Handshake,
        Self::PluginBusy,
        Self::PluginDraining,
        Self::BodyTooLarge,
        Self::Deadline,
    ];

    fn reason(self) -> &'static str {
        match self {
            Self::ConnectionLimit => "connection_limit",
            Self::AcceptFailed => "accept_failed",
            Self::Handshake => "handshake",
            Self::PluginBusy => "plugin_busy",
            Self::PluginDraining => "plugin_draining",
            Self::BodyTooLarge => "body_too_large",
            Self::Deadline => "deadline",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(metrics: &Metrics, line: &str) -> bool {
        metrics.text().unwrap().lines().any(|found| found == line)
    }

    #[test]
    fn answers_are_counted_by_class() {
        let metrics = Metrics::new();
        metrics.http.answered(StatusCode::NOT_FOUND);
        metrics.http.answered(StatusCode::SWITCHING_PROTOCOLS);
        assert!(has(&metrics, "http_requests_total{status_class=\"1xx\"} 1"));
        assert!(has(&metrics, "http_requests_total{status_class=\"4xx\"} 1"));
        assert!(has(&metrics, "http_requests_total{status_class=\"5xx\"} 0"));
    }

    #[test]
    fn every_refusal_has_its_own_counter() {
        for (position, what) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, position);
            let metrics = Metrics::new();
            metrics.http.refused(what);
            let line = format!("http_refused_total{{reason=\"{}\"}} 1", what.reason());
            assert!(has(&metrics, &line), "{line}");
        }
    }

    #[test]
    fn phases_are_gauges_of_one_family() {
        let metrics = Metrics::new();
        metrics.plugin.in_phase("serving").inc();
        metrics.plugin.in_phase("serving").inc();
        assert!(has(&metrics, "generations{phase=\"serving\"} 2"));
    }

    #[test]
    fn the_process_is_measured_when_asked() {
        let text = Metrics::new().text().unwrap();
        let value = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.split(' ').next() == Some(name));
            line.and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000);
        assert!(value("process_open_fds") >= 3);
        assert!(value("process_threads") >= 1);
    }
}

//! What the system knows about this process, read from `/proc` when somebody scrapes.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// The process that this is.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let series = [
            ("process_resident_memory_bytes", "Resident memory", resident_bytes()),
            ("process_open_fds", "Open file descriptors", n_open_fds()),
            ("process_threads", "Threads", n_threads()),
        ];
        // What /proc does not say is left out: a made-up zero would look like a measurement.
        for (name, help, value) in series.into_iter().filter_map(|(n, h, v)| Some((n, h, v?))) {
            let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(descriptor)?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<u64> {
    let kib: u64 = status("VmRSS:")?;
    Some(kib * 1024)
}

fn n_threads() -> Option<u64> {
    status("Threads:")
}

fn n_open_fds() -> Option<u64> {
    let n_entries = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the directory that is being read.
    u64::try_from(n_entries.saturating_sub(1)).ok()
}

fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

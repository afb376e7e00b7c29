//! The settings under `http`: the listener and its limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The settings of the user API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where it listens. There is no TLS yet, so only loopback addresses are taken.
    pub(crate) listen: SocketAddr,
    /// Connections open at a time; one more is answered with 503 and closed.
    pub(crate) connections_max: usize,
    /// How long a connection may take to send a whole request head, waiting included.
    pub(crate) header_read_timeout_ms: u64,
    /// Bytes of a request head; more is answered with 431.
    pub(crate) header_bytes_max: usize,
    /// Headers of a request; more is answered with 431.
    pub(crate) headers_max: usize,
    /// Bytes of a request body, where a route says nothing else.
    pub(crate) body_bytes_max: usize,
    /// How long a plugin may take to begin its answer.
    pub(crate) request_deadline_ms: u64,
    /// How long requests may take to end once the daemon is told to stop.
    pub(crate) drain_deadline_ms: u64,
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The listener would be reachable from elsewhere, in clear text.
    #[error("setting `http.listen` is `{listen}`: without TLS only loopback addresses are served, use `127.0.0.1:{}` and a proxy that speaks TLS", listen.port())]
    NotLoopback {
        /// The address.
        listen: SocketAddr,
    },
    /// A limit that nothing fits into.
    #[error("setting `{key}` is {value}: it must be at least {least}")]
    TooSmall {
        /// The setting.
        key: &'static str,
        /// What it is.
        value: u64,
        /// What it must be at least.
        least: u64,
    },
}

/// The smallest buffer that hyper works with.
const HEADER_BYTES_LEAST: u64 = 8192;

impl Config {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self {
            listen,
            connections_max,
            header_read_timeout_ms,
            header_bytes_max,
            headers_max,
            // No body, no waiting and no draining are choices that work.
            body_bytes_max: _,
            request_deadline_ms,
            drain_deadline_ms: _,
        } = *self;
        if !listen.ip().is_loopback() {
            return Err(Error::NotLoopback { listen });
        }
        at_least("http.connections_max", connections_max as u64, 1)?;
        at_least("http.header_read_timeout_ms", header_read_timeout_ms, 1)?;
        at_least("http.header_bytes_max", header_bytes_max as u64, HEADER_BYTES_LEAST)?;
        at_least("http.headers_max", headers_max as u64, 1)?;
        at_least("http.request_deadline_ms", request_deadline_ms, 1)
    }

    /// How long a connection may take to send a whole request head.
    pub(crate) fn header_read_timeout(&self) -> Duration {
        Duration::from_millis(self.header_read_timeout_ms)
    }

    /// How long requests may take to end once the daemon is told to stop.
    pub(crate) fn drain_deadline(&self) -> Duration {
        Duration::from_millis(self.drain_deadline_ms)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            connections_max: 4096,
            header_read_timeout_ms: 30_000,
            header_bytes_max: 64 * 1024,
            headers_max: 100,
            body_bytes_max: 1024 * 1024,
            request_deadline_ms: 30_000,
            drain_deadline_ms: 10_000,
        }
    }
}

fn at_least(key: &'static str, value: u64, least: u64) -> Result<(), Error> {
    if value >= least { Ok(()) } else { Err(Error::TooSmall { key, value, least }) }
}

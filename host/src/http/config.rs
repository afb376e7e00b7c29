//! The settings under `http`: the listener and its limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::Rate;

/// The settings of the user API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where it listens. An address that others reach needs `tls`, or `allow_plaintext`.
    pub(crate) listen: SocketAddr,
    /// Whether tokens and data may cross a network in clear text.
    pub(crate) allow_plaintext: bool,
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
    /// Requests in a second that a principal may make in the long run; 0: as many as it likes.
    pub(crate) rate_per_s: u32,
    /// Requests that it may make at once, where there is a rate.
    pub(crate) rate_burst: u32,
    /// TLS, if the files are named.
    pub(crate) tls: Tls,
}

/// The settings of TLS.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// The PEM file of the certificate and those that vouch for it, its own first.
    certificate: Option<PathBuf>,
    /// The PEM file of the certificate's private key.
    key: Option<PathBuf>,
    /// How long a connection may take to agree on keys.
    handshake_timeout_ms: u64,
    /// How often the files are looked at for new ones.
    reload_ms: u64,
}

/// The files of a certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// The certificate and those that vouch for it.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The listener would be reachable from elsewhere, in clear text.
    #[error("setting `http.listen` is `{listen}`, which others reach in clear text: set `http.tls.certificate` and `http.tls.key`, listen on `127.0.0.1:{}`, or set `http.allow_plaintext = true` if what is between speaks TLS", listen.port())]
    NotLoopback {
        /// The address.
        listen: SocketAddr,
    },
    /// Half of what TLS needs.
    #[error("setting `{given}` is there and `{missing}` is not: TLS needs both files")]
    HalfOfTls {
        /// The setting that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
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
/// Looking at the files more often than this only costs.
const RELOAD_MS_LEAST: u64 = 100;

impl Config {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self {
            listen,
            allow_plaintext,
            connections_max,
            header_read_timeout_ms,
            header_bytes_max,
            headers_max,
            // No body, no waiting and no draining are choices that work.
            body_bytes_max: _,
            request_deadline_ms,
            drain_deadline_ms: _,
            rate_per_s: _,
            rate_burst,
            ref tls,
        } = *self;
        let is_plain = tls.check()?.is_none();
        if is_plain && !allow_plaintext && !listen.ip().is_loopback() {
            return Err(Error::NotLoopback { listen });
        }
        at_least("http.connections_max", connections_max as u64, 1)?;
        at_least("http.header_read_timeout_ms", header_read_timeout_ms, 1)?;
        at_least("http.header_bytes_max", header_bytes_max as u64, HEADER_BYTES_LEAST)?;
        at_least("http.headers_max", headers_max as u64, 1)?;
        at_least("http.rate_burst", rate_burst.into(), 1)?;
        at_least("http.request_deadline_ms", request_deadline_ms, 1)
    }

    /// How long a connection may take to send a whole request head.
    pub(crate) fn header_read_timeout(&self) -> Duration {
        Duration::from_millis(self.header_read_timeout_ms)
    }

    /// How much a principal may ask.
    pub(crate) fn rate(&self) -> Rate {
        Rate { per_s: self.rate_per_s, burst: self.rate_burst }
    }

    /// How long requests may take to end once the daemon is told to stop.
    pub(crate) fn drain_deadline(&self) -> Duration {
        Duration::from_millis(self.drain_deadline_ms)
    }
}

impl Tls {
    /// Refuses settings that cannot work: the files, if there is to be TLS.
    fn check(&self) -> Result<Option<TlsFiles>, Error> {
        let Self { certificate, key, handshake_timeout_ms, reload_ms } = self;
        at_least("http.tls.handshake_timeout_ms", *handshake_timeout_ms, 1)?;
        at_least("http.tls.reload_ms", *reload_ms, RELOAD_MS_LEAST)?;
        let half = |given, missing| Err(Error::HalfOfTls { given, missing });
        match (certificate.clone(), key.clone()) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            (Some(_), None) => half("http.tls.certificate", "http.tls.key"),
            (None, Some(_)) => half("http.tls.key", "http.tls.certificate"),
        }
    }

    /// The files, if there is to be TLS.
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        self.check().ok().flatten()
    }

    /// How long a connection may take to agree on keys.
    pub(crate) fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    /// How often the files are looked at.
    pub(crate) fn reload_period(&self) -> Duration {
        Duration::from_millis(self.reload_ms)
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self { certificate: None, key: None, handshake_timeout_ms: 10_000, reload_ms: 10_000 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            allow_plaintext: false,
            connections_max: 4096,
            header_read_timeout_ms: 30_000,
            header_bytes_max: 64 * 1024,
            headers_max: 100,
            body_bytes_max: 1024 * 1024,
            request_deadline_ms: 30_000,
            drain_deadline_ms: 10_000,
            rate_per_s: 0,
            rate_burst: 100,
            tls: Tls::default(),
        }
    }
}

fn at_least(key: &'static str, value: u64, least: u64) -> Result<(), Error> {
    if value >= least { Ok(()) } else { Err(Error::TooSmall { key, value, least }) }
}

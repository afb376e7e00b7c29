//! What a plugin may ask of the daemon, beyond answering requests.
//!
//! One [`Services`] belongs to one generation and writes its name on everything: a plugin cannot log or
//! measure in another's. All of it runs on the plugin's threads, so nothing here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plugin_abi::message::RequestId;
use plugin_abi::record::{Level, LogRecord, MetricRecord};
use plugin_abi::wire::WireError;

use crate::plugin::identity::Identity;

pub(crate) mod measurements;

pub(crate) use measurements::Measurements;

/// The services of one generation. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    measurements: Measurements,
    n_panics: AtomicU64,
}

/// An event of the plugin at a level, tagged with whose it is. Levels are constants of a call site, so
/// there is one site a level.
macro_rules! say {
    ($level:ident, $inner:expr, $($rest:tt)*) => {
        tracing::$level!(
            target: "plugin",
            element = %$inner.identity.element,
            version = %$inner.identity.version,
            generation = $inner.identity.id.number(),
            $($rest)*
        )
    };
}

impl Services {
    /// The services of the generation that `identity` names.
    pub(crate) fn new(identity: Identity) -> Self {
        let inner =
            Inner { identity, measurements: Measurements::default(), n_panics: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// Writes a line of the plugin into the log.
    ///
    /// # Errors
    /// When the record is malformed.
    pub(crate) fn log(&self, record: &[u8]) -> Result<(), WireError> {
        let LogRecord { level, target, message, fields } = LogRecord::decode(record)?;
        let inner = &*self.inner;
        let fields = Fields(&fields);
        match level {
            Level::Error => say!(error, inner, module = target, fields = %fields, "{message}"),
            Level::Warn => say!(warn, inner, module = target, fields = %fields, "{message}"),
            Level::Info => say!(info, inner, module = target, fields = %fields, "{message}"),
            Level::Debug => say!(debug, inner, module = target, fields = %fields, "{message}"),
            Level::Trace => say!(trace, inner, module = target, fields = %fields, "{message}"),
        }
        Ok(())
    }

    /// Takes a measurement of the plugin.
    ///
    /// # Errors
    /// When the record is malformed.
    pub(crate) fn metric(&self, record: &[u8]) -> Result<(), WireError> {
        self.inner.measurements.take(&MetricRecord::decode(record)?);
        Ok(())
    }

    /// Writes a panic of the plugin, with where it came from, into the log.
    pub(crate) fn panicked(&self, request: Option<RequestId>, message: &str, backtrace: &str) {
        self.inner.n_panics.fetch_add(1, Ordering::Relaxed);
        say!(error, self.inner, request, backtrace, "the plugin panicked: {message}");
    }

    /// Writes a breach of the contract into the log.
    pub(crate) fn breach(&self, what: &str) {
        say!(warn, self.inner, "the plugin broke the contract: {what}");
    }

    /// Writes a line that the plugin's process printed into the log.
    pub(crate) fn printed(&self, line: &str) {
        say!(info, self.inner, "{line}");
    }

    /// How often the plugin panicked.
    pub(crate) fn n_panics(&self) -> u64 {
        self.inner.n_panics.load(Ordering::Relaxed)
    }

    /// What the plugin measured.
    pub(crate) fn measurements(&self) -> &Measurements {
        &self.inner.measurements
    }
}

/// `name=value` pairs, as they stand in a log line.
struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl std::fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (idx, (name, value)) in self.0.iter().enumerate() {
            let separator = if idx == 0 { "" } else { " " };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

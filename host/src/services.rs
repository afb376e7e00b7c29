//! What a plugin may ask of the daemon, beyond answering requests.
//!
//! One [`Services`] belongs to one generation and writes its name on everything: a plugin cannot log or
//! measure in another's. Questions arrive on the plugin's threads, so nothing here waits: what takes time is a
//! task of [`Offer`]'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plugin_abi::database::{Backend, DATABASE_SERVICE};
use plugin_abi::message::{CallId, RequestId};
use plugin_abi::record::{Level, LogRecord, MetricRecord};
use plugin_abi::resource::access::RESOURCES_SERVICE;
use plugin_abi::secret::SECRETS_SERVICE;
use plugin_abi::wire::WireError;
use plugin_abi::{AbiError, ErrorCode};

use crate::plugin::conversation::Conversation;
use crate::plugin::identity::Identity;
use crate::resource::write::Writes;
use crate::shutdown::Tasks;
use crate::store;
use crate::store::fence::Fences;

mod database;
pub(crate) mod measurements;
pub(crate) mod resources;

use database::Database;
pub(crate) use measurements::Measurements;
use resources::{Resources, Way};

/// How often connections are looked for that nobody has used for a while.
const CLOSE_IDLE_EVERY: Duration = Duration::from_secs(5);

/// What the daemon has to offer to every plugin.
#[derive(Debug)]
pub(crate) struct Offer {
    fences: Fences,
    /// Where declared resources are.
    resources: Way,
    /// What services do for plugins, they do in these.
    tasks: Tasks,
}

impl Offer {
    /// An offer of the store's tables, each plugin's own behind its fence.
    pub(crate) fn new(fences: Fences, tasks: Tasks) -> Self {
        tasks.spawn("idle connections of plugins", close_idle(fences.clone(), tasks.clone()));
        Self { fences, resources: Way::default(), tasks }
    }

    /// From now on plugins reach their declared resources, by `writes`. Who says so second is not heard.
    pub(crate) fn lead_to(&self, writes: &Writes) {
        let _first = self.resources.set(writes.downgrade());
    }

    /// The services of the generation that `identity` names. Nothing is opened for it yet.
    pub(crate) fn of(&self, identity: Identity) -> Services {
        let database = Database::new(&self.fences, &identity.element, &self.tasks);
        let resources = Resources::new(&identity.element, &self.resources, &self.tasks);
        Services::with(identity, Some(Own { database, resources }))
    }

    /// Which database a plugin writes its SQL for.
    pub(crate) fn backend(&self) -> Backend {
        match self.fences.backend() {
            store::Backend::Sqlite => Backend::Sqlite,
            store::Backend::Postgres => Backend::Postgres,
        }
    }
}

/// Closes what lies idle until the daemon ends.
async fn close_idle(fences: Fences, tasks: Tasks) {
    let mut ticks = tokio::time::interval(CLOSE_IDLE_EVERY);
    loop {
        tokio::select! {
            () = tasks.cancelled() => return,
            _now = ticks.tick() => fences.close_idle(),
        }
    }
}

/// The services of one generation. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    /// Not there in a probe.
    own: Option<Own>,
    measurements: Measurements,
    n_panics: AtomicU64,
}

/// What answers in the name of one generation.
#[derive(Debug)]
struct Own {
    database: Database,
    resources: Resources,
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
    /// The services of a probe: a log, and nothing that outlives it.
    pub(crate) fn of_probe(identity: Identity) -> Self {
        Self::with(identity, None)
    }

    fn with(identity: Identity, own: Option<Own>) -> Self {
        let measurements = Measurements::default();
        let inner = Inner { identity, own, measurements, n_panics: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// Takes what the plugin asks of a service; the call is completed through `conversation`.
    pub(crate) fn ask(
        &self,
        conversation: &Arc<Conversation>,
        call: CallId,
        service: u64,
        payload: &[u8],
    ) {
        let refuse = |code, message: String| {
            conversation.complete(call, Err(AbiError::new(code, message)));
        };
        match (service, &self.inner.own) {
            (DATABASE_SERVICE, Some(own)) => own.database.ask(conversation, call, payload),
            (RESOURCES_SERVICE, Some(own)) => own.resources.ask(conversation, call, payload),
            (SECRETS_SERVICE, Some(own)) => own.resources.ask_secret(conversation, call, payload),
            (DATABASE_SERVICE | RESOURCES_SERVICE | SECRETS_SERVICE, None) => {
                refuse(ErrorCode::Unavailable, "a probe has no database".to_owned());
            }
            (unknown, _) => {
                let message = format!("this daemon has no service {unknown}");
                refuse(ErrorCode::Unsupported, message);
            }
        }
    }

    /// Stops what services do for a plugin that is gone.
    pub(crate) fn end(&self) {
        if let Some(Own { database, resources }) = &self.inner.own {
            database.end();
            resources.end();
        }
    }

    /// How many calls of the database the plugin made, and how many were answered with a fault.
    pub(crate) fn database_counted(&self) -> (u64, u64) {
        self.inner.own.as_ref().map_or((0, 0), |own| own.database.counted())
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

//! What a plugin may ask of its surroundings.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plugin_abi::AbiError;
use plugin_abi::message::Outbound;
use plugin_abi::record::{Measurement, MetricRecord};
use plugin_abi::root::Mode;
use plugin_abi::secret::SECRETS_SERVICE;

use crate::calls::lent_bytes;
use crate::caught::Caught;
use crate::db::Database;
use crate::generation::Generation;
use crate::resource::{Client, Resource, Secret, SecretError, SecretText};
use crate::tasks;

/// The plugin's way to its host: who it is, background tasks, measurements, services.
///
/// Cheap to clone, usable from every thread of the plugin, handed to [`Plugin::start`] and extracted by
/// handlers. Log lines need no context: use [`tracing`](crate::tracing).
///
/// [`Plugin::start`]: crate::Plugin::start
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) generation: Arc<Generation>,
}

impl Context {
    /// The element whose code this is.
    #[must_use]
    pub fn element(&self) -> &str {
        &self.generation.element
    }

    /// The element's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.generation.version
    }

    /// The number of this generation, unique in the life of a daemon.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.number
    }

    /// Whether this is only a probe: started to be looked at and stopped again, with no service behind it.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.generation.mode == Mode::Probe
    }

    /// Runs `task` in the background.
    ///
    /// When the generation stops, its end is awaited until the deadline and then it is dropped; so a loop
    /// watches [`Context::stopping`] or waits with [`Context::sleep`]. A panic in it is a panic in shared
    /// state: nobody can say what it left half done, so it is reported as such and the host replaces the
    /// generation; requests are served until then.
    pub fn spawn<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = Caught::in_shared(Box::pin(task));
        let host = self.generation.host;
        tasks::spawn_background(&self.generation, name.into(), async move {
            if let Err(report) = task.await {
                report.send(&host, None);
            }
        });
    }

    /// Completes when the generation has been told to stop.
    pub async fn stopping(&self) {
        let mut stopping = self.generation.stopping.subscribe();
        // The sender lives in the generation that `self` holds, so this cannot end early.
        let _stopping = stopping.wait_for(|is_stopping| *is_stopping).await;
    }

    /// Waits, but not beyond the order to stop: `false` when that came.
    ///
    /// `while context.sleep(every).await { … }` is a background loop that ends in time.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::time::timeout(duration, self.stopping()).await.is_err()
    }

    /// Adds to a counter.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)], add: f64) {
        self.measure(name, labels, Measurement::Add(add));
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.measure(name, labels, Measurement::Set(value));
    }

    /// Observes a value in a histogram.
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.measure(name, labels, Measurement::Observe(value));
    }

    /// Asks something of one of the host's services, as that service lays it out.
    ///
    /// # Errors
    /// What the service answers, or `Unavailable` in a probe.
    ///
    /// # Cancellation
    /// Dropping the future forgets the call; the host may have carried it out.
    pub async fn service(&self, service: u64, payload: &[u8]) -> Result<Bytes, AbiError> {
        let call = self.generation.call(|call| Outbound::Service { call, service, payload });
        call.await.map(lent_bytes)
    }

    /// The plugin's own tables.
    #[must_use]
    pub fn db(&self) -> Database {
        Database::new(Arc::clone(&self.generation))
    }

    /// The plugin's own resources of this struct, in every project.
    #[must_use]
    pub fn resources<R: Resource>(&self) -> Client<R> {
        let served = self.generation.by_struct.get(&TypeId::of::<R>());
        Client::new(self.clone(), served.cloned())
    }

    /// Opens a secret of one of the plugin's own resources; the host writes down that it did.
    ///
    /// # Errors
    /// When it is gone, or the host cannot open it now.
    pub async fn secret(&self, secret: &Secret) -> Result<SecretText, SecretError> {
        match secret.request() {
            Ok(request) => {
                SecretText::of_answer(&self.service(SECRETS_SERVICE, &request.encode()).await?)
            }
            Err(text) => Ok(text),
        }
    }

    fn measure(&self, name: &str, labels: &[(&str, &str)], measurement: Measurement) {
        let record = MetricRecord { name, labels: labels.to_vec(), measurement };
        self.generation.host.send(Outbound::Metric { record: &record.encode() });
    }
}

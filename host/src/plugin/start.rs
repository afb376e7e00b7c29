//! From a probed plugin to a generation that serves.
//!
//! What starts is not published yet: nobody can reach it until the table says so. What fails to start is
//! taken down again before the error is returned; what does not even return is retained.

use std::sync::Arc;
use std::time::Duration;

use packer::bundle::Digest;
use plugin_abi::descriptor::{SCHEMA_VERSION, StartDocument};
use plugin_abi::mailbox::Mailbox;
use plugin_abi::root::Mode;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::conversation::{Conversation, Fault, StartOutcome};
use super::generation::{Generation, GenerationId, Identity, Place};
use super::in_process::{self, InProcess, Load, Port, Returned, Running};
use super::lane::{Isolation, Lane};
use super::link::Link;
use super::worker::{self, StartFrame};
use super::{Plugins, ProbedPlugin, tls_keys};
use crate::services::Services;

/// Why a generation did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The process has no thread-local keys to spare.
    #[error(
        "the process has {n_free} free thread-local keys and keeps {min} in reserve; uninstall elements, or run some with `isolation: process`"
    )]
    GenerationsFull {
        /// How many are left.
        n_free: usize,
        /// How many are kept.
        min: usize,
    },
    /// Too much code could not be unloaded.
    #[error(
        "{bytes} bytes of ended plugins could not be unloaded, which is the limit; see their reasons at `GET /v1/elements`, and restart the daemon or run the element with `isolation: process`"
    )]
    RetainedFull {
        /// How much.
        bytes: u64,
    },
    /// This very code ended the daemon when it was loaded before.
    #[error(
        "loading `{digest}` ended the daemon before, so it is quarantined; install another version, or run it with `isolation: process`"
    )]
    Quarantined {
        /// Which.
        digest: Digest,
    },
    /// The system has no thread, file or process for it.
    #[error("the system would not let the plugin be started: {reason}")]
    System {
        /// What it said.
        reason: String,
    },
    /// The plugin said that it will not serve, or its code could not be run.
    #[error("the plugin did not start: {reason}")]
    Failed {
        /// In its own words.
        reason: String,
    },
    /// It said nothing in time.
    #[error("the plugin did not say that it is ready within {} ms", limit.as_millis())]
    Deadline {
        /// How long it had.
        limit: Duration,
    },
}

/// Starts a generation and waits until it says that it is ready.
///
/// # Errors
/// Why it did not. Nothing of it runs then, except what is retained.
///
/// # Cancellation
/// Not cancel-safe: run it in a task of its own.
pub(crate) async fn start(
    plugins: &Arc<Plugins>,
    plugin: &ProbedPlugin,
    isolation: Isolation,
    settings: &serde_json::Value,
) -> Result<Arc<Generation>, StartError> {
    let identity = Identity {
        id: GenerationId::next(),
        element: plugin.element().clone(),
        version: plugin.version().clone(),
        digest: plugin.digest(),
        isolation,
    };
    let document = StartDocument {
        schema_version: SCHEMA_VERSION,
        element: identity.element.to_string(),
        version: identity.version.to_string(),
        settings: settings.clone(),
    };
    let document = serde_json::to_vec(&document).expect("a start document is plain data");
    match isolation {
        Isolation::None => start_in_process(plugins, plugin, identity, document).await,
        Isolation::Process => start_worker(plugins, plugin, identity, document).await,
    }
}

/// The name of a generation's thread; the kernel keeps fifteen bytes of it.
fn thread_name(identity: &Identity) -> String {
    let number = identity.id.number().to_string();
    let room = 15usize.saturating_sub("plugin:#".len() + number.len());
    let element: String = identity.element.as_str().chars().take(room).collect();
    format!("plugin:{element}#{number}")
}

async fn start_in_process(
    plugins: &Arc<Plugins>,
    plugin: &ProbedPlugin,
    identity: Identity,
    document: Vec<u8>,
) -> Result<Arc<Generation>, StartError> {
    check_room(plugins, plugin)?;
    let system = |error: std::io::Error| StartError::System { reason: error.to_string() };
    let image = plugins.images.take(plugin.library(), identity.id).map_err(system)?;
    let mailbox = Arc::new(Mailbox::new().map_err(system)?);
    let services = Services::new(identity.clone());
    let requests_max = plugins.config.requests_in_flight_max;
    let (conversation, started) =
        Conversation::new(Lane::InProcess(Arc::clone(&mailbox)), services, requests_max);
    let load = Load {
        generation: identity.id.number(),
        mode: Mode::Serve,
        descriptor: plugin.descriptor_bytes(),
        document,
    };
    let port = Port::new(mailbox, Arc::clone(&conversation));
    let lost = {
        let conversation = Arc::clone(&conversation);
        move |returned: &Returned| conversation.lost(|| Fault::Crashed { how: returned.how() })
    };
    let loading = plugins.journal.note_loading(&identity).map_err(system)?;
    let name = thread_name(&identity);
    let mut thread =
        in_process::spawn(name, image.path().to_owned(), load, port, lost).map_err(system)?;
    let outcome = first_word(plugins, started, &mut thread.returned).await;
    loading.done();
    let running = Running { thread, image };
    let place = InProcess::new(identity.clone(), running, Arc::clone(&plugins.retained));
    match outcome {
        Ok(()) => Ok(bear(plugins, plugin, identity, conversation, Place::InProcess(place))),
        Err(Unstarted { error, returned }) => {
            conversation.stop(plugins.config.end_limits().stop);
            place.abandon(returned, plugins.config.end_limits().stop).await;
            Err(error)
        }
    }
}

/// A generation that said it is ready.
fn bear(
    plugins: &Plugins,
    plugin: &ProbedPlugin,
    identity: Identity,
    conversation: Arc<Conversation>,
    place: Place,
) -> Arc<Generation> {
    let (version, number) = (identity.version.to_string(), identity.id.number());
    let measured = Arc::clone(&conversation);
    let measured = plugins.metrics.generations.register(
        identity.element.as_str(),
        &version,
        number,
        move || measured.load(),
    );
    let generation = Generation::new(identity, plugin.descriptor(), conversation, place, measured);
    plugins.look_after(&generation);
    generation
}

/// A generation that will not serve.
struct Unstarted {
    error: StartError,
    /// What its thread handed back, when it has returned already.
    returned: Option<Returned>,
}

/// Waits for the plugin's word, for its thread to return without one, or for the deadline.
async fn first_word(
    plugins: &Plugins,
    started: oneshot::Receiver<StartOutcome>,
    returned: &mut oneshot::Receiver<Returned>,
) -> Result<(), Unstarted> {
    let limit = plugins.config.start_deadline();
    let failed = |reason: String| StartError::Failed { reason };
    tokio::select! {
        biased;
        said = timeout(limit, started) => match said {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(reason))) => Err(Unstarted { error: failed(reason), returned: None }),
            Ok(Err(_unsaid)) => {
                let error = failed("it ended without a word".to_owned());
                Err(Unstarted { error, returned: None })
            }
            Err(_elapsed) => Err(Unstarted { error: StartError::Deadline { limit }, returned: None }),
        },
        returned = returned => {
            let returned = returned.expect("the thread hands back as its last act");
            Err(Unstarted { error: failed(returned.how()), returned: Some(returned) })
        }
    }
}

fn check_room(plugins: &Plugins, plugin: &ProbedPlugin) -> Result<(), StartError> {
    let (n_free, min) = (tls_keys::n_free(), plugins.config.free_keys_min);
    if n_free < min {
        return Err(StartError::GenerationsFull { n_free, min });
    }
    if plugins.retained.is_full() {
        return Err(StartError::RetainedFull { bytes: plugins.retained.bytes() });
    }
    let digest = plugin.digest();
    if plugins.journal.is_quarantined(digest) {
        return Err(StartError::Quarantined { digest });
    }
    Ok(())
}

async fn start_worker(
    plugins: &Arc<Plugins>,
    plugin: &ProbedPlugin,
    identity: Identity,
    document: Vec<u8>,
) -> Result<Arc<Generation>, StartError> {
    let link = Arc::new(Link::default());
    let services = Services::new(identity.clone());
    let requests_max = plugins.config.requests_in_flight_max;
    let (conversation, started) =
        Conversation::new(Lane::Worker(Arc::clone(&link)), services.clone(), requests_max);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let frame = StartFrame {
        generation: identity.id.number(),
        thread: thread_name(&identity),
        library: plugin.library().to_owned(),
        descriptor: text(&plugin.descriptor_bytes()),
        document: text(&document),
    };
    let spawned = worker::spawn(link, &frame)
        .map_err(|error| StartError::System { reason: format!("{error:#}") })?;
    let place = spawned.run(Arc::clone(&conversation), services, &plugins.tasks);
    let limit = plugins.config.start_deadline();
    let error = match timeout(limit, started).await {
        Ok(Ok(Ok(()))) => {
            return Ok(bear(plugins, plugin, identity, conversation, Place::Worker(place)));
        }
        Ok(Ok(Err(reason))) => StartError::Failed { reason },
        Ok(Err(_unsaid)) => StartError::Failed { reason: "it ended without a word".to_owned() },
        Err(_elapsed) => StartError::Deadline { limit },
    };
    conversation.stop(plugins.config.end_limits().stop);
    place.end(Duration::ZERO).await;
    Err(error)
}

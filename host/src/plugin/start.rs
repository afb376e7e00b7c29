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

use super::conversation::{Conversation, StartOutcome};
use super::generation::{Generation, Place};
use super::identity::{GenerationId, Identity};
use super::in_process::{InProcess, Port};
use super::journal::Loading;
use super::lane::{Isolation, Lane};
use super::link::Link;
use super::run::{self, Load, Returned, Running};
use super::worker::{self, StartFrame};
use super::{Plugins, ProbedPlugin, tls_keys};

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
        database: plugins.offer.backend(),
    };
    let document = serde_json::to_vec(&document).expect("a start document is plain data");
    let Called { place, conversation, started, note } = match isolation {
        Isolation::None => in_this_process(plugins, plugin, &identity, document)?,
        Isolation::Process => in_a_worker(plugins, plugin, &identity, &document)?,
    };
    let generation = bear(plugins, plugin, identity, conversation, place);
    let first_word = first_word(started, plugins.config.start_deadline()).await;
    drop(note);
    match first_word {
        Ok(()) => {
            generation.serve();
            Ok(generation)
        }
        Err(error) => {
            generation.end(plugins.config.end_limits()).await;
            Err(error)
        }
    }
}

/// Waits for the plugin's word. Whatever ends it has the last one, so only the deadline can be silent.
async fn first_word(
    started: oneshot::Receiver<StartOutcome>,
    limit: Duration,
) -> Result<(), StartError> {
    match timeout(limit, started).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(reason))) => Err(StartError::Failed { reason }),
        Ok(Err(_unsaid)) => {
            Err(StartError::Failed { reason: "it ended without a word".to_owned() })
        }
        Err(_elapsed) => Err(StartError::Deadline { limit }),
    }
}

/// A generation whose code was called.
struct Called {
    place: Place,
    conversation: Arc<Conversation>,
    started: oneshot::Receiver<StartOutcome>,
    /// In the journal until the generation has spoken.
    note: Option<Loading>,
}

/// The name of a generation's thread; the kernel keeps fifteen bytes of it.
fn thread_name(identity: &Identity) -> String {
    let number = identity.id.number().to_string();
    let room = 15usize.saturating_sub("plugin:#".len() + number.len());
    let element: String = identity.element.as_str().chars().take(room).collect();
    format!("plugin:{element}#{number}")
}

fn in_this_process(
    plugins: &Arc<Plugins>,
    plugin: &ProbedPlugin,
    identity: &Identity,
    document: Vec<u8>,
) -> Result<Called, StartError> {
    check_room(plugins, plugin)?;
    let system = |error: std::io::Error| StartError::System { reason: error.to_string() };
    let image = plugins.images.take(plugin.library(), identity.id).map_err(system)?;
    let mailbox = Arc::new(Mailbox::new().map_err(system)?);
    let (conversation, started) = Conversation::new(
        Lane::InProcess(Arc::clone(&mailbox)),
        plugins.offer.of(identity.clone()),
        plugins.config.requests_in_flight_max,
    );
    let load = Load {
        generation: identity.id.number(),
        mode: Mode::Serve,
        descriptor: plugin.descriptor_bytes(),
        document,
    };
    let port = Port::new(mailbox, Arc::clone(&conversation));
    let lost = {
        let conversation = Arc::clone(&conversation);
        move |returned: &Returned| conversation.lost(&returned.how())
    };
    let library = image.path().to_owned();
    let note = plugins.journal.note_loading(identity).map_err(system)?;
    let thread = run::spawn(thread_name(identity), library, load, port, lost).map_err(system)?;
    let running = Running { thread, image };
    let place = InProcess::new(identity.clone(), running, Arc::clone(&plugins.retained));
    Ok(Called { place: Place::InProcess(place), conversation, started, note: Some(note) })
}

fn in_a_worker(
    plugins: &Arc<Plugins>,
    plugin: &ProbedPlugin,
    identity: &Identity,
    document: &[u8],
) -> Result<Called, StartError> {
    let link = Arc::new(Link::default());
    let services = plugins.offer.of(identity.clone());
    let (conversation, started) = Conversation::new(
        Lane::Worker(Arc::clone(&link)),
        services.clone(),
        plugins.config.requests_in_flight_max,
    );
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let frame = StartFrame {
        generation: identity.id.number(),
        thread: thread_name(identity),
        library: plugin.library().to_owned(),
        descriptor: text(&plugin.descriptor_bytes()),
        document: text(document),
    };
    let spawned = worker::spawn(link, &frame)
        .map_err(|error| StartError::System { reason: format!("{error:#}") })?;
    let place = spawned.run(Arc::clone(&conversation), services, &plugins.tasks);
    Ok(Called { place: Place::Worker(place), conversation, started, note: None })
}

/// A generation that has not said yet whether it will serve.
fn bear(
    plugins: &Plugins,
    plugin: &ProbedPlugin,
    identity: Identity,
    conversation: Arc<Conversation>,
    place: Place,
) -> Arc<Generation> {
    let (element, version) = (identity.element.as_str(), identity.version.to_string());
    let read = Arc::clone(&conversation);
    let read = move || read.reading();
    let measured =
        plugins.metrics.generations.register(element, &version, identity.id.number(), read);
    let generation = Generation::new(identity, plugin.descriptor(), conversation, place, measured);
    plugins.look_after(&generation);
    generation
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

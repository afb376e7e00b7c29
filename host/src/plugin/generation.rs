//! A running plugin: its life from the start to the proof that it is gone.
//!
//! ```text
//! Starting ─▶ Serving ─▶ Draining ─▶ Stopped ─▶ Unloaded
//!     │          │          │           └─────▶ Retained
//!     └──────────┴──────────┴─▶ Faulty ─▶ (stopped like any other)
//! ```
//!
//! A request takes a [`Lease`](super::lease::Lease); draining refuses new ones and waits for those that
//! are out. What the generation is made of and where it runs is its [`Place`]; everything else here is the
//! same on both lanes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use packer::bundle::{Digest, ElementName};
use plugin_abi::descriptor::Descriptor;
use semver::Version;
use tokio::sync::watch;
use tokio::time::timeout;

use super::conversation::Conversation;
use super::in_process::InProcess;
use super::lane::Isolation;
use super::lease::Admission;
use super::worker::WorkerPlace;
use crate::metrics::generations::Registration;

/// The number of a generation, unique in the life of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GenerationId(u64);

impl GenerationId {
    /// A number that was not given before.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number itself, for the boundary and for people.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// Where a generation is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its code was called and has not said that it is ready.
    Starting,
    /// It takes requests.
    Serving,
    /// It takes no new requests and finishes those it has.
    Draining,
    /// It returned and its threads are gone; its code may still be mapped.
    Stopped,
    /// No byte of it is mapped any more.
    Unloaded,
    /// It is over, but its code could not be given back.
    Retained {
        /// How much stays mapped.
        bytes: u64,
        /// Why, and what to do about it.
        reason: String,
    },
    /// It is running and cannot be trusted any more.
    Faulty {
        /// What it did.
        reason: String,
    },
}

impl Phase {
    /// The word of every phase.
    pub(crate) const WORDS: [&'static str; 7] =
        ["starting", "serving", "draining", "stopped", "unloaded", "retained", "faulty"];

    /// The one word for logs, metrics and the API.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Unloaded => "unloaded",
            Self::Retained { .. } => "retained",
            Self::Faulty { .. } => "faulty",
        }
    }
}

/// What a generation is, for whoever looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its number.
    pub(crate) id: GenerationId,
    /// The element.
    pub(crate) element: ElementName,
    /// The element's version.
    pub(crate) version: Version,
    /// The digest of its bundle.
    pub(crate) digest: Digest,
    /// Which lane it is on.
    pub(crate) isolation: Isolation,
}

/// A running plugin. See the module.
#[derive(Debug)]
pub(crate) struct Generation {
    /// What it is.
    pub(crate) identity: Identity,
    /// What it declares; a request keeps the one it began with.
    pub(crate) descriptor: Arc<Descriptor>,
    /// What is said to it and by it.
    pub(crate) conversation: Arc<Conversation>,
    /// Who may still begin a request.
    pub(crate) admission: Admission,
    phase: watch::Sender<Phase>,
    place: Place,
    /// Its series in the metrics.
    _measured: Registration,
}

/// What a generation is made of.
#[derive(Debug)]
pub(crate) enum Place {
    /// A thread of this process and a mapped library.
    InProcess(InProcess),
    /// A child process.
    Worker(WorkerPlace),
}

/// How long each step of an end may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndLimits {
    /// For the requests that are out.
    pub(crate) drain: Duration,
    /// For the plugin to return after it was told to stop.
    pub(crate) stop: Duration,
}

impl Generation {
    pub(crate) fn new(
        identity: Identity,
        descriptor: Arc<Descriptor>,
        conversation: Arc<Conversation>,
        place: Place,
        measured: Registration,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity,
            descriptor,
            conversation,
            admission: Admission::default(),
            phase: watch::Sender::new(Phase::Starting),
            place,
            _measured: measured,
        })
    }

    /// Where it is in its life.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    /// Notes that it said it is ready.
    pub(crate) fn serve(&self) {
        self.enter(Phase::Serving);
    }

    /// Notes that it cannot be trusted any more, if it is serving.
    pub(crate) fn fault(&self, reason: String) {
        self.phase.send_if_modified(|phase| {
            let is_news = matches!(phase, Phase::Serving | Phase::Draining);
            if is_news {
                *phase = Phase::Faulty { reason };
            }
            is_news
        });
    }

    /// Takes the generation from serving to gone, and says what became of it.
    ///
    /// It must not be in the route table any more. Waits for its requests, cuts off what is left at the
    /// deadline, stops it, joins its threads, and gives its code back or says why that cannot be.
    pub(crate) async fn end(self: &Arc<Self>, limits: EndLimits) -> Phase {
        let began = Instant::now();
        self.enter(Phase::Draining);
        let drained = timeout(limits.drain, self.admission.close_and_drain()).await;
        if drained.is_err() {
            tracing::warn!(
                element = %self.identity.element,
                version = %self.identity.version,
                generation = self.identity.id.number(),
                n_requests = self.admission.n_out(),
                n_streams = self.conversation.streams().len(),
                "drain deadline passed; what is left is cut off",
            );
            self.conversation.cut_off();
        }
        self.conversation.stop(limits.stop);
        let end = match &self.place {
            Place::InProcess(place) => place.end(limits.stop, || self.enter(Phase::Stopped)).await,
            Place::Worker(place) => place.end(limits.stop).await,
        };
        self.conversation.lost("it was stopped");
        self.enter(end.clone());
        tracing::info!(
            element = %self.identity.element,
            version = %self.identity.version,
            generation = self.identity.id.number(),
            isolation = self.identity.isolation.word(),
            phase = end.word(),
            duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "generation ended",
        );
        end
    }

    fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}

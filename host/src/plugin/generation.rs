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
use std::time::{Duration, Instant};

use plugin_abi::descriptor::Descriptor;
use tokio::sync::watch;
use tokio::time::timeout;

use super::admission::Admission;
use super::conversation::Conversation;
use super::identity::{Identity, Phase};
use super::in_process::InProcess;
use super::worker::WorkerPlace;
use crate::metrics::generations::Registration;

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

//! The task of one element: it brings what serves after what is wanted, and replaces what fails.
//!
//! One loop with two causes: what is wanted has changed, or the generation that serves cannot be trusted
//! any more. It does one thing at a time, so an element never has two rollouts; a newer wish waits for the
//! one under way and then wins. What it knows it tells by its report. The parts of its work: [`roll_out`],
//! [`replace`], [`leave`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use packer::bundle::ElementName;
use tokio::sync::{Notify, watch};

use super::failure::Failure;
use super::listeners::Listeners;
use super::progress::Progress;
use super::report::{Report, Serving, Status, WayBack};
use super::wanted::{Data, Record, Wanted};
use super::{Shared, wanted};
use crate::log;
use crate::migration::MigratedPlugin;
use crate::operation::OperationId;
use crate::plugin::generation::Generation;
use crate::plugin::table::Published;

mod leave;
mod replace;
mod roll_out;

/// The handle of an element's task. Clones are the same element.
#[derive(Debug, Clone)]
pub(super) struct Control {
    slot: Arc<Slot>,
    /// Written by the task; kept here to be read, and to note what came before the task.
    report: watch::Sender<Report>,
}

/// What is to be done next, if anything is. A newer wish takes the place of one that has not begun.
#[derive(Debug, Default)]
struct Slot {
    next: Mutex<Option<Wish>>,
    put: Notify,
}

/// Something to be brought about.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// The row that says what is wanted.
    pub(super) record: Record,
    /// The operation that tells of it; none when the daemon starts.
    pub(super) operation: Option<OperationId>,
    /// What to do.
    pub(super) what: What,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Make serve what is wanted.
    RollOut,
    /// Give up the way back.
    Finalize,
    /// Take it down.
    Uninstall(Data),
}

impl Control {
    /// Starts the task of an element that nothing is wanted of yet.
    pub(super) fn start(name: ElementName, shared: &Arc<Shared>) -> Self {
        let slot = Arc::new(Slot::default());
        let report = watch::Sender::new(Report::new(name.clone()));
        let task = Task {
            name,
            record: None,
            serving: None,
            listeners: Listeners::default(),
            faults: VecDeque::new(),
            report: report.clone(),
            slot: Arc::clone(&slot),
            shared: Arc::clone(shared),
        };
        shared.tasks.spawn("element", task.run());
        Self { slot, report }
    }

    /// Puts a wish into the slot: the one that it takes the place of, which nobody has begun. The report tells
    /// of it from now on.
    pub(super) fn wish(&self, wish: Wish) -> Option<Wish> {
        // Told first: once it is in the slot, its task may be telling how it ended.
        self.report.send_modify(|report| {
            wish.tell_in(report);
            report.settle_conditions();
        });
        let replaced = self.slot.lock().replace(wish);
        self.slot.put.notify_one();
        replaced
    }

    /// What is known.
    pub(super) fn report(&self) -> Report {
        self.report.borrow().clone()
    }

    /// A part of what is known, without a copy of all of it.
    pub(super) fn look<T>(&self, part: impl FnOnce(&Report) -> T) -> T {
        part(&self.report.borrow())
    }

    /// Notes the last operation of an element whose task has done nothing yet.
    pub(super) fn note_operation(&self, operation: Option<OperationId>) {
        let _no_news = self.report.send_if_modified(|report| {
            report.operation = operation;
            false
        });
    }

    /// What becomes known.
    pub(super) fn reports(&self) -> watch::Receiver<Report> {
        self.report.subscribe()
    }
}

impl Wish {
    /// That it waits, in the report.
    fn tell_in(&self, report: &mut Report) {
        report.record = Some(self.record.clone());
        report.operation = self.operation.or(report.operation);
        report.status = match self.what {
            What::RollOut | What::Finalize => Status::Updating,
            What::Uninstall(_) => Status::Deleting,
        };
    }
}

impl Slot {
    fn take(&self) -> Option<Wish> {
        self.lock().take()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Wish>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next wish. Cancel-safe: a wish is taken when it is returned.
    async fn next(&self) -> Wish {
        loop {
            if let Some(wish) = self.take() {
                return wish;
            }
            self.put.notified().await;
        }
    }
}

/// What runs for an element.
struct Running {
    plugin: MigratedPlugin,
    wanted: Wanted,
    published: Arc<Published>,
}

impl Running {
    fn generation(&self) -> &Arc<Generation> {
        &self.published.generation
    }
}

struct Task {
    name: ElementName,
    /// The row of the last wish, with what this task has noted in it since.
    record: Option<Record>,
    serving: Option<Running>,
    listeners: Listeners,
    /// When generations failed lately, oldest first.
    faults: VecDeque<Instant>,
    report: watch::Sender<Report>,
    slot: Arc<Slot>,
    shared: Arc<Shared>,
}

/// Why the loop turns.
enum Event {
    Wished(Box<Wish>),
    Faulted(String),
    Stopping,
}

impl Task {
    async fn run(mut self) {
        loop {
            match self.next_event().await {
                Event::Wished(wish) => Box::pin(self.bring_about(*wish)).await,
                Event::Faulted(reason) => Box::pin(self.replace_faulty(reason)).await,
                Event::Stopping => return self.stop().await,
            }
        }
    }

    async fn next_event(&self) -> Event {
        let faulted = async {
            match &self.serving {
                None => std::future::pending().await,
                Some(running) => faulted(running.generation()).await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.tasks.cancelled() => Event::Stopping,
            wish = self.slot.next() => Event::Wished(Box::new(wish)),
            reason = faulted => Event::Faulted(reason),
        }
    }

    async fn bring_about(&mut self, wish: Wish) {
        let Wish { mut record, operation, what } = wish;
        self.faults.clear();
        // What this task noted since the row was read is newer than the row.
        if let Some(known) = self.record.take() {
            record.stable = known.stable;
            record.previous = known.previous;
        }
        let wanted = record.wanted.clone();
        self.record = Some(record.clone());
        self.tell(|report| report.record = Some(record));
        match what {
            What::RollOut => self.roll_out(operation, wanted).await,
            What::Finalize => self.finalize(operation).await,
            What::Uninstall(data) => self.uninstall(operation, data).await,
        }
    }

    /// Notes that `wanted` serves: it is what a restart begins with, and what was so before is the way back.
    async fn remember(&mut self, wanted: &Wanted) {
        let Some(record) = &mut self.record else { return };
        if record.stable.as_ref() == Some(wanted) {
            return;
        }
        let before = record.stable.replace(wanted.clone());
        if let Some(before) = before.filter(|before| before.version != wanted.version) {
            record.previous = Some(before);
        }
        let Record { name, previous, .. } = &*record;
        let db = self.shared.store.connection();
        if let Err(error) = wanted::remember(db, name, wanted, previous.as_ref()).await {
            let cause = log::chain(&error).to_string();
            tracing::error!(element = %name, "what serves cannot be noted: {cause}");
        }
        let record = record.clone();
        self.tell(|report| report.record = Some(record));
    }

    /// What went wrong is told to whoever asked, and what keeps serving.
    async fn fail(&self, progress: Progress, failure: Failure) {
        tracing::warn!(element = %self.name, reason = %failure.reason, "rollout failed");
        self.shared.plugins.metrics.loads_failed.inc();
        let keeps = self.keeps();
        self.tell_serving(Status::Error, Some(failure.clone())).await;
        progress.fail(&failure, &keeps).await;
    }

    /// What serves, in a sentence.
    fn keeps(&self) -> String {
        match &self.serving {
            None => "Nothing of this element serves.".to_owned(),
            Some(running) => {
                let identity = &running.generation().identity;
                let (number, version) = (identity.id.number(), &identity.version);
                format!("Generation {number} ({version}) keeps serving.")
            }
        }
    }

    async fn tell_serving(&self, status: Status, failure: Option<Failure>) {
        let way_back = self.way_back().await;
        let serving = self.serving.as_ref().map(|running| {
            let identity = &running.generation().identity;
            Serving { version: identity.version.clone(), generation: identity.id }
        });
        let wanted = self.record.as_ref().map(|record| &record.wanted);
        let serves_wanted = self.serving.as_ref().map(|running| &running.wanted) == wanted;
        self.tell(|report| {
            report.status = status;
            report.failure = failure;
            report.serves_wanted = serves_wanted && serving.is_some();
            report.serving = serving;
            report.way_back = way_back;
            report.listeners = self.listeners.addresses();
        });
    }

    /// Whether the version before can come back.
    async fn way_back(&self) -> WayBack {
        let previous = self.record.as_ref().and_then(|record| record.previous.as_ref());
        let Some(previous) = previous else { return WayBack::NoPrevious };
        let rollback = self.shared.migrations.rollback(&self.name, &previous.version).await;
        rollback
            .map(WayBack::from)
            .unwrap_or_else(|error| WayBack::Unknown(log::chain(&error).to_string()))
    }

    async fn end(&self, generation: Arc<Generation>) {
        generation.end(self.shared.plugins.config.end_limits()).await;
    }

    fn tell(&self, change: impl FnOnce(&mut Report)) {
        self.report.send_modify(|report| {
            change(report);
            // What was asked for meanwhile is newer than anything that is told here.
            if let Some(next) = &*self.slot.lock() {
                next.tell_in(report);
            }
            report.settle_conditions();
        });
    }
}

/// Ends when the generation cannot be trusted any more, with the reason.
async fn faulted(generation: &Generation) -> String {
    let mut fault = generation.conversation.fault();
    match fault.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
        Ok(reason) => reason.unwrap_or_default(),
        Err(_gone) => std::future::pending().await,
    }
}

//! The task of one element: it brings what serves after what is wanted, and replaces what fails.
//!
//! One loop with two causes: what is wanted has changed, or the generation that serves cannot be trusted
//! any more. It does one thing at a time, so an element never has two rollouts; a newer wish waits for the
//! one under way and then wins. What it knows it tells by its report.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packer::bundle::ElementName;
use tokio::sync::watch;

use super::listeners::Listeners;
use super::report::{Report, Serving, StageTime, Status};
use super::stages::{self, Failure, StageError};
use super::{Accepted, Shared, Wanted, health};
use crate::plugin::ProbedPlugin;
use crate::plugin::generation::Generation;
use crate::plugin::table::Published;

/// So many faults within [`FAULTS_WITHIN`] and a version is given up.
const FAULTS_MAX: usize = 3;
const FAULTS_WITHIN: Duration = Duration::from_secs(60);

/// How long to wait before the second start within a minute; it doubles with each further one.
const BACK_OFF: Duration = Duration::from_millis(200);

/// The handle of an element's task. Clones are the same element.
#[derive(Debug, Clone)]
pub(super) struct Control {
    wishes: Arc<watch::Sender<Wish>>,
    reports: watch::Receiver<Report>,
}

/// What is wanted, and the how-manieth wish it is.
#[derive(Debug, Clone, Default)]
struct Wish {
    revision: u64,
    wanted: Option<Wanted>,
}

impl Control {
    /// Starts the task of an element that nothing is wanted of yet.
    pub(super) fn start(name: ElementName, shared: &Arc<Shared>) -> Self {
        let wishes = Arc::new(watch::Sender::new(Wish::default()));
        let (report, reports) = watch::channel(Report::new(name.clone()));
        let task = Task {
            name,
            serving: None,
            stable: None,
            listeners: Listeners::default(),
            faults: VecDeque::new(),
            report,
            shared: Arc::clone(shared),
        };
        shared.tasks.spawn("element", task.run(wishes.subscribe()));
        Self { wishes, reports }
    }

    /// Changes what is wanted.
    pub(super) fn want(&self, wanted: Option<Wanted>) -> Accepted {
        let mut revision = 0;
        self.wishes.send_modify(|wish| {
            wish.revision += 1;
            revision = wish.revision;
            wish.wanted = wanted;
        });
        Accepted { revision, reports: self.reports.clone() }
    }

    /// What is known.
    pub(super) fn report(&self) -> Report {
        self.reports.borrow().clone()
    }
}

/// What runs for an element.
struct Running {
    plugin: ProbedPlugin,
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
    serving: Option<Running>,
    /// What served without a fault before the version that serves now.
    stable: Option<Wanted>,
    listeners: Listeners,
    /// When generations failed lately, oldest first.
    faults: VecDeque<Instant>,
    report: watch::Sender<Report>,
    shared: Arc<Shared>,
}

/// Why the loop turns.
enum Event {
    Wished(Wish),
    Faulted(String),
    Stopping,
}

impl Task {
    async fn run(mut self, mut wishes: watch::Receiver<Wish>) {
        loop {
            match self.next_event(&mut wishes).await {
                Event::Wished(Wish { revision, wanted: Some(wanted) }) => {
                    self.faults.clear();
                    self.roll_out(revision, wanted).await;
                }
                Event::Wished(Wish { revision, wanted: None }) => self.uninstall(revision).await,
                Event::Faulted(reason) => self.replace_faulty(reason, &mut wishes).await,
                Event::Stopping => return self.stop().await,
            }
        }
    }

    async fn next_event(&self, wishes: &mut watch::Receiver<Wish>) -> Event {
        let faulted = async {
            match &self.serving {
                None => std::future::pending().await,
                Some(running) => faulted(running.generation()).await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.tasks.cancelled() => Event::Stopping,
            changed = wishes.changed() => match changed {
                Ok(()) => Event::Wished(wishes.borrow_and_update().clone()),
                Err(_closed) => Event::Stopping,
            },
            reason = faulted => Event::Faulted(reason),
        }
    }

    /// Brings `wanted` to serve, or leaves what serves and says why.
    async fn roll_out(&mut self, revision: u64, wanted: Wanted) {
        let is_same = self.serving.as_ref().is_some_and(|running| running.wanted == wanted);
        if is_same && self.report.borrow().failure.is_none() {
            return self.tell(|report| {
                report.revision = revision;
                report.status = Status::Active;
            });
        }
        self.tell(|report| {
            report.revision = revision;
            report.status = Status::Updating;
            report.wanted = Some(wanted.clone());
            report.failure = None;
            report.stages.clear();
        });
        let before = self.serving.as_ref().map(|running| running.wanted.clone());
        match self.try_to_roll_out(&wanted).await {
            Ok(()) => {
                if before.as_ref().is_some_and(|before| before.version != wanted.version) {
                    self.stable = before;
                }
                self.tell_serving(Status::Active, None);
            }
            Err(error) => self.fail(&error),
        }
    }

    async fn try_to_roll_out(&mut self, wanted: &Wanted) -> Result<(), StageError> {
        let plugin = self.prepare(wanted).await?;
        self.start_and_switch(plugin, wanted).await
    }

    /// Everything that can be done without a trace: fetch, verify, probe.
    async fn prepare(&self, wanted: &Wanted) -> Result<ProbedPlugin, StageError> {
        let _permit = self.shared.preparing.acquire().await.expect("the semaphore is never closed");
        let mut clock = Clock::start(&self.report);
        let (shared, name) = (Arc::clone(&self.shared), self.name.clone());
        let version = wanted.version.clone();
        let verified = tokio::task::spawn_blocking(move || {
            let fetched = stages::fetch(&name, &version, &shared)?;
            stages::verify(fetched, &shared)
        });
        let verified = verified.await.expect("verification does not panic")?;
        clock.lap("verify");
        let plugin = stages::examine(verified, wanted, &self.shared).await?;
        stages::check_grants(&plugin, wanted)?;
        clock.lap("probe");
        Ok(plugin)
    }

    /// Start, switch, check; the generation before is drained in the background, or switched back to.
    async fn start_and_switch(
        &mut self,
        plugin: ProbedPlugin,
        wanted: &Wanted,
    ) -> Result<(), StageError> {
        let bound = self.listeners.bind(&wanted.listeners).await?;
        let mut clock = Clock::start(&self.report);
        let generation = stages::start(&plugin, wanted, &self.shared).await?;
        clock.lap("start");
        let published = match self.publish(&generation, wanted) {
            Ok(published) => published,
            Err(error) => {
                self.end(generation).await;
                return Err(error);
            }
        };
        clock.lap("switch");
        if let Err(reason) = health::check(&self.shared.plugins, &generation.descriptor).await {
            self.switch_back();
            self.end(generation).await;
            return Err(StageError::Check { reason });
        }
        clock.lap("check");
        self.listeners.adopt(bound, &wanted.listeners, &self.name, &self.shared);
        let running = Running { plugin, wanted: wanted.clone(), published };
        if let Some(before) = self.serving.replace(running) {
            self.end_in_background(before);
        }
        Ok(())
    }

    fn publish(
        &self,
        generation: &Arc<Generation>,
        wanted: &Wanted,
    ) -> Result<Arc<Published>, StageError> {
        let published = Published::new(Arc::clone(generation))?;
        stages::publish(&published, wanted, &self.shared)?;
        Ok(published)
    }

    fn switch_back(&self) {
        let tables = &self.shared.plugins.tables;
        match &self.serving {
            None => tables.withdraw(&self.name),
            Some(before) => {
                let back = tables.publish(&before.published, &before.wanted.mounts);
                if let Err(clash) = back {
                    tracing::error!(element = %self.name, %clash, "cannot switch back");
                }
            }
        }
    }

    /// Starts the same plugin again, more slowly each time; gives it up when that does not help.
    async fn replace_faulty(&mut self, reason: String, wishes: &mut watch::Receiver<Wish>) {
        let Some(running) = self.serving.take() else { return };
        running.generation().fault(reason.clone());
        tracing::warn!(element = %self.name, version = %running.wanted.version, %reason, "generation is faulty");
        self.note_fault();
        let n_faults = self.faults.len();
        if n_faults >= FAULTS_MAX {
            return self.give_up(running, n_faults, reason).await;
        }
        self.tell(|report| {
            report.status = Status::Updating;
            report.n_restarts += 1;
        });
        if n_faults > 1 {
            let doublings = u32::try_from(n_faults - 2).unwrap_or(0);
            let back_off = tokio::time::sleep(BACK_OFF * 2u32.pow(doublings));
            tokio::select! {
                () = back_off => {}
                _newer_wish = wishes.changed() => wishes.mark_changed(),
            }
        }
        let (plugin, wanted) = (running.plugin.clone(), running.wanted.clone());
        self.end_in_background(running);
        match self.start_and_switch(plugin, &wanted).await {
            Ok(()) => self.tell_serving(Status::Active, None),
            Err(error) => self.fail(&error),
        }
    }

    fn note_fault(&mut self) {
        let now = Instant::now();
        self.faults.push_back(now);
        while self.faults.front().is_some_and(|at| now.duration_since(*at) > FAULTS_WITHIN) {
            self.faults.pop_front();
        }
    }

    /// Leaves a version that keeps failing, for the one before it if there is one.
    async fn give_up(&mut self, running: Running, n_faults: usize, reason: String) {
        let error = StageError::KeepsFailing { n_faults, reason };
        let failed = running.wanted.version.clone();
        self.end_in_background(running);
        self.faults.clear();
        match self.stable.take().filter(|stable| stable.version != failed) {
            None => {
                self.shared.plugins.tables.withdraw(&self.name);
                self.fail(&error);
            }
            Some(stable) => {
                let back = self.try_to_roll_out(&stable).await;
                self.fail(&error);
                if let Err(error) = back {
                    tracing::error!(element = %self.name, error = %crate::log::chain(&error), "cannot return to the last stable version");
                }
            }
        }
    }

    async fn uninstall(&mut self, revision: u64) {
        self.tell(|report| {
            report.revision = revision;
            report.status = Status::Deleting;
            report.wanted = None;
        });
        self.listeners = Listeners::default();
        self.shared.plugins.tables.withdraw(&self.name);
        if let Some(running) = self.serving.take() {
            let generation = Arc::clone(running.generation());
            drop(running);
            self.end(generation).await;
        }
        self.stable = None;
        self.tell_serving(Status::Gone, None);
    }

    /// The daemon ends: everything that runs is taken down in order.
    async fn stop(mut self) {
        self.listeners = Listeners::default();
        self.shared.plugins.tables.withdraw(&self.name);
        if let Some(running) = self.serving.take() {
            let limits = self.shared.plugins.config.end_limits();
            let at_once = crate::plugin::generation::EndLimits { drain: Duration::ZERO, ..limits };
            running.generation().end(at_once).await;
        }
    }

    async fn end(&self, generation: Arc<Generation>) {
        generation.end(self.shared.plugins.config.end_limits()).await;
    }

    fn end_in_background(&self, running: Running) {
        let limits = self.shared.plugins.config.end_limits();
        self.shared.tasks.spawn("generation end", async move {
            running.generation().end(limits).await;
        });
    }

    fn fail(&self, error: &StageError) {
        let failure = Failure::from(error);
        tracing::warn!(element = %self.name, reason = %failure.reason, "rollout failed");
        self.shared.plugins.metrics.loads_failed.inc();
        self.tell_serving(Status::Error, Some(failure));
    }

    fn tell_serving(&self, status: Status, failure: Option<Failure>) {
        let serving = self.serving.as_ref().map(|running| {
            let identity = &running.generation().identity;
            Serving { version: identity.version.clone(), generation: identity.id }
        });
        self.tell(|report| {
            report.status = status;
            report.failure = failure;
            report.serving = serving;
            report.listeners = self.listeners.addresses();
        });
    }

    fn tell(&self, change: impl FnOnce(&mut Report)) {
        self.report.send_modify(change);
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

/// Writes how long each stage took into the report.
struct Clock<'a> {
    report: &'a watch::Sender<Report>,
    since: Instant,
}

impl<'a> Clock<'a> {
    fn start(report: &'a watch::Sender<Report>) -> Self {
        Self { report, since: Instant::now() }
    }

    fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        let duration = now.duration_since(self.since);
        self.since = now;
        self.report.send_modify(|report| report.stages.push(StageTime { name, duration }));
    }
}

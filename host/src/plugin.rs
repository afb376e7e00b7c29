//! Plugins: mapped code, running generations, and the table that says who answers what.
//!
//! In reading order: a file is examined without executing it ([`elf`]) and then by a child process
//! ([`probe`], whose verdicts are kept); what passed is a [`ProbedPlugin`] and may be
//! [started](start::start) on a [`lane`], which gives a [`generation`]; a [`conversation`] is what host and
//! generation say to one another; the [`table`] publishes it; a [`lease`] is a request's hold on it; at its
//! end it is [unloaded](unload), with proof, or [`retained`].
//!
//! Invariants: host threads never run plugin code (only [`threads::PluginThread`]s can); nothing is mapped
//! into the daemon that a probe child has not loaded, run and closed; nothing is unmapped while a thread
//! could execute it. Not here: where bundles come from and which version is wanted (`rollout`), HTTP.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use crate::data::DataDir;
use crate::metrics::PluginMetrics;
use crate::services::Offer;
use crate::shutdown::Tasks;

pub(crate) mod elf;
pub(crate) mod probe;

pub(crate) mod admission;
pub(crate) mod conversation;
pub(crate) mod generation;
pub(crate) mod hook;
pub(crate) mod identity;
pub(crate) mod lane;
pub(crate) mod lease;
pub(crate) mod start;
pub(crate) mod table;

mod in_process;
mod link;
mod run;
pub(crate) mod worker;

mod image;
mod journal;
mod layout_report;
mod library;
mod mappings;
pub(crate) mod retained;
mod threads;
mod tls_keys;
mod unload;

use generation::Generation;
use identity::Phase;
use image::Images;
use journal::Journal;
pub(crate) use probe::ProbedPlugin;
use probe::verdicts::Verdicts;
use retained::Retained;
use table::Tables;

/// How exactly deadlines are kept.
const TICK: Duration = Duration::from_millis(100);

/// How often the retained are tried again.
const RETRY_EVERY_TICKS: u32 = 20;

/// The limits of plugins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How many requests one generation may work on; more are answered 503.
    pub(crate) requests_in_flight_max: usize,
    /// How long a probe may take in all.
    pub(crate) probe_deadline_ms: u64,
    /// How long a plugin may take to say that it is ready.
    pub(crate) start_deadline_ms: u64,
    /// How long requests may go on after their generation was replaced.
    pub(crate) drain_deadline_ms: u64,
    /// How long a plugin may take to return after it was told to stop.
    pub(crate) stop_deadline_ms: u64,
    /// Beyond so many retained bytes nothing more is loaded in-process.
    pub(crate) retained_bytes_max: u64,
    /// With fewer free thread-local keys nothing more is loaded in-process.
    pub(crate) free_keys_min: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            requests_in_flight_max: 1024,
            probe_deadline_ms: 30_000,
            start_deadline_ms: 10_000,
            drain_deadline_ms: 30_000,
            stop_deadline_ms: 5_000,
            retained_bytes_max: 256 * 1024 * 1024,
            free_keys_min: 64,
        }
    }
}

impl Config {
    fn start_deadline(&self) -> Duration {
        Duration::from_millis(self.start_deadline_ms)
    }

    /// How long all generations may take to end with the daemon.
    pub(crate) fn shutdown_deadline(&self) -> Duration {
        Duration::from_millis(self.stop_deadline_ms) + Duration::from_secs(1)
    }

    /// How long each step of a generation's end may take.
    pub(crate) fn end_limits(&self) -> generation::EndLimits {
        generation::EndLimits {
            drain: Duration::from_millis(self.drain_deadline_ms),
            stop: Duration::from_millis(self.stop_deadline_ms),
        }
    }
}

/// The plugin side of the daemon: what outlives every generation.
#[derive(Debug)]
pub(crate) struct Plugins {
    /// Its limits.
    pub(crate) config: Config,
    /// Who answers what. Read by every request, written by rollouts.
    pub(crate) tables: Tables,
    /// What could not be given back.
    pub(crate) retained: Arc<Retained>,
    /// What probes found.
    pub(crate) verdicts: Verdicts,
    /// What is being loaded, for the daemon after a crash.
    pub(crate) journal: Journal,
    /// What is measured.
    pub(crate) metrics: PluginMetrics,
    /// What plugins may ask for.
    pub(crate) offer: Offer,
    images: Arc<Images>,
    /// Every generation that has not been forgotten.
    living: Mutex<Vec<Weak<Generation>>>,
    tasks: Tasks,
}

/// The plugin side's folders in the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the plugin side's folders in `{}` cannot be used", data.display())]
pub(crate) struct OpenError {
    data: PathBuf,
    source: io::Error,
}

impl Plugins {
    /// The plugin side of a daemon whose state is in `data`.
    ///
    /// # Errors
    /// When a folder cannot be made, or the journal not be read.
    pub(crate) fn open(
        config: Config,
        data: &DataDir,
        metrics: PluginMetrics,
        offer: Offer,
        tasks: Tasks,
    ) -> Result<Arc<Self>, OpenError> {
        let failed = |source| OpenError { data: data.path().to_owned(), source };
        let plugins = Arc::new(Self {
            tables: Tables::default(),
            retained: Retained::new(config.retained_bytes_max),
            verdicts: Verdicts::open(&data.join("verdicts")).map_err(failed)?,
            journal: Journal::open(&data.join("loading"), &data.join("quarantine"))
                .map_err(failed)?,
            images: Images::new(data.join("run")).map_err(failed)?,
            living: Mutex::default(),
            config,
            metrics,
            offer,
            tasks,
        });
        plugins
            .tasks
            .spawn("plugin clock", keep_time(Arc::downgrade(&plugins), plugins.tasks.clone()));
        Ok(plugins)
    }

    /// Has a generation's deadlines and phase looked after.
    fn look_after(&self, generation: &Arc<Generation>) {
        self.living().push(Arc::downgrade(generation));
    }

    fn living(&self) -> MutexGuard<'_, Vec<Weak<Generation>>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait of requests whose deadline has passed, and counts generations by phase.
    fn tick(&self) {
        let now = Instant::now();
        let mut n_in_phase = Phase::WORDS.map(|word| (word, 0));
        self.living().retain(|generation| {
            let Some(generation) = generation.upgrade() else { return false };
            generation.conversation.expire(now);
            let word = generation.phase().word();
            n_in_phase.iter_mut().filter(|(of, _n)| *of == word).for_each(|(_of, n)| *n += 1);
            true
        });
        for (word, n) in n_in_phase {
            self.metrics.in_phase(word).set(n);
        }
        self.metrics.free_keys.set(i64::try_from(tls_keys::n_free()).unwrap_or(i64::MAX));
        self.metrics.retained_bytes.set(i64::try_from(self.retained.bytes()).unwrap_or(i64::MAX));
    }
}

/// Ticks until the daemon ends.
async fn keep_time(plugins: Weak<Plugins>, tasks: Tasks) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n_ticks in 0u32.. {
        tokio::select! {
            () = tasks.cancelled() => return,
            _now = ticks.tick() => {}
        }
        let Some(plugins) = plugins.upgrade() else { return };
        plugins.tick();
        if n_ticks % RETRY_EVERY_TICKS == 0 {
            plugins.retained.retry().await;
        }
    }
}

//! One element swapped between two versions, again and again, while all kinds of requests are under way.
//!
//! Guarantees: the load knows at every moment which versions may answer, so an answer from a version that was
//! switched away before its request left is seen as wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::daemon::{Daemon, Wanted};
use crate::load::{Crew, Load, Pace, Plan, Script, Serving};
use crate::plugins::{Plugin, Workspace};
use crate::proc::Holdings;

const ROOT: &str = "/v1/types/swap";
/// How long what a swap leaves behind may take to go.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(20);
/// What the store's connections may hold open: eight, of two files each. A swap that leaves one behind makes more.
pub const STORE_FDS_MAX: usize = 16;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// On which lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// In the daemon's process.
    InProcess,
    /// In a process of its own.
    Worker,
}

/// An element that is swapped.
#[derive(Debug)]
pub struct Swaps {
    /// The daemon that serves it.
    pub daemon: Daemon,
    lane: Lane,
    versions: [Plugin; 2],
    /// The position of the version that serves.
    current: usize,
    serving: Arc<Serving>,
}

/// How long a swap took.
#[derive(Debug, Clone)]
pub struct Swap {
    /// From the request until its answer, as the operator sees it.
    pub whole: Duration,
    /// Stage by stage, in milliseconds, as the daemon says.
    pub stages: Vec<(String, f64)>,
}

impl Swaps {
    /// Installs the first version on a daemon.
    pub async fn start(daemon: Daemon, lane: Lane) -> Self {
        let versions =
            ["swap", "swap-next"].map(|package| Plugin::built(Workspace::Fixtures, package));
        versions.iter().for_each(|version| daemon.offer(version));
        let serving = Arc::new(Serving::new(&[0]));
        let swaps = Self { daemon, lane, versions, current: 0, serving };
        let _document = swaps.daemon.install(swaps.wanted()).await;
        swaps
    }

    /// Twenty connections that mix small, slept for, streamed and upgraded answers, until told to finish.
    #[must_use]
    pub fn load(&self, time_max: Duration) -> Load {
        let versions = self.versions.each_ref().map(|plugin| plugin.version.as_str());
        Load::start(Plan {
            address: self.daemon.client.address,
            crews: vec![
                Crew::new(Script::small(ROOT, &versions), 8),
                Crew::new(Script::sleeping(ROOT, &versions, 2), 3),
                Crew::new(Script::sleeping(ROOT, &versions, 20), 3),
                Crew::new(Script::streamed(ROOT, &versions, 8), 3),
                Crew::new(Script::upgraded(ROOT, &versions), 3),
            ],
            serving: Arc::clone(&self.serving),
            pace: Pace::Saturating,
            n_threads: 1,
            time_max,
        })
    }

    /// Swaps to the other version and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub async fn swap(&mut self) -> Swap {
        let other = 1 - self.current;
        self.serving.set(&[self.current, other]);
        self.current = other;
        let started = Instant::now();
        let document = self.daemon.install(self.wanted()).await;
        let whole = started.elapsed();
        self.serving.set(&[other]);
        assert_eq!(document["status"], "ACTIVE", "{document}");
        assert_eq!(document["serving_version"], self.versions[other].version, "{document}");
        Swap { whole, stages: stages(&document) }
    }

    /// What the daemon holds once it holds no more than `wanted`, or after a while what it holds then.
    pub async fn settled(&self, wanted: Option<Holdings>) -> Holdings {
        let started = Instant::now();
        let mut last = self.daemon.proc().holdings();
        let mut steady_since = Instant::now();
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let now = self.daemon.proc().holdings();
            if counts(now) != counts(last) {
                steady_since = Instant::now();
            }
            last = now;
            let is_enough = match wanted {
                Some(wanted) => holds_no_more(now, wanted),
                None => steady_since.elapsed() > SETTLE_TIME_MAX / 20,
            };
            if is_enough || started.elapsed() > SETTLE_TIME_MAX {
                return now;
            }
        }
    }

    fn wanted(&self) -> Wanted {
        let wanted = Wanted::of(&self.versions[self.current]).with("settings", json!({}));
        match self.lane {
            Lane::InProcess => wanted,
            Lane::Worker => wanted.isolated(),
        }
    }
}

/// The stages of an element's last rollout and how many milliseconds each took.
#[must_use]
pub fn stages(document: &Value) -> Vec<(String, f64)> {
    let stages = document["last_rollout"]["stages"].as_array().into_iter().flatten();
    let stage = |stage: &Value| {
        Some((stage["name"].as_str()?.to_owned(), stage["duration_us"].as_f64()? / 1000.0))
    };
    stages.filter_map(stage).collect()
}

/// Whether the countable things are no more than wanted. Memory is not countable: an allocator keeps some. Nor are
/// the connections of the store, which are opened when there is more to write at once.
#[must_use]
pub fn holds_no_more(now: Holdings, wanted: Holdings) -> bool {
    let ([fds, threads, mappings], [fds_wanted, threads_wanted, mappings_wanted]) =
        (counts(now), counts(wanted));
    fds <= fds_wanted + STORE_FDS_MAX && threads <= threads_wanted && mappings <= mappings_wanted
}

fn counts(holdings: Holdings) -> [usize; 3] {
    let Holdings { rss_kib: _, private_dirty_kib: _, n_fds, n_threads, n_plugin_mappings } =
        holdings;
    [n_fds, n_threads, n_plugin_mappings]
}

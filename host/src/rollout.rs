//! Changing what runs: from what is wanted to what serves.
//!
//! The wanted state is a list of elements on disk ([`wanted`]). Each element has one task ([`element`])
//! that brings the serving state after it, one rollout at a time, through [`stages`] that are types:
//! a bundle is fetched, verified, probed, started, switched to, checked; then the generation before it is
//! drained. What fails before the switch leaves the old generation serving; what fails the check is
//! switched back.
//!
//! Invariants: a rollout never waits for another element's; requests are never stopped for one; nothing
//! here knows HTTP. `http` and `rollout` meet in the table of generations.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packer::bundle::{ElementName, Limits};
use tokio::sync::{Semaphore, watch};

use crate::data::DataDir;
use crate::plugin::Plugins;
use crate::shutdown::Tasks;

mod element;
mod health;
mod listeners;
pub(crate) mod report;
mod stages;
pub(crate) mod wanted;

use element::Control;
pub(crate) use report::Report;
pub(crate) use stages::{Failure, FailureKind};
pub(crate) use wanted::Wanted;
use wanted::WantedStore;

/// How many rollouts may be preparing at the same time: each may run a probe child and a dynamic linker.
const PREPARING_MAX: usize = 4;

/// Every element of the daemon.
#[derive(Debug)]
pub(crate) struct Elements {
    shared: Arc<Shared>,
    controls: Mutex<BTreeMap<ElementName, Control>>,
    store: Arc<WantedStore>,
    /// Held from writing a wish down until its element is told, so that both see wishes in one order.
    wishing: tokio::sync::Mutex<()>,
}

/// What every rollout uses.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The running side.
    pub(crate) plugins: Arc<Plugins>,
    /// The owner of every rollout's tasks.
    pub(crate) tasks: Tasks,
    /// Where bundles are found.
    bundles: PathBuf,
    /// Where verified ones are unpacked.
    unpacked: PathBuf,
    limits: Limits,
    preparing: Semaphore,
    verified: stages::VerifiedBundles,
}

/// A change of what is wanted, and where to see what came of it.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Reports from this revision on are about the change.
    pub(crate) revision: u64,
    /// The element's reports.
    pub(crate) reports: watch::Receiver<Report>,
}

impl Elements {
    /// Opens the wanted state in `data`; nothing runs yet.
    ///
    /// # Errors
    /// When the wanted state cannot be read.
    pub(crate) fn open(
        plugins: Arc<Plugins>,
        tasks: Tasks,
        data: &Arc<DataDir>,
        bundles: PathBuf,
    ) -> Result<Arc<Self>, wanted::Error> {
        let store = Arc::new(WantedStore::open(Arc::clone(data))?);
        let unpacked = data.join("store");
        std::fs::create_dir_all(&unpacked)
            .map_err(|source| wanted::Error::Folder { path: unpacked.clone(), source })?;
        let shared = Shared {
            plugins,
            tasks,
            bundles,
            unpacked,
            limits: Limits::default(),
            preparing: Semaphore::new(PREPARING_MAX),
            verified: stages::VerifiedBundles::default(),
        };
        Ok(Arc::new(Self {
            shared: Arc::new(shared),
            controls: Mutex::default(),
            store,
            wishing: tokio::sync::Mutex::default(),
        }))
    }

    /// Starts every element that is wanted, and waits until each serves or has said why not.
    pub(crate) async fn start_all(&self) {
        let mut all = Vec::new();
        for (name, wanted) in self.store.all() {
            all.push(self.control(&name).want(Some(wanted)));
        }
        for accepted in all {
            accepted.settled().await;
        }
    }

    /// Wants an element so. What comes of it is told by its reports.
    ///
    /// # Errors
    /// When the wish cannot be written down; then nothing changes.
    pub(crate) async fn want(
        &self,
        name: &ElementName,
        wanted: Wanted,
    ) -> Result<Accepted, wanted::Error> {
        let _in_order = self.wishing.lock().await;
        let (to_keep, of) = (wanted.clone(), name.clone());
        self.write_down(move |store| store.put(&of, to_keep)).await?;
        Ok(self.control(name).want(Some(wanted)))
    }

    /// Wants an element no more.
    ///
    /// # Errors
    /// When the wish cannot be written down; then nothing changes.
    pub(crate) async fn remove(
        &self,
        name: &ElementName,
    ) -> Result<Option<Accepted>, wanted::Error> {
        let known = self.lock().contains_key(name);
        if !known {
            return Ok(None);
        }
        let _in_order = self.wishing.lock().await;
        let of = name.clone();
        self.write_down(move |store| store.remove(&of)).await?;
        Ok(Some(self.control(name).want(None)))
    }

    /// Changes the document where waiting for the disk holds nobody up.
    async fn write_down(
        &self,
        change: impl FnOnce(&WantedStore) -> Result<(), wanted::Error> + Send + 'static,
    ) -> Result<(), wanted::Error> {
        let store = Arc::clone(&self.store);
        let written = tokio::task::spawn_blocking(move || change(&store)).await;
        written.expect("writing the wanted state down does not panic")
    }

    /// What is known of an element, if it is one.
    pub(crate) fn report(&self, name: &ElementName) -> Option<Report> {
        let report = self.lock().get(name).map(Control::report);
        report.filter(|report| !report.is_gone())
    }

    /// What is known of every element, by name.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.lock().values().map(Control::report).filter(|report| !report.is_gone()).collect()
    }

    /// The running side.
    pub(crate) fn plugins(&self) -> &Arc<Plugins> {
        &self.shared.plugins
    }

    fn control(&self, name: &ElementName) -> Control {
        let mut controls = self.lock();
        let control = controls
            .entry(name.clone())
            .or_insert_with(|| Control::start(name.clone(), &self.shared));
        control.clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ElementName, Control>> {
        self.controls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accepted {
    /// Waits until the change has come to its end, one way or the other.
    pub(crate) async fn settled(mut self) -> Report {
        let revision = self.revision;
        let settled = self.reports.wait_for(|report| report.is_settled(revision)).await;
        settled.map(|report| report.clone()).unwrap_or_else(|_ended| self.reports.borrow().clone())
    }
}

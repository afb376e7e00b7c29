//! Changing what runs: from what is wanted to what serves.
//!
//! What is wanted is a row for each element ([`wanted`]), changed by the API ([`wish`] says how) or by the
//! directory of elements ([`directory`], which [`reconcile`] follows). Each element has one task ([`element`])
//! that brings the serving state after it, one rollout at a time, through [`stages`] that are types: a bundle is
//! fetched, verified, probed, its schema migrated, its plugin started, switched to, checked; then the generation
//! before it is drained. What fails before the switch leaves no trace; what fails the check is switched back.
//!
//! Invariants: a rollout never waits for another element's; requests are never stopped for one; a wish and its
//! operation are written in one transaction before anything is done about it; nothing here knows HTTP. `http`
//! and `rollout` meet in the table of generations.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packer::bundle::ElementName;
use semver::Version;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::data::DataDir;
use crate::migration::{self, Migrations};
use crate::operation::{self, ElementKind, New, OperationId, Operations, Requester, Target};
use crate::plugin::Plugins;
use crate::shutdown::Tasks;
use crate::store::Store;
use crate::timestamp::Timestamp;

mod bundles;
pub(crate) mod conditions;
mod directory;
mod element;
pub(crate) mod failure;
mod health;
mod inspect;
mod listeners;
mod progress;
mod reconcile;
pub(crate) mod report;
mod served;
pub(crate) mod settings;
mod stages;
pub(crate) mod wanted;
mod watch_folder;
pub(crate) mod wish;

pub(crate) use bundles::Available;
use bundles::Bundles;
use element::{Control, What, Wish};
pub(crate) use report::{Report, WayBack};
use settings::Secrets;
use wanted::{ManagedBy, Record};
use wish::{Asker, Change, Decision, Refusal};

/// How many rollouts may be preparing at the same time: each may run a probe child and a dynamic linker.
const PREPARING_MAX: usize = 4;

/// Every element of the daemon.
#[derive(Debug)]
pub(crate) struct Elements {
    shared: Arc<Shared>,
    controls: Mutex<BTreeMap<ElementName, Control>>,
    /// The directory of elements, if there is one.
    directory: Option<PathBuf>,
    /// Held from reading a row until its wish is in its element's slot, so that both see wishes in one order.
    wishing: tokio::sync::Mutex<()>,
}

/// What every rollout uses.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The running side.
    pub(crate) plugins: Arc<Plugins>,
    /// The owner of every rollout's tasks.
    pub(crate) tasks: Tasks,
    /// What survives.
    pub(crate) store: Store,
    /// What takes time, and how far it is.
    pub(crate) operations: Operations,
    /// The schemas of plugins.
    pub(crate) migrations: Migrations,
    bundles: Arc<Bundles>,
    secrets: Secrets,
    preparing: Semaphore,
}

/// Where bundles and wishes are found.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// The directory of bundles.
    pub(crate) bundles: PathBuf,
    /// The directory of elements, if there is one.
    pub(crate) elements: Option<PathBuf>,
}

/// A change cannot be accepted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It makes no sense as things are.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no way back.
    #[error("element {element} cannot return to {version}: {way_back}")]
    NoWayBack {
        /// Which.
        element: ElementName,
        /// What served before.
        version: Version,
        /// Why.
        way_back: WayBack,
    },
    /// Users of it have instances.
    #[error("element {element} has {n_instances} instances")]
    InstancesExist {
        /// Which.
        element: ElementName,
        /// How many.
        n_instances: u64,
    },
    /// The rows of what is wanted.
    #[error(transparent)]
    Wanted(#[from] wanted::Error),
    /// The operation.
    #[error(transparent)]
    Operation(#[from] operation::Error),
    /// The plugins' tables.
    #[error(transparent)]
    Migration(#[from] migration::Error),
    /// A bundle that was to be looked into.
    #[error("the bundle of element {element} {version} cannot be looked into: {reason}")]
    Bundle {
        /// Whose.
        element: ElementName,
        /// Of which version.
        version: Version,
        /// Why not.
        reason: String,
    },
}

/// The daemon's folders cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be made", path.display())]
pub(crate) struct OpenError {
    path: PathBuf,
    source: io::Error,
}

/// What becomes of instances when their element is uninstalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instances {
    /// They forbid it.
    Protect,
    /// They lose their type.
    Abandon,
}

impl Elements {
    /// Opens the daemon's folders; nothing runs yet.
    ///
    /// # Errors
    /// When one of them cannot be made.
    pub(crate) fn open(
        plugins: Arc<Plugins>,
        tasks: Tasks,
        store: Store,
        operations: Operations,
        migrations: Migrations,
        data: &DataDir,
        folders: Folders,
    ) -> Result<Arc<Self>, OpenError> {
        let Folders { bundles, elements: directory } = folders;
        let sources = [Some(bundles), directory.clone()].into_iter().flatten().collect();
        let bundles =
            Bundles::open(sources, data).map_err(|(path, source)| OpenError { path, source })?;
        let shared = Shared {
            plugins,
            tasks,
            store,
            operations,
            migrations,
            bundles: Arc::new(bundles),
            secrets: Secrets::of(data.path()),
            preparing: Semaphore::new(PREPARING_MAX),
        };
        Ok(Arc::new(Self {
            shared: Arc::new(shared),
            controls: Mutex::default(),
            directory,
            wishing: tokio::sync::Mutex::default(),
        }))
    }

    /// Asks for a change. What comes of it is told by the operation.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub(crate) async fn change(
        &self,
        name: &ElementName,
        change: Change,
        asker: Asker<'_>,
        requester: Requester,
    ) -> Result<OperationId, Error> {
        let _in_order = self.wishing.lock().await;
        let record = self.record(name).await?;
        if let (Change::Rollback, Some(record)) = (&change, &record) {
            self.check_way_back(record).await?;
        }
        let known = self.versions_of(name).await;
        let decision = wish::decide(name, record, change, asker, &known, Timestamp::now())?;
        if let Some(operation) = self.under_way(&decision) {
            return Ok(operation);
        }
        let operation = self.write_down(&decision, requester).await?;
        let Decision { record, kind, from: _ } = decision;
        let what = match (kind, record.removal) {
            (_, Some(data)) => What::Uninstall(data),
            (ElementKind::Finalize, None) => What::Finalize,
            (_, None) => What::RollOut,
        };
        self.wish(Wish { record, operation: Some(operation), what }).await;
        Ok(operation)
    }

    /// Checks that an element may be uninstalled as far as its users are concerned.
    ///
    /// # Errors
    /// When they have instances, unless those are to be abandoned.
    pub(crate) async fn check_instances(
        &self,
        name: &ElementName,
        instances: Instances,
    ) -> Result<(), Error> {
        let n_instances = match instances {
            Instances::Abandon => 0,
            Instances::Protect => self.shared.migrations.rows_of_instances(name).await?,
        };
        if n_instances == 0 {
            return Ok(());
        }
        Err(Error::InstancesExist { element: name.clone(), n_instances })
    }

    /// The versions of each element that can be installed.
    pub(crate) async fn available(&self) -> Available {
        let bundles = Arc::clone(&self.shared.bundles);
        let versions = tokio::task::spawn_blocking(move || bundles.versions()).await;
        versions.expect("listing directories does not panic")
    }

    async fn versions_of(&self, name: &ElementName) -> Vec<Version> {
        self.available().await.of(name)
    }

    /// What is known of an element, if it is one.
    pub(crate) fn report(&self, name: &ElementName) -> Option<Report> {
        let report = self.lock().get(name).map(Control::report);
        report.filter(|report| report.record.is_some() && !report.is_gone())
    }

    /// What is known of every element, by name.
    pub(crate) fn reports(&self) -> Vec<Report> {
        let reports = self.lock().values().map(Control::report).collect::<Vec<_>>();
        reports.into_iter().filter(|it| it.record.is_some() && !it.is_gone()).collect()
    }

    /// What everything here uses.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    async fn record(&self, name: &ElementName) -> Result<Option<Record>, Error> {
        let mut record = wanted::find(self.shared.store.connection(), name).await?;
        // Without a directory no file can speak for an element any more.
        if let (None, Some(record)) = (&self.directory, &mut record) {
            record.managed_by = ManagedBy::Api;
        }
        Ok(record)
    }

    async fn check_way_back(&self, record: &Record) -> Result<(), Error> {
        let Some(previous) = &record.previous else { return Ok(()) };
        let (element, version) = (record.name.clone(), previous.version.clone());
        match self.shared.migrations.rollback(&element, &version).await?.into() {
            WayBack::Open | WayBack::NoPrevious => Ok(()),
            way_back @ (WayBack::ContractApplied { .. } | WayBack::Unknown(_)) => {
                Err(Error::NoWayBack { element, version, way_back })
            }
        }
    }

    /// The operation that already does what was decided: a second click is the first.
    fn under_way(&self, decision: &Decision) -> Option<OperationId> {
        let report = self.report(&decision.record.name)?;
        let wanted = report.record.as_ref()?;
        let Record { wanted: now, removal, .. } = &decision.record;
        let is_same = wanted.wanted == *now && wanted.removal == *removal;
        let is_rollout = decision.kind != ElementKind::Finalize;
        (is_same && is_rollout && !report.is_settled()).then_some(report.operation?)
    }

    /// Writes the row and its operation down, both or neither.
    async fn write_down(
        &self,
        decision: &Decision,
        requester: Requester,
    ) -> Result<OperationId, Error> {
        let Decision { record, kind, from } = decision;
        let new = New {
            kind: (*kind).into(),
            target: Target::element(&record.name),
            details: json!({"from": from, "to": record.wanted.version}),
            requester,
        };
        let written = self.shared.store.begin().await.map_err(wanted::Error::Store)?;
        wanted::put(&written, record).await?;
        if record.removal.is_some() {
            wanted::dismiss(&written, &record.name, record.updated_at).await?;
        }
        let operation = self.shared.operations.create(&written, new).await?.id;
        crate::fault::point("wish.before");
        written.commit().await.map_err(wanted::Error::Store)?;
        crate::fault::point("wish.after");
        self.shared.operations.events().committed();
        Ok(operation)
    }

    /// Hands a wish to its element's task.
    async fn wish(&self, wish: Wish) {
        let (name, by) = (wish.record.name.clone(), wish.operation);
        let replaced = self.control(&name).wish(wish).and_then(|replaced| replaced.operation);
        let (Some(replaced), Some(by)) = (replaced, by) else { return };
        match self.shared.operations.supersede(replaced, by).await {
            // One that was called off has ended already.
            Ok(()) | Err(operation::Error::Ended { .. }) => {}
            Err(error) => {
                let cause = crate::log::chain(&error).to_string();
                tracing::error!(element = %name, "a superseded operation cannot be noted: {cause}");
            }
        }
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

impl Shared {
    /// An operation that nobody asked for.
    fn automatic(&self, kind: ElementKind, name: &ElementName, details: serde_json::Value) -> New {
        New {
            kind: kind.into(),
            target: Target::element(name),
            details,
            requester: Requester::daemon(),
        }
    }
}

//! Following what is wanted: at the start, whenever the directory of elements changes, and every so often.
//!
//! Each pass reads everything, the rows and the directory, takes nothing as given and changes only what differs;
//! so a signal that is lost costs one period, and a pass with nothing to do costs a query.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packer::bundle::ElementName;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::bundles::{Available, Lying};
use super::directory::{self, Entry};
use super::element::{What, Wish};
use super::failure::FailureKind;
use super::report::Report;
use super::served;
use super::wanted::{self, Data, ManagedBy, Record};
use super::watch_folder::Watch;
use super::wish::{Asker, Change, Patch};
use super::{Elements, Error};
use crate::log;
use crate::operation::{ElementKind, Kind, Operation, Requester, Target};

/// How often everything is looked at, told or not.
const PERIOD: Duration = Duration::from_secs(30);

/// What the directory of elements holds.
#[derive(Debug, Default)]
struct Held {
    manifests: Vec<Entry>,
    /// The newest bundle of each element.
    bundles: Vec<Lying>,
}

/// What is being brought up.
#[derive(Debug)]
pub(crate) struct Resumed {
    reports: Vec<watch::Receiver<Report>>,
}

impl Resumed {
    /// Waits until each element serves or has said why not.
    pub(crate) async fn settled(self) {
        for mut report in self.reports {
            // Its task has ended only when the daemon ends.
            let _settled = report.wait_for(Report::is_settled).await;
        }
    }
}

impl Elements {
    /// Begins to bring up what was wanted when the daemon ended, and what was under way.
    ///
    /// Nobody may want anything before that: it would be taken for what was left of the daemon's last life.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub(crate) async fn resume(&self) -> Result<Resumed, Error> {
        let known =
            served::all(self.shared.store.connection()).await.map_err(wanted::Error::from)?;
        self.shared.plugins.tables.know(known);
        let records = wanted::all(self.shared.store.connection()).await?;
        let mut unfinished = self.unfinished().await?;
        let mut reports = Vec::new();
        for record in records {
            let target = Target::element(&record.name);
            let resumed = unfinished.iter().position(|it| it.target == target);
            let resumed = resumed.map(|idx| unfinished.remove(idx));
            let last = self.shared.operations.last_of(&target).await?;
            let control = self.control(&record.name);
            reports.push(control.reports());
            control.note_operation(last.map(|last| last.id));
            self.wish(start_of(record, resumed.as_ref())).await;
        }
        self.close(unfinished).await?;
        Ok(Resumed { reports })
    }

    /// The operations that were under way, the newest of each element; those before it are superseded.
    async fn unfinished(&self) -> Result<Vec<Operation>, Error> {
        let mut newest: Vec<Operation> = Vec::new();
        for operation in self.shared.operations.unfinished_of_elements().await?.into_iter().rev() {
            match newest.iter().find(|it| it.target == operation.target) {
                None => newest.push(operation),
                Some(by) => self.shared.operations.supersede(operation.id, by.id).await?,
            }
        }
        Ok(newest)
    }

    /// Ends operations whose element is gone: an uninstallation removes the row last of all.
    async fn close(&self, unfinished: Vec<Operation>) -> Result<(), Error> {
        for Operation { id, .. } in unfinished {
            let running = self.shared.operations.run(id, &[]).await?;
            running.succeed("it is uninstalled", serde_json::Value::Null).await;
        }
        Ok(())
    }

    /// Follows what is wanted until the daemon ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        let folders = self.watched();
        let watch = Watch::of(folders.iter().map(PathBuf::as_path));
        let watch = watch.inspect_err(|error| {
            tracing::warn!(
                "directories cannot be watched, so they are looked at every {} s: {error}",
                PERIOD.as_secs()
            );
        });
        let mut periods = interval(PERIOD);
        periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let changed = async {
                match &watch {
                    Ok(watch) => watch.changed().await,
                    Err(_unwatched) => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.shared.tasks.cancelled() => return,
                _now = periods.tick() => {}
                _changed = changed => {}
            }
            if let Err(error) = self.reconcile().await {
                let cause = log::chain(&error).to_string();
                tracing::error!(
                    "what is wanted cannot be followed; tried again in {} s: {cause}",
                    PERIOD.as_secs()
                );
            }
        }
    }

    fn watched(&self) -> Vec<PathBuf> {
        self.shared.bundles.sources().to_vec()
    }

    /// One pass.
    async fn reconcile(&self) -> Result<(), Error> {
        let held = self.held().await;
        let records = wanted::all(self.shared.store.connection()).await?;
        if let Some(held) = &held {
            self.follow_manifests(held, &records).await?;
            self.follow_bundles(held, &records).await?;
        }
        for record in records {
            self.catch_up(record).await;
        }
        Ok(())
    }

    /// What the directory holds, if there is one and it can be read.
    async fn held(&self) -> Option<Held> {
        let (folder, bundles) = (self.directory.clone()?, Arc::clone(&self.shared.bundles));
        let read = tokio::task::spawn_blocking(move || {
            let manifests = directory::read(&folder)?;
            Ok::<_, std::io::Error>(Held { manifests, bundles: bundles.newest_in(&folder) })
        });
        let held = read.await.expect("reading a directory does not panic");
        held.inspect_err(|error| {
            tracing::error!("the directory of elements cannot be read: {error}")
        })
        .ok()
    }

    async fn follow_manifests(&self, held: &Held, records: &[Record]) -> Result<(), Error> {
        let mut named = BTreeSet::new();
        let known =
            if held.manifests.is_empty() { Available::default() } else { self.available().await };
        for Entry { file, manifest } in &held.manifests {
            let manifest = match manifest {
                Ok(manifest) if named.insert(manifest.name.clone()) => manifest,
                Ok(manifest) => {
                    tracing::warn!(file, element = %manifest.name, "an earlier file names the same element: this one is left out");
                    continue;
                }
                Err(reason) => {
                    tracing::warn!(
                        file,
                        "this file of the directory of elements is left out: {reason}"
                    );
                    continue;
                }
            };
            let record = records.iter().find(|record| record.name == manifest.name);
            let known = known.of(&manifest.name);
            match manifest.wanted(record.map(|record| &record.wanted.version), &known) {
                Ok(wanted) => {
                    let managed_by = ManagedBy::Manifest(file.clone());
                    let is_so =
                        record.is_some_and(|it| it.wanted == wanted && it.managed_by == managed_by);
                    if !is_so {
                        let put = Change::Put(Patch::whole(wanted));
                        self.ask(&manifest.name, put, Asker::Manifest(file)).await?;
                    }
                }
                Err(reason) => tracing::warn!(file, element = %manifest.name, "{reason}"),
            }
        }
        for record in records {
            let ManagedBy::Manifest(file) = &record.managed_by else { continue };
            let is_there = held.manifests.iter().any(|entry| entry.file == *file);
            if !is_there && record.removal.is_none() {
                self.ask(&record.name, Change::Uninstall(Data::Keep), Asker::Manifest(file))
                    .await?;
            }
        }
        Ok(())
    }

    /// A bundle that lies in the directory is wanted, unless somebody else has a say or it was uninstalled since
    /// it came.
    async fn follow_bundles(&self, held: &Held, records: &[Record]) -> Result<(), Error> {
        let manifests = held.manifests.iter().filter_map(|entry| entry.manifest.as_ref().ok());
        let spoken_for: BTreeSet<_> = manifests.map(|manifest| &manifest.name).collect();
        let dismissals = wanted::dismissals(self.shared.store.connection()).await?;
        let records: BTreeMap<_, _> = records.iter().map(|record| (&record.name, record)).collect();
        let unspoken = held.bundles.iter().filter(|lying| !spoken_for.contains(&lying.element));
        for Lying { element: name, version, since } in unspoken {
            if dismissals.get(name.as_str()).is_some_and(|dismissed| dismissed >= since) {
                continue;
            }
            let is_wanted = match records.get(name) {
                None => true,
                Some(record) => {
                    record.managed_by == ManagedBy::Bundles && record.wanted.version < *version
                }
            };
            if is_wanted {
                let patch = Patch { version: Some(version.clone()), ..Patch::default() };
                self.ask(name, Change::Put(patch), Asker::Bundles).await?;
            }
        }
        Ok(())
    }

    /// Asks in the name of a file. What is refused is told and stops nothing else.
    async fn ask(&self, name: &ElementName, change: Change, asker: Asker<'_>) -> Result<(), Error> {
        match self.change(name, change, asker, Requester::daemon()).await {
            Ok(_operation) => Ok(()),
            Err(Error::Refused(refusal)) => {
                tracing::warn!(element = %name, "the directory of elements is not followed: {refusal}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Tells an element's task what it has not heard: a row that somebody else wrote, or a bundle that has come.
    async fn catch_up(&self, record: Record) {
        let (is_news, waits_for_bundle) = self.control(&record.name).look(|report| {
            let heard = report.record.as_ref().map(|heard| heard.revision);
            let is_news = heard.is_none_or(|heard| heard < record.revision) && report.is_settled();
            let failure = report.failure.as_ref().map(|failure| failure.kind);
            (is_news, failure == Some(FailureKind::VersionNotFound))
        });
        let is_there = waits_for_bundle
            && self.versions_of(&record.name).await.contains(&record.wanted.version);
        if is_news || is_there {
            self.wish(start_of(record, None)).await;
        }
    }
}

/// What a row asks for by itself, or as far as the operation had come that was under way.
fn start_of(record: Record, resumed: Option<&Operation>) -> Wish {
    let finalizes = resumed.is_some_and(|it| it.kind == Kind::Element(ElementKind::Finalize));
    let what = match record.removal {
        Some(data) => What::Uninstall(data),
        None if finalizes => What::Finalize,
        None => What::RollOut,
    };
    Wish { record, operation: resumed.map(|it| it.id), what }
}

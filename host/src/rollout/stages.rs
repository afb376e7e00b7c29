//! The stages of a rollout, each a type that only the stage before it can make.
//!
//! [`FetchedBundle`] → [`VerifiedBundle`] → [`ProbedPlugin`] → [`Generation`] → published and checked. A
//! function that needs a stage asks for its type, so none can be skipped. Nothing here decides what runs;
//! each function does one step and says why it could not.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use packer::bundle::{ElementName, TargetTriple, UnpackError, Unpacked, head_of, scan_dir, unpack};
use semver::Version;

use super::{Shared, Wanted};
use crate::log;
use crate::plugin::ProbedPlugin;
use crate::plugin::generation::Generation;
use crate::plugin::probe::{self, ProbeError};
use crate::plugin::start::{self, StartError};
use crate::plugin::table::{Clash, Published};

/// A bundle that was found, as what it claims to be.
#[derive(Debug)]
pub(super) struct FetchedBundle {
    path: PathBuf,
    stamp: Stamp,
    element: ElementName,
    version: Version,
}

/// A bundle that is what it was asked for, whole, and unpacked in the store.
#[derive(Debug)]
pub(super) struct VerifiedBundle {
    unpacked: Arc<Unpacked>,
}

/// What was verified before, by path. A file that has not changed since is not read again: what would be
/// mapped is the store's copy, not the file.
#[derive(Debug, Default)]
pub(super) struct VerifiedBundles {
    known: Mutex<HashMap<PathBuf, (Stamp, Arc<Unpacked>)>>,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Why a rollout did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("there is no bundle of `{element}` {version}; {}", known_versions(known))]
    Fetch { element: ElementName, version: Version, known: Vec<Version> },
    #[error("the bundle could not be verified")]
    Verify(#[source] UnpackError),
    #[error(
        "the bundle claims to be `{claimed}` and was asked for as `{wanted}`; rename or repack it"
    )]
    Identify { claimed: String, wanted: String },
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{what} was granted and the plugin does not declare it; it declares {declared}")]
    Grant { what: String, declared: String },
    #[error("listener `{name}` cannot be opened at `{address}`: {reason}")]
    Listen { name: String, address: String, reason: String },
    #[error(transparent)]
    Publish(#[from] Clash),
    #[error(
        "after the switch its health route did not answer well: {reason}; the switch was undone"
    )]
    Check { reason: String },
    #[error("it ended {n_faults} times within a minute, the last time because {reason}")]
    KeepsFailing { n_faults: usize, reason: String },
}

fn known_versions(known: &[Version]) -> String {
    if known.is_empty() {
        return "there is none of any version: put one into the bundles directory".to_owned();
    }
    let known: Vec<_> = known.iter().map(|version| format!("`{version}`")).collect();
    format!("there are {}", known.join(", "))
}

/// What of a [`StageError`] the API needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// There is no such version.
    VersionNotFound,
    /// The process can load no more.
    Full,
    /// Anything else.
    Other,
}

/// A failed rollout, for whoever wants to know.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Which kind.
    pub(crate) kind: FailureKind,
    /// What happened, to what, and what to do.
    pub(crate) reason: String,
}

impl From<&StageError> for Failure {
    fn from(error: &StageError) -> Self {
        let kind = match error {
            StageError::Fetch { .. } => FailureKind::VersionNotFound,
            StageError::Start(
                StartError::GenerationsFull { .. } | StartError::RetainedFull { .. },
            ) => FailureKind::Full,
            StageError::Start(
                StartError::Quarantined { .. }
                | StartError::System { .. }
                | StartError::Failed { .. }
                | StartError::Deadline { .. },
            )
            | StageError::Verify(_)
            | StageError::Identify { .. }
            | StageError::Probe(_)
            | StageError::Grant { .. }
            | StageError::Listen { .. }
            | StageError::Publish(_)
            | StageError::Check { .. }
            | StageError::KeepsFailing { .. } => FailureKind::Other,
        };
        Self { kind, reason: log::chain(error).to_string() }
    }
}

/// Finds the bundle of a version.
pub(super) fn fetch(
    element: &ElementName,
    version: &Version,
    shared: &Shared,
) -> Result<FetchedBundle, StageError> {
    let path = shared.bundles.join(format!("{element}-{version}.bundle"));
    let Ok(metadata) = fs::metadata(&path) else {
        let known = versions_of(element, shared);
        let (element, version) = (element.clone(), version.clone());
        return Err(StageError::Fetch { element, version, known });
    };
    let stamp = Stamp::from(&metadata);
    Ok(FetchedBundle { path, stamp, element: element.clone(), version: version.clone() })
}

/// The versions of an element that have a bundle, in order.
pub(super) fn versions_of(element: &ElementName, shared: &Shared) -> Vec<Version> {
    let Ok(scan) = scan_dir(&shared.bundles, &shared.limits) else { return Vec::new() };
    let of_element = scan.found.into_iter().filter(|found| found.head.element() == element);
    let mut versions: Vec<_> = of_element.map(|found| found.head.version().clone()).collect();
    versions.sort();
    versions
}

/// Checks a bundle and unpacks it into the store. Reads the whole file, unless it did so before.
pub(super) fn verify(
    fetched: FetchedBundle,
    shared: &Shared,
) -> Result<VerifiedBundle, StageError> {
    let FetchedBundle { path, stamp, element, version } = fetched;
    if let Some(unpacked) = shared.verified.find(&path, stamp) {
        return Ok(VerifiedBundle { unpacked });
    }
    let head = head_of(&path, &shared.limits).map_err(|error| StageError::Verify(error.into()))?;
    let (claimed, wanted) =
        (format!("{} {}", head.element(), head.version()), format!("{element} {version}"));
    if claimed != wanted {
        return Err(StageError::Identify { claimed, wanted });
    }
    let unpacked = unpack(&path, &shared.limits, &TargetTriple::host(), &shared.unpacked)
        .map_err(StageError::Verify)?;
    Ok(VerifiedBundle { unpacked: shared.verified.keep(path, stamp, unpacked) })
}

impl VerifiedBundles {
    fn find(&self, path: &Path, stamp: Stamp) -> Option<Arc<Unpacked>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (known_stamp, unpacked) = known.get(path)?;
        (*known_stamp == stamp && unpacked.library().exists()).then(|| Arc::clone(unpacked))
    }

    fn keep(&self, path: PathBuf, stamp: Stamp, unpacked: Unpacked) -> Arc<Unpacked> {
        let unpacked = Arc::new(unpacked);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path, (stamp, Arc::clone(&unpacked)));
        unpacked
    }
}

/// Has a bundle's plugin examined by a child process.
pub(super) async fn examine(
    verified: VerifiedBundle,
    wanted: &Wanted,
    shared: &Shared,
) -> Result<ProbedPlugin, StageError> {
    Ok(probe::probe(&shared.plugins, &verified.unpacked, &wanted.settings).await?)
}

/// Checks that what the operator grants is what the plugin asks for.
pub(super) fn check_grants(plugin: &ProbedPlugin, wanted: &Wanted) -> Result<(), StageError> {
    let descriptor = plugin.descriptor();
    let mounts: Vec<_> = descriptor.mounts.iter().map(|mount| &*mount.prefix).collect();
    let listeners: Vec<_> = descriptor.listeners.iter().map(|listener| &*listener.name).collect();
    let undeclared = |kind: &str, granted: &str, declared: &[&str]| StageError::Grant {
        what: format!("{kind} `{granted}`"),
        declared: if declared.is_empty() { "none".to_owned() } else { declared.join(", ") },
    };
    for granted in &wanted.mounts {
        if !mounts.contains(&granted.as_str()) {
            return Err(undeclared("mount", granted, &mounts));
        }
    }
    for granted in wanted.listeners.keys() {
        if !listeners.contains(&granted.as_str()) {
            return Err(undeclared("listener", granted, &listeners));
        }
    }
    Ok(())
}

/// Starts a generation of a plugin.
pub(super) async fn start(
    plugin: &ProbedPlugin,
    wanted: &Wanted,
    shared: &Shared,
) -> Result<Arc<Generation>, StageError> {
    Ok(start::start(&shared.plugins, plugin, wanted.isolation, &wanted.settings).await?)
}

/// Lets a generation answer for its element.
pub(super) fn publish(
    published: &Arc<Published>,
    wanted: &Wanted,
    shared: &Shared,
) -> Result<(), StageError> {
    shared.plugins.tables.publish(published, &wanted.mounts)?;
    shared.plugins.metrics.swaps.inc();
    Ok(())
}

//! What somebody may ask of an element, and what becomes of the row that says what is wanted of it.
//!
//! Pure: [`decide`] takes the row as it is and what is asked, and gives the row as it will be, or why not.
//! Writing it down and bringing it about are done elsewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use packer::bundle::ElementName;
use schemars::JsonSchema;
use semver::Version;
use serde::Deserialize;

use super::wanted::{Data, ManagedBy, Record, Wanted, no_settings};
use crate::operation::ElementKind;
use crate::plugin::lane::Isolation;
use crate::timestamp::Timestamp;

/// A change of an element. What is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Patch {
    /// Another version.
    #[schemars(with = "Option<String>")]
    pub(crate) version: Option<Version>,
    /// Another lane.
    pub(crate) isolation: Option<Isolation>,
    /// Other settings, all of them.
    pub(crate) settings: Option<serde_json::Value>,
    /// Other mounts, all of them.
    pub(crate) mounts: Option<Vec<String>>,
    /// Other listeners, all of them.
    pub(crate) listeners: Option<BTreeMap<String, SocketAddr>>,
}

impl Patch {
    /// The members of its document.
    pub(crate) const MEMBERS: [&'static str; 5] =
        ["version", "isolation", "settings", "mounts", "listeners"];
}

/// What is asked of an element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Want it so.
    Put(Patch),
    /// Want this version, or the newest there is.
    Upgrade(Option<Version>),
    /// Want what served before.
    Rollback,
    /// Give up the way back: run what waits for that.
    Finalize,
    /// Want it no more.
    Uninstall(Data),
}

/// Why a change is refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such element.
    #[error("element {0} is not installed")]
    NotFound(ElementName),
    /// A new element needs a version.
    #[error("element {0} is not installed yet, so its version must be said")]
    VersionMissing(ElementName),
    /// There is no bundle of it.
    #[error("there is no bundle of element {element} {version}")]
    VersionNotFound {
        /// Whose.
        element: ElementName,
        /// Of what.
        version: Version,
        /// What there is.
        known: Vec<Version>,
    },
    /// There is no bundle at all.
    #[error("there is no bundle of element {0}")]
    NoBundle(ElementName),
    /// A file says what is wanted.
    #[error("element {element} is managed by the file {file} in the directory of elements")]
    Managed {
        /// Which.
        element: ElementName,
        /// Which file.
        file: String,
    },
    /// It is on its way out.
    #[error("element {0} is being uninstalled")]
    Leaving(ElementName),
    /// Nothing served before.
    #[error("element {0} has no earlier version to return to")]
    NoPrevious(ElementName),
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker<'a> {
    /// A caller of the API.
    Api,
    /// The newest bundle in the directory of elements.
    Bundles,
    /// This file in the directory of elements.
    Manifest(&'a str),
}

/// A change that can be written down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    /// The row as it will be.
    pub(crate) record: Record,
    /// What kind of operation brings it about.
    pub(crate) kind: ElementKind,
    /// The version that was wanted before.
    pub(crate) from: Option<Version>,
}

/// Decides what becomes of `record` when `change` is asked of it. `known` are the versions that have a bundle.
///
/// # Errors
/// Why nothing becomes of it.
pub(crate) fn decide(
    name: &ElementName,
    record: Option<Record>,
    change: Change,
    asker: Asker<'_>,
    known: &[Version],
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let Some(record) = record else { return decide_new(name, change, asker, known, now) };
    if let (ManagedBy::Manifest(file), Asker::Api) = (&record.managed_by, asker) {
        return Err(Refusal::Managed { element: name.clone(), file: file.clone() });
    }
    if record.removal.is_some() && !matches!(change, Change::Uninstall(_)) {
        return Err(Refusal::Leaving(name.clone()));
    }
    let from = record.wanted.version.clone();
    let (wanted, removal) = match change {
        Change::Put(patch) => (patch.applied_to(record.wanted.clone()), None),
        Change::Upgrade(version) => {
            let version = version.or_else(|| known.last().cloned());
            let version = version.ok_or_else(|| Refusal::NoBundle(name.clone()))?;
            (Wanted { version, ..record.wanted.clone() }, None)
        }
        Change::Rollback => {
            let previous = record.previous.clone();
            (previous.ok_or_else(|| Refusal::NoPrevious(name.clone()))?, None)
        }
        Change::Finalize => {
            return Ok(decision(record, asker, ElementKind::Finalize, Some(from), now));
        }
        Change::Uninstall(data) => {
            let record = Record { removal: Some(record.removal.unwrap_or(data)), ..record };
            return Ok(decision(record, asker, ElementKind::Uninstall, Some(from), now));
        }
    };
    if wanted.version != from {
        check_known(name, &wanted.version, asker, known)?;
    }
    let kind = match wanted.version.cmp(&from) {
        std::cmp::Ordering::Greater => ElementKind::Upgrade,
        std::cmp::Ordering::Less => ElementKind::Rollback,
        std::cmp::Ordering::Equal => ElementKind::Configure,
    };
    Ok(decision(Record { wanted, removal, ..record }, asker, kind, Some(from), now))
}

fn decide_new(
    name: &ElementName,
    change: Change,
    asker: Asker<'_>,
    known: &[Version],
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let Change::Put(patch) = change else { return Err(Refusal::NotFound(name.clone())) };
    let version = patch.version.clone().ok_or_else(|| Refusal::VersionMissing(name.clone()))?;
    check_known(name, &version, asker, known)?;
    let nothing_yet = Wanted {
        version,
        isolation: Isolation::default(),
        settings: no_settings(),
        mounts: Vec::new(),
        listeners: BTreeMap::new(),
    };
    let record = Record {
        name: name.clone(),
        wanted: patch.applied_to(nothing_yet),
        stable: None,
        previous: None,
        managed_by: ManagedBy::Api,
        removal: None,
        revision: 0,
        created_at: now,
        updated_at: now,
    };
    Ok(decision(record, asker, ElementKind::Install, None, now))
}

fn decision(
    record: Record,
    asker: Asker<'_>,
    kind: ElementKind,
    from: Option<Version>,
    now: Timestamp,
) -> Decision {
    let managed_by = match asker {
        Asker::Api => ManagedBy::Api,
        Asker::Bundles => ManagedBy::Bundles,
        Asker::Manifest(file) => ManagedBy::Manifest(file.to_owned()),
    };
    let revision = record.revision + 1;
    Decision { record: Record { managed_by, revision, updated_at: now, ..record }, kind, from }
}

/// A caller is told at once that there is no such bundle. What a file asks for may come later; until then the
/// element says what is missing.
fn check_known(
    name: &ElementName,
    version: &Version,
    asker: Asker<'_>,
    known: &[Version],
) -> Result<(), Refusal> {
    if asker != Asker::Api || known.contains(version) {
        return Ok(());
    }
    let (element, version, known) = (name.clone(), version.clone(), known.to_vec());
    Err(Refusal::VersionNotFound { element, version, known })
}

impl Patch {
    /// Everything of `wanted`: all members are said.
    pub(crate) fn whole(wanted: Wanted) -> Self {
        let Wanted { version, isolation, settings, mounts, listeners } = wanted;
        Self {
            version: Some(version),
            isolation: Some(isolation),
            settings: Some(settings),
            mounts: Some(mounts),
            listeners: Some(listeners),
        }
    }

    fn applied_to(self, wanted: Wanted) -> Wanted {
        let Self { version, isolation, settings, mounts, listeners } = self;
        Wanted {
            version: version.unwrap_or(wanted.version),
            isolation: isolation.unwrap_or(wanted.isolation),
            settings: settings.unwrap_or(wanted.settings),
            mounts: mounts.unwrap_or(wanted.mounts),
            listeners: listeners.unwrap_or(wanted.listeners),
        }
    }
}

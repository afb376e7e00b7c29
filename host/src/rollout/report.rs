//! What is known of an element: the truth that its task tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use packer::bundle::ElementName;
use semver::Version;

use super::{Failure, Wanted};
use crate::plugin::identity::GenerationId;

/// How an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Its task has not begun.
    Pending,
    /// What is wanted is on its way.
    Updating,
    /// What is wanted serves.
    Active,
    /// What is wanted does not serve; the failure says why, and what serves instead.
    Error,
    /// It is on its way out.
    Deleting,
    /// It is gone.
    Gone,
}

/// What serves.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    /// Which version.
    pub(crate) version: Version,
    /// Which generation.
    pub(crate) generation: GenerationId,
}

/// How long a stage of the last rollout took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StageTime {
    /// Its name.
    pub(crate) name: &'static str,
    /// How long it took.
    pub(crate) duration: Duration,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Which element.
    pub(crate) name: ElementName,
    /// The change of the wanted state that this is about.
    pub(crate) revision: u64,
    /// How it stands.
    pub(crate) status: Status,
    /// What is wanted.
    pub(crate) wanted: Option<Wanted>,
    /// What serves.
    pub(crate) serving: Option<Serving>,
    /// Why what is wanted does not serve.
    pub(crate) failure: Option<Failure>,
    /// The last rollout, stage by stage.
    pub(crate) stages: Vec<StageTime>,
    /// The addresses of its listeners.
    pub(crate) listeners: BTreeMap<String, SocketAddr>,
    /// How often it was started again after a fault.
    pub(crate) n_restarts: u64,
}

impl Report {
    /// Nothing is known yet.
    pub(crate) fn new(name: ElementName) -> Self {
        Self {
            name,
            revision: 0,
            status: Status::Pending,
            wanted: None,
            serving: None,
            failure: None,
            stages: Vec::new(),
            listeners: BTreeMap::new(),
            n_restarts: 0,
        }
    }

    /// Whether the change `revision`, or a later one, has come to its end.
    pub(crate) fn is_settled(&self, revision: u64) -> bool {
        let is_over = match self.status {
            Status::Active | Status::Error | Status::Gone => true,
            Status::Pending | Status::Updating | Status::Deleting => false,
        };
        is_over && self.revision >= revision
    }

    /// Whether there is no such element any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == Status::Gone
    }
}

//! What is known of an element: the truth that its task tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use packer::bundle::ElementName;
use semver::Version;

use super::conditions::{Condition, Standing, carry_over};
use super::failure::{Failure, Stage};
use super::wanted::Record;
use crate::migration::Rollback;
use crate::operation::OperationId;
use crate::plugin::identity::GenerationId;
use crate::timestamp::Timestamp;

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

/// Whether what served before can come back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WayBack {
    /// It can.
    #[error("there is a way back")]
    Open,
    /// Nothing served before.
    #[error("nothing served before")]
    NoPrevious,
    /// A step of the schema was applied that the old code does not suit.
    #[error("migration {name} of {version} is applied, which the code before it does not suit")]
    ContractApplied {
        /// Which step.
        name: String,
        /// The version that brought it.
        version: Version,
    },
    /// The ledger cannot be read.
    #[error("the ledger of migrations cannot be read: {0}")]
    Unknown(String),
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
    /// How it stands.
    pub(crate) status: Status,
    /// What is wanted, and what to return to.
    pub(crate) record: Option<Record>,
    /// What serves.
    pub(crate) serving: Option<Serving>,
    /// Whether what serves is all that is wanted.
    pub(crate) serves_wanted: bool,
    /// How far the last rollout came.
    pub(crate) reached: Stage,
    /// Why what is wanted does not serve.
    pub(crate) failure: Option<Failure>,
    /// What can be said of it, kept by [`Report::settle_conditions`].
    pub(crate) conditions: Vec<Condition>,
    /// Whether the version before can come back.
    pub(crate) way_back: WayBack,
    /// The last operation.
    pub(crate) operation: Option<OperationId>,
    /// The last rollout, stage by stage.
    pub(crate) stages: Vec<StageTime>,
    /// The addresses of its listeners.
    pub(crate) listeners: BTreeMap<String, SocketAddr>,
    /// How often it was started again after a fault.
    pub(crate) n_restarts: u64,
}

impl WayBack {
    /// Why there is none, in one word.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Open => None,
            Self::NoPrevious => Some("NoPreviousVersion"),
            Self::ContractApplied { .. } => Some("ContractApplied"),
            Self::Unknown(_) => Some("LedgerUnreadable"),
        }
    }
}

impl From<Rollback> for WayBack {
    fn from(rollback: Rollback) -> Self {
        match rollback {
            Rollback::Available => Self::Open,
            Rollback::ContractApplied { name, version, id: _ } => {
                Self::ContractApplied { name, version }
            }
        }
    }
}

impl Report {
    /// Nothing is known yet.
    pub(crate) fn new(name: ElementName) -> Self {
        Self {
            name,
            status: Status::Pending,
            record: None,
            serving: None,
            serves_wanted: false,
            reached: Stage::Resolve,
            failure: None,
            conditions: Vec::new(),
            way_back: WayBack::NoPrevious,
            operation: None,
            stages: Vec::new(),
            listeners: BTreeMap::new(),
            n_restarts: 0,
        }
    }

    /// Makes the conditions say what the rest says.
    pub(super) fn settle_conditions(&mut self) {
        let Self { status, serving, serves_wanted, reached, failure, .. } = self;
        let standing = Standing {
            status: *status,
            serving: serving.as_ref(),
            serves_wanted: *serves_wanted,
            reached: *reached,
            failure: failure.as_ref(),
        };
        let after = standing.conditions(Timestamp::now());
        self.conditions = carry_over(&self.conditions, after);
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_settled(&self) -> bool {
        match self.status {
            Status::Active | Status::Error | Status::Gone => true,
            Status::Pending | Status::Updating | Status::Deleting => false,
        }
    }

    /// Whether there is no such element any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == Status::Gone
    }
}

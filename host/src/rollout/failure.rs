//! Why a rollout did not come to its end.
//!
//! Each failure knows the [`Stage`] it belongs to; whether what was done is undone follows from that alone.

use packer::bundle::{ElementName, UnpackError};
use semver::Version;

use super::settings::Violation;
use super::wanted;
use crate::log;
use crate::migration;
use crate::operation::{self, Canceled, FieldFailure};
use crate::plugin::probe::ProbeError;
use crate::plugin::start::StartError;
use crate::plugin::table::Clash;

/// The stages of a rollout, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// A version is found.
    Resolve,
    /// Its bundle is what it should be.
    Verify,
    /// Its plugin can run here, with these settings and grants.
    Probe,
    /// The schema is ready for it.
    Migrate,
    /// A generation of it runs.
    Start,
    /// It answers through the published table. From here on nothing is undone: clients may have written.
    Serve,
}

impl Stage {
    /// As it is called in operations.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Resolve => "fetch",
            Self::Verify => "verify",
            Self::Probe => "probe",
            Self::Migrate => "migrate",
            Self::Start => "start",
            Self::Serve => "check",
        }
    }
}

/// See the module.
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
    #[error("{what} was granted and the plugin does not declare it; it declares {declared}")]
    Grant { what: String, declared: String },
    #[error("the settings do not fit the plugin: {}", told(.0))]
    Settings(Vec<Violation>),
    #[error(transparent)]
    Migrate(#[from] migration::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("listener `{name}` cannot be opened at `{address}`: {reason}")]
    Listen { name: String, address: String, reason: String },
    #[error(transparent)]
    Publish(#[from] Clash),
    #[error(
        "after the switch its health route did not answer well: {reason}; the switch was undone"
    )]
    Check { reason: String },
    #[error("the row of what is wanted could not be removed; try again")]
    Record(#[source] wanted::Error),
    #[error(transparent)]
    Canceled(#[from] Canceled),
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

fn told(violations: &[Violation]) -> String {
    let told: Vec<_> =
        violations.iter().map(|it| format!("`{}`: {}", it.pointer, it.message)).collect();
    told.join("; ")
}

/// What of a [`StageError`] the API needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// There is no such version.
    VersionNotFound,
    /// The settings do not fit.
    Settings,
    /// The schema cannot be brought to where the version needs it.
    Migration,
    /// The process can load no more.
    Full,
    /// Somebody called it off.
    Canceled,
    /// Anything else.
    Other,
}

/// A failed rollout, for whoever wants to know.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Where it failed.
    pub(crate) stage: Stage,
    /// Which kind.
    pub(crate) kind: FailureKind,
    /// What happened, to what, and what to do.
    pub(crate) reason: String,
    /// What of the settings does not fit.
    pub(crate) violations: Vec<Violation>,
}

impl StageError {
    fn stage(&self) -> Stage {
        match self {
            Self::Fetch { .. } | Self::Canceled(_) => Stage::Resolve,
            Self::Verify(_) | Self::Identify { .. } => Stage::Verify,
            Self::Probe(_) | Self::Grant { .. } | Self::Settings(_) => Stage::Probe,
            Self::Migrate(_) => Stage::Migrate,
            Self::Start(_) | Self::Listen { .. } | Self::Publish(_) => Stage::Start,
            Self::Check { .. } | Self::KeepsFailing { .. } | Self::Record(_) => Stage::Serve,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Fetch { .. } => FailureKind::VersionNotFound,
            Self::Settings(_) => FailureKind::Settings,
            Self::Migrate(_) => FailureKind::Migration,
            Self::Canceled(_) => FailureKind::Canceled,
            Self::Start(StartError::GenerationsFull { .. } | StartError::RetainedFull { .. }) => {
                FailureKind::Full
            }
            Self::Start(
                StartError::Quarantined { .. }
                | StartError::System { .. }
                | StartError::Failed { .. }
                | StartError::Deadline { .. },
            )
            | Self::Verify(_)
            | Self::Identify { .. }
            | Self::Probe(_)
            | Self::Grant { .. }
            | Self::Listen { .. }
            | Self::Publish(_)
            | Self::Check { .. }
            | Self::Record(_)
            | Self::KeepsFailing { .. } => FailureKind::Other,
        }
    }
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        let (stage, kind) = (error.stage(), error.kind());
        let reason = log::chain(&error).to_string();
        let violations =
            if let StageError::Settings(violations) = error { violations } else { Vec::new() };
        Self { stage, kind, reason, violations }
    }
}

impl Failure {
    /// The code of the problem that tells of it.
    pub(crate) fn code(&self) -> &'static str {
        match self.kind {
            FailureKind::VersionNotFound => "VERSION_NOT_FOUND",
            FailureKind::Settings => "SETTINGS_INVALID",
            FailureKind::Migration => "MIGRATION_FAILED",
            FailureKind::Full => "GENERATIONS_FULL",
            FailureKind::Canceled => "OPERATION_CANCELED",
            FailureKind::Other => "ROLLOUT_FAILED",
        }
    }

    /// It as its operation tells it, with what keeps serving.
    pub(super) fn told(&self, keeps: &str) -> operation::Failure {
        let field = |it: &Violation| FieldFailure {
            pointer: format!("/settings{}", it.pointer),
            code: self.code().to_owned(),
            message: it.message.clone(),
        };
        operation::Failure {
            errors: self.violations.iter().map(field).collect(),
            ..operation::Failure::new(self.code(), format!("{}. {keeps}", self.reason))
        }
    }

    /// The reason of a condition.
    pub(crate) fn reason_word(&self) -> &'static str {
        match (self.kind, self.stage) {
            (FailureKind::VersionNotFound, _) => "VersionNotFound",
            (FailureKind::Settings, _) => "SettingsInvalid",
            (FailureKind::Migration, _) => "MigrationFailed",
            (FailureKind::Full, _) => "GenerationsFull",
            (FailureKind::Canceled, _) => "Canceled",
            (FailureKind::Other, Stage::Resolve) => "ResolveFailed",
            (FailureKind::Other, Stage::Verify) => "VerifyFailed",
            (FailureKind::Other, Stage::Probe) => "ProbeFailed",
            (FailureKind::Other, Stage::Migrate) => "MigrateFailed",
            (FailureKind::Other, Stage::Start) => "StartFailed",
            (FailureKind::Other, Stage::Serve) => "CheckFailed",
        }
    }
}

//! An element's conditions: what can be said of it, each as true, false or unknown, with a reason.
//!
//! One pure function makes them from how the element stands, so that no two of them can contradict each other.
//! `Resolved`, `Verified`, `Compatible`, `Migrated`, `Loaded` and `Serving` are about the wanted version, in the
//! order of its rollout; `Installed` and `Healthy` sum up.

use super::failure::{Failure, Stage};
use super::report::{Serving, Status};
use crate::timestamp::Timestamp;

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// It does.
    True,
    /// It does not; the reason says why.
    False,
    /// Nobody has looked yet.
    Unknown,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it holds.
    pub(crate) holds: Holds,
    /// Why, in one word.
    pub(crate) reason: &'static str,
    /// Why, in a sentence; empty where there is nothing to say.
    pub(crate) message: String,
    /// When `holds` changed last.
    pub(crate) since: Timestamp,
}

/// What conditions are made from.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    /// How the element stands.
    pub(crate) status: Status,
    /// What serves.
    pub(crate) serving: Option<&'a Serving>,
    /// Whether what serves is what is wanted.
    pub(crate) serves_wanted: bool,
    /// How far the rollout under way has come: everything before it is done.
    pub(crate) reached: Stage,
    /// Why what is wanted does not serve.
    pub(crate) failure: Option<&'a Failure>,
}

/// The stages that are conditions of their own, in order, with their names.
const STAGES: [(Stage, &str); 6] = [
    (Stage::Resolve, "Resolved"),
    (Stage::Verify, "Verified"),
    (Stage::Probe, "Compatible"),
    (Stage::Migrate, "Migrated"),
    (Stage::Start, "Loaded"),
    (Stage::Serve, "Serving"),
];

impl Standing<'_> {
    /// The conditions, each holding since now.
    pub(crate) fn conditions(&self, now: Timestamp) -> Vec<Condition> {
        let stages = STAGES.into_iter().map(|(stage, name)| (name, self.of_stage(stage)));
        let summary = [("Installed", self.installed()), ("Healthy", self.healthy())];
        let all = stages.chain(summary);
        let condition = |(name, (holds, reason, message))| Condition {
            name,
            holds,
            reason,
            message,
            since: now,
        };
        all.map(condition).collect()
    }

    fn of_stage(&self, stage: Stage) -> (Holds, &'static str, String) {
        if self.serves_wanted && self.failure.is_none() {
            return (Holds::True, "Done", String::new());
        }
        match self.failure {
            Some(failure) if failure.stage == stage => {
                (Holds::False, failure.reason_word(), failure.reason.clone())
            }
            Some(failure) if failure.stage > stage => (Holds::True, "Done", String::new()),
            None if self.reached > stage => (Holds::True, "Done", String::new()),
            None if self.status == Status::Deleting => {
                (Holds::False, "Uninstalling", String::new())
            }
            None if self.reached == stage => (Holds::Unknown, "InProgress", String::new()),
            Some(_) | None => (Holds::Unknown, "NotReached", String::new()),
        }
    }

    fn installed(&self) -> (Holds, &'static str, String) {
        match (self.failure, self.serves_wanted) {
            (Some(failure), _) => (Holds::False, failure.reason_word(), failure.reason.clone()),
            (None, true) => (Holds::True, "WantedVersionServes", String::new()),
            (None, false) => (Holds::Unknown, "InProgress", String::new()),
        }
    }

    fn healthy(&self) -> (Holds, &'static str, String) {
        match self.serving {
            Some(serving) if self.serves_wanted => {
                (Holds::True, "Serving", format!("{} serves", serving.version))
            }
            Some(serving) => {
                (Holds::True, "EarlierVersionServes", format!("{} serves", serving.version))
            }
            None => (Holds::False, "NothingServes", String::new()),
        }
    }
}

/// The new conditions, where those that have not changed keep their time.
pub(crate) fn carry_over(before: &[Condition], mut after: Vec<Condition>) -> Vec<Condition> {
    for condition in &mut after {
        let same =
            before.iter().find(|it| it.name == condition.name && it.holds == condition.holds);
        if let Some(same) = same {
            condition.since = same.since;
        }
    }
    after
}

impl Holds {
    /// As the API says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

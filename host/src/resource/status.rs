//! The status of a resource: one pure function of what is known of it.
//!
//! Invariants: nobody else makes a status; the same facts make the same one; `ERROR` comes with the reason in
//! the `Ready` condition. A resource that nobody reconciles is as it is wanted the moment it is written.

use std::fmt;
use std::str::FromStr;

use plugin_abi::descriptor::Hook;
use plugin_abi::resource::{Condition, ConditionStatus};
use serde::{Deserialize, Serialize};

use super::condition::{self, KeptCondition, READY, RECONCILING, STALLED};
use super::row::Row;
use crate::model::ResourceModel;
use crate::timestamp::Timestamp;

/// Where a resource stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    /// Written down, and nothing was done about it yet.
    Pending,
    /// On its way for the first time.
    Creating,
    /// As it is wanted.
    Active,
    /// What is to be done does not work.
    Error,
    /// It works, and is on its way to something else.
    Updating,
    /// It is being taken down.
    Deleting,
    /// Somebody stopped it.
    Suspended,
    /// It works, and something of it does not.
    Degraded,
}

/// What the status follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Whether a plugin brings it about.
    pub(crate) is_reconciled: bool,
    /// Whether it is to be taken down.
    pub(crate) is_deleting: bool,
    /// Counts what was wanted.
    pub(crate) generation: i64,
    /// The newest generation that was brought about; 0: none.
    pub(crate) observed_generation: i64,
    /// What is known.
    pub(crate) conditions: &'a [KeptCondition],
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The word.
    pub(crate) status: Status,
    /// The same in a sentence.
    pub(crate) message: String,
    /// Whether it can be used as it is wanted, and why not.
    pub(crate) ready: Condition,
}

impl Status {
    /// Every one.
    pub(crate) const ALL: [Self; 8] = [
        Self::Pending,
        Self::Creating,
        Self::Active,
        Self::Error,
        Self::Updating,
        Self::Deleting,
        Self::Suspended,
        Self::Degraded,
    ];

    /// As documents say it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Error => "ERROR",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Suspended => "SUSPENDED",
            Self::Degraded => "DEGRADED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// It is none of the words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no status")]
pub(crate) struct NoStatus(String);

impl FromStr for Status {
    type Err = NoStatus;

    fn from_str(text: &str) -> Result<Self, NoStatus> {
        let found = Self::ALL.into_iter().find(|status| status.word() == text);
        found.ok_or_else(|| NoStatus(text.to_owned()))
    }
}

/// The one function.
pub(crate) fn judge(facts: Facts<'_>) -> Verdict {
    let Facts { is_reconciled, is_deleting, generation, observed_generation, conditions } = facts;
    let stalled = condition::find(conditions, STALLED)
        .filter(|condition| condition.status == ConditionStatus::True);
    let doing = condition::find(conditions, RECONCILING);
    let waiting = || doing.map_or("", |condition| condition.message.as_str());
    if is_deleting {
        let why = stalled.map_or_else(waiting, |stalled| &stalled.message);
        return verdict(Status::Deleting, ConditionStatus::False, "Deleting", why);
    }
    if !is_reconciled {
        return verdict(Status::Active, ConditionStatus::True, "Settled", "");
    }
    if let Some(KeptCondition { reason, message, .. }) = stalled {
        return verdict(Status::Error, ConditionStatus::False, reason, message);
    }
    let is_first = observed_generation == 0;
    if is_first && doing.is_none() {
        return verdict(Status::Pending, ConditionStatus::False, "Pending", "waiting to begin");
    }
    if is_first {
        return verdict(Status::Creating, ConditionStatus::False, "Creating", waiting());
    }
    if observed_generation < generation {
        return verdict(Status::Updating, ConditionStatus::False, "Updating", waiting());
    }
    match condition::first_bad(conditions) {
        None => verdict(Status::Active, ConditionStatus::True, "Settled", ""),
        Some(KeptCondition { reason, message, .. }) => {
            verdict(Status::Degraded, ConditionStatus::False, reason, message)
        }
    }
}

fn verdict(status: Status, ready: ConditionStatus, reason: &str, message: &str) -> Verdict {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    let ready = Condition { r#type: READY.to_owned(), status: ready, reason, message };
    Verdict { status, message: ready.message.clone(), ready }
}

/// Judges a row anew, and notes that among its conditions.
pub(crate) fn settle(model: &ResourceModel, row: &mut Row, now: Timestamp) {
    let facts = Facts {
        is_reconciled: model.has(Hook::Reconcile),
        is_deleting: row.deleting_at.is_some(),
        generation: row.generation,
        observed_generation: row.observed_generation,
        conditions: &row.conditions,
    };
    let Verdict { status, message, ready } = judge(facts);
    condition::say(&mut row.conditions, ready, row.observed_generation, now);
    (row.status, row.status_message) = (status, message);
}

/// Whether it may be used although its status is not ACTIVE.
pub(crate) fn is_usable(status: Status, observed_generation: i64) -> bool {
    match status {
        Status::Active | Status::Degraded | Status::Updating => true,
        Status::Error => observed_generation > 0,
        Status::Pending | Status::Creating | Status::Deleting | Status::Suspended => false,
    }
}

/// Whether what failed is tried again without anybody asking.
pub(crate) fn is_retried(conditions: &[KeptCondition]) -> bool {
    condition::is_true(conditions, RECONCILING)
}

#[cfg(test)]
mod tests {
    use ConditionStatus::{False, True, Unknown};

    use super::*;
    use crate::resource::condition::tests::condition;

    /// A condition: type, status, reason.
    type Said<'a> = (&'a str, ConditionStatus, &'a str);

    /// Generation and observed generation, and what was said, to what follows.
    fn judged(generations: (i64, i64), said: &[Said<'_>]) -> (Status, String) {
        let mut conditions = Vec::new();
        for (r#type, status, reason) in said {
            let said = condition(r#type, *status, reason);
            condition::say(&mut conditions, said, 1, Timestamp::now());
        }
        let facts = Facts {
            is_reconciled: true,
            is_deleting: false,
            generation: generations.0,
            observed_generation: generations.1,
            conditions: &conditions,
        };
        let verdict = judge(facts);
        assert_eq!(judge(Facts { is_deleting: true, ..facts }).status, Status::Deleting);
        assert_eq!(judge(Facts { is_reconciled: false, ..facts }).status, Status::Active);
        let is_ready = verdict.ready.status == True;
        assert_eq!(is_ready, verdict.status == Status::Active, "{verdict:?}");
        (verdict.status, verdict.ready.reason)
    }

    #[test]
    fn every_status_follows_from_its_facts() {
        let doing = (RECONCILING, True, "Waiting");
        let check = |generations, said: &[Said<'_>], status, reason: &str| {
            assert_eq!(judged(generations, said), (status, reason.to_owned()), "{said:?}");
        };
        check((1, 0), &[], Status::Pending, "Pending");
        check((1, 0), &[doing], Status::Creating, "Creating");
        check((2, 0), &[doing, ("Provisioned", True, "x")], Status::Creating, "Creating");
        check((1, 0), &[doing, (STALLED, True, "NoNode")], Status::Error, "NoNode");
        check((1, 0), &[doing, (STALLED, False, "Fine")], Status::Creating, "Creating");
        check((1, 1), &[(RECONCILING, False, "Settled")], Status::Active, "Settled");
        check((1, 1), &[("Provisioned", True, "x")], Status::Active, "Settled");
        check((1, 1), &[("Provisioned", Unknown, "x")], Status::Active, "Settled");
        check((1, 1), &[("Provisioned", False, "NodeLost")], Status::Degraded, "NodeLost");
        check((1, 1), &[("Drifted", True, "Edited")], Status::Degraded, "Edited");
        check((2, 1), &[doing, ("Provisioned", False, "x")], Status::Updating, "Updating");
        check((2, 1), &[(STALLED, True, "Full")], Status::Error, "Full");
    }

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in &Status::ALL {
            assert_eq!(status.word().parse(), Ok(*status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.word());
        }
        assert_eq!("active".parse::<Status>().unwrap_err().to_string(), "`active` is no status");
    }
}

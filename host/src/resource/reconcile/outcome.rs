//! What an answer of `reconcile` makes of a row. Pure.
//!
//! Invariants: a plugin says fields of its own and nothing that clients say; what it said of one generation is never
//! taken for another; an answer that breaks the contract is a failure of that pass and changes no field.

use std::time::Duration;

use plugin_abi::resource::{Condition, ConditionStatus, Outcome, ReconcileAnswer};
use serde_json::{Map, Value};

use crate::model::ResourceModel;
use crate::resource::condition::{self, RECONCILING, STALLED};
use crate::resource::row::Row;
use crate::resource::said;
use crate::timestamp::Timestamp;

/// The reason of a failure that is the plugin's own: what it said makes no sense.
const NONSENSE: &str = "PluginNonsense";

/// The reason of what is on its way for too long.
const TOO_LONG: &str = "ProvisionTimeout";

/// What comes after a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// It is as it is wanted; look again after this long, or when it is changed.
    Settled {
        /// None: by the host's own period.
        again_after: Option<Duration>,
    },
    /// It is on its way.
    Again {
        /// After this long.
        after: Duration,
        /// How far, 0 to 100.
        percent: Option<u8>,
        /// What it waits for.
        message: String,
    },
    /// It did not work, and may yet.
    Failed {
        /// In one word.
        reason: String,
        /// In a sentence.
        message: String,
        /// Whether to try again.
        retry: Retry,
    },
    /// It was to be taken down and is gone.
    Gone,
}

/// Whether what failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Yes, with back-off.
    BackOff,
    /// When it is changed, or somebody says so.
    WhenChanged,
}

/// Why a pass came to nothing, when the plugin did not say so itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// In one word.
    pub(super) reason: &'static str,
    /// In a sentence.
    pub(super) message: String,
}

/// Takes `answer`, which is about `generation` of the resource, into `row`, and says what comes next; `seal` makes
/// fields what they are kept as.
pub(super) fn take(
    model: &ResourceModel,
    row: &mut Row,
    generation: i64,
    answer: ReconcileAnswer,
    seal: impl FnOnce(&mut Map<String, Value>),
    now: Timestamp,
) -> Next {
    let ReconcileAnswer { outcome, mut fields, conditions } = answer;
    if let Err(message) = said::check(model, &fields) {
        return fail(row, now, NONSENSE, message, Retry::BackOff);
    }
    let said = condition::say_plugins(&mut row.conditions, conditions, generation, now);
    if let Err(error) = said {
        return fail(row, now, NONSENSE, error.to_string(), Retry::BackOff);
    }
    seal(&mut fields);
    row.fields.extend(fields);
    match outcome {
        Outcome::Settled { .. } if row.deleting_at.is_some() => Next::Gone,
        Outcome::Settled { again_after_ms } => {
            row.observed_generation = row.observed_generation.max(generation);
            let is_newest = row.generation == generation;
            doing(row, now, if is_newest { None } else { Some("a newer change waits") });
            stalled(row, now, None);
            Next::Settled { again_after: again_after_ms.map(Duration::from_millis) }
        }
        Outcome::Progressing { message, percent, again_after_ms } => {
            doing(row, now, Some(&message));
            stalled(row, now, None);
            let after = Duration::from_millis(again_after_ms);
            Next::Again { after, percent: percent.map(|percent| percent.min(100)), message }
        }
        Outcome::Failed { reason, message, retryable } => {
            let retry = if retryable { Retry::BackOff } else { Retry::WhenChanged };
            fail(row, now, &reason, message, retry)
        }
    }
}

/// Notes that a pass came to nothing.
pub(super) fn take_trouble(row: &mut Row, trouble: Trouble, now: Timestamp) -> Next {
    fail(row, now, trouble.reason, trouble.message, Retry::BackOff)
}

/// Notes that it takes too long: from now on the status is ERROR, although `next` is tried.
pub(super) fn stall(row: &mut Row, next: &Next, now: Timestamp) {
    match next {
        Next::Failed { reason, message, .. } => stalled(row, now, Some((reason, message))),
        Next::Again { message, .. } => {
            let message = format!("it takes too long: {message}");
            stalled(row, now, Some((TOO_LONG, &message)));
        }
        Next::Settled { .. } | Next::Gone => {}
    }
}

fn fail(row: &mut Row, now: Timestamp, reason: &str, message: String, retry: Retry) -> Next {
    match retry {
        Retry::BackOff => doing(row, now, Some(&message)),
        Retry::WhenChanged => {
            doing(row, now, None);
            stalled(row, now, Some((reason, &message)));
        }
    }
    Next::Failed { reason: reason.to_owned(), message, retry }
}

/// Whether something is still to be done, and what.
fn doing(row: &mut Row, now: Timestamp, what: Option<&str>) {
    let (status, reason) = match what {
        Some(_) => (ConditionStatus::True, "Working"),
        None => (ConditionStatus::False, "Waiting"),
    };
    say(row, RECONCILING, status, reason, what.unwrap_or_default(), now);
}

fn stalled(row: &mut Row, now: Timestamp, why: Option<(&str, &str)>) {
    match why {
        Some((reason, message)) => say(row, STALLED, ConditionStatus::True, reason, message, now),
        None if condition::find(&row.conditions, STALLED).is_some() => {
            say(row, STALLED, ConditionStatus::False, "Working", "", now);
        }
        None => {}
    }
}

fn say(
    row: &mut Row,
    r#type: &str,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    let (r#type, reason, message) = (r#type.to_owned(), reason.to_owned(), message.to_owned());
    let said = Condition { r#type, status, reason, message };
    condition::say(&mut row.conditions, said, row.generation, now);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::testing::resource;
    use crate::resource::condition::{find, is_true};
    use crate::resource::testing;

    fn fresh() -> Row {
        testing::row(&resource("instances"))
    }

    fn settled() -> ReconcileAnswer {
        let outcome = Outcome::Settled { again_after_ms: Some(5) };
        ReconcileAnswer { outcome, fields: Map::new(), conditions: Vec::new() }
    }

    fn taken(row: &mut Row, generation: i64, answer: ReconcileAnswer) -> Next {
        take(
            &resource("instances"),
            row,
            generation,
            answer,
            |_nothing_secret| {},
            Timestamp::now(),
        )
    }

    #[test]
    fn what_was_said_of_an_older_generation_is_not_taken_for_the_newest() {
        let mut row = fresh();
        row.generation = 3;
        let again_after = Some(Duration::from_millis(5));
        assert_eq!(taken(&mut row, 2, settled()), Next::Settled { again_after });
        assert_eq!(row.observed_generation, 2);
        assert!(is_true(&row.conditions, RECONCILING), "a newer change waits");
        taken(&mut row, 3, settled());
        assert_eq!(row.observed_generation, 3);
        assert!(!is_true(&row.conditions, RECONCILING));
        taken(&mut row, 2, settled());
        assert_eq!(row.observed_generation, 3, "it never goes back");
    }

    #[test]
    fn a_plugin_says_its_own_fields_and_no_others() {
        let fresh = fresh();
        for (fields, told) in [
            (
                json!({"nonsense": 1}),
                "the plugin says a field `nonsense`, which it did not declare",
            ),
            (json!({"size": 9}), "the plugin says field `size`, which is its users' to say"),
            (json!({"address": 7}), "the plugin says a field `address` that its schema refuses: "),
        ] {
            let mut row = fresh.clone();
            let fields = fields.as_object().cloned().unwrap();
            let next = taken(&mut row, 1, ReconcileAnswer { fields, ..settled() });
            let Next::Failed { reason, message, retry: Retry::BackOff } = next else {
                panic!("{next:?}");
            };
            assert!(message.starts_with(told), "{message}");
            assert_eq!((reason.as_str(), &row.fields), (NONSENSE, &fresh.fields));
            assert_eq!(row.observed_generation, fresh.observed_generation);
        }
        let mut row = fresh;
        let fields = json!({"address": "10.0.0.1"}).as_object().cloned().unwrap();
        taken(&mut row, 1, ReconcileAnswer { fields, ..settled() });
        assert_eq!(row.fields["address"], "10.0.0.1");
    }

    #[test]
    fn what_is_taken_down_is_gone_when_it_settles() {
        let mut row = fresh();
        row.deleting_at = Some(Timestamp::now());
        assert_eq!(taken(&mut row, 1, settled()), Next::Gone);
    }

    #[test]
    fn a_failure_that_may_pass_is_not_an_error_yet_and_one_that_cannot_is() {
        let failed = |retryable| {
            let (reason, message) = ("NoDisk".to_owned(), "the disk is full".to_owned());
            let outcome = Outcome::Failed { reason, message, retryable };
            ReconcileAnswer { outcome, ..settled() }
        };
        let mut row = fresh();
        taken(&mut row, 1, failed(true));
        assert!(is_true(&row.conditions, RECONCILING) && find(&row.conditions, STALLED).is_none());
        taken(&mut row, 1, failed(false));
        let stalled = find(&row.conditions, STALLED).unwrap();
        assert_eq!((&*stalled.reason, &*stalled.message), ("NoDisk", "the disk is full"));
        assert!(!is_true(&row.conditions, RECONCILING));
        taken(&mut row, 1, settled());
        assert!(!is_true(&row.conditions, STALLED));
    }
}

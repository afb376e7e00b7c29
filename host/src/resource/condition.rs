//! What is true, false or unknown of a resource, and since when.
//!
//! Guarantees: there is one condition of each type; `last_transition_at` moves when the status changes and at no
//! other time. Plugins say conditions of their own; those of [`HOSTS_OWN`] are said by the host alone.

use plugin_abi::resource::{Condition, ConditionStatus};
use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// Whether the resource can be used as it is wanted.
pub(crate) const READY: &str = "Ready";
/// Whether something is still to be done about it.
pub(crate) const RECONCILING: &str = "Reconciling";
/// Whether what is to be done does not work.
pub(crate) const STALLED: &str = "Stalled";
/// Whether somebody could do it. Computed when it is read, and never kept.
pub(crate) const PLUGIN_AVAILABLE: &str = "PluginAvailable";
/// The one of a plugin's own that is bad when it is true.
const DRIFTED: &str = "Drifted";

/// The types that only the host says.
pub(crate) const HOSTS_OWN: [&str; 4] = [READY, RECONCILING, STALLED, PLUGIN_AVAILABLE];

/// The most conditions that a plugin may say of one resource.
const CONDITIONS_MAX: usize = 32;

/// A condition, as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptCondition {
    /// Its type.
    pub(crate) r#type: String,
    /// Whether it is so.
    pub(crate) status: ConditionStatus,
    /// Why, in one word.
    pub(crate) reason: String,
    /// Why, in a sentence.
    pub(crate) message: String,
    /// Since when `status` is what it is.
    pub(crate) last_transition_at: Timestamp,
    /// The generation that it was said of.
    pub(crate) observed_generation: i64,
}

/// What a plugin may not say.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConditionError {
    /// The host says it.
    #[error(
        "condition `{0}` is the host's own; say what it follows from, by the outcome or by one of another type"
    )]
    HostsOwn(String),
    /// It is no name.
    #[error("condition type {0:?} is not 1 to 63 letters and digits that begin with a capital")]
    Name(String),
    /// There are too many.
    #[error("{0} conditions are more than the {CONDITIONS_MAX} that one resource may have")]
    TooMany(usize),
}

/// Notes `said` of generation `generation`, at `now`.
pub(crate) fn say(kept: &mut Vec<KeptCondition>, said: Condition, generation: i64, now: Timestamp) {
    let Condition { r#type, status, reason, message } = said;
    let before = kept.iter_mut().find(|condition| condition.r#type == r#type);
    let last_transition_at = match &before {
        Some(before) if before.status == status => before.last_transition_at,
        Some(_) | None => now,
    };
    let condition = KeptCondition {
        r#type,
        status,
        reason,
        message,
        last_transition_at,
        observed_generation: generation,
    };
    match before {
        Some(before) => *before = condition,
        None => kept.push(condition),
    }
}

/// Notes what a plugin said of its own; what it does not say any more is forgotten.
///
/// # Errors
/// It said what it may not; then nothing is noted.
pub(crate) fn say_plugins(
    kept: &mut Vec<KeptCondition>,
    said: Vec<Condition>,
    generation: i64,
    now: Timestamp,
) -> Result<(), ConditionError> {
    check_all(&said)?;
    kept.retain(|condition| {
        is_hosts_own(&condition.r#type) || said.iter().any(|it| it.r#type == condition.r#type)
    });
    add_plugins(kept, said, generation, now)
}

/// Notes what a plugin said of its own beside what it said before.
///
/// # Errors
/// It said what it may not, or there would be too many; then nothing is noted.
pub(crate) fn add_plugins(
    kept: &mut Vec<KeptCondition>,
    said: Vec<Condition>,
    generation: i64,
    now: Timestamp,
) -> Result<(), ConditionError> {
    check_all(&said)?;
    let others = kept.iter().filter(|kept| !is_hosts_own(&kept.r#type));
    let others = others.filter(|kept| said.iter().all(|said| said.r#type != kept.r#type));
    let n = others.count() + said.len();
    if n > CONDITIONS_MAX {
        return Err(ConditionError::TooMany(n));
    }
    for condition in said {
        say(kept, condition, generation, now);
    }
    Ok(())
}

fn check_all(said: &[Condition]) -> Result<(), ConditionError> {
    if said.len() > CONDITIONS_MAX {
        return Err(ConditionError::TooMany(said.len()));
    }
    said.iter().try_for_each(|condition| check(&condition.r#type))
}

fn check(r#type: &str) -> Result<(), ConditionError> {
    if is_hosts_own(r#type) {
        return Err(ConditionError::HostsOwn(r#type.to_owned()));
    }
    let is_name = r#type.len() <= 63
        && r#type.starts_with(|first: char| first.is_ascii_uppercase())
        && r#type.chars().all(|letter| letter.is_ascii_alphanumeric());
    if is_name { Ok(()) } else { Err(ConditionError::Name(r#type.to_owned())) }
}

fn is_hosts_own(r#type: &str) -> bool {
    HOSTS_OWN.contains(&r#type)
}

/// The condition of this type.
pub(crate) fn find<'k>(kept: &'k [KeptCondition], r#type: &str) -> Option<&'k KeptCondition> {
    kept.iter().find(|condition| condition.r#type == r#type)
}

/// Whether the condition of this type is there and true.
pub(crate) fn is_true(kept: &[KeptCondition], r#type: &str) -> bool {
    find(kept, r#type).is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// The first of a plugin's own that says something is wrong.
pub(super) fn first_bad(kept: &[KeptCondition]) -> Option<&KeptCondition> {
    let own = kept.iter().filter(|condition| !is_hosts_own(&condition.r#type));
    own.into_iter().find(|condition| {
        let bad = match condition.r#type.as_str() {
            DRIFTED => ConditionStatus::True,
            _any_other => ConditionStatus::False,
        };
        condition.status == bad
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use ConditionStatus::{False, True};

    use super::*;

    pub(crate) fn condition(r#type: &str, status: ConditionStatus, reason: &str) -> Condition {
        let (r#type, reason) = (r#type.to_owned(), reason.to_owned());
        Condition { r#type, status, reason, message: String::new() }
    }

    fn at(second: u8) -> Timestamp {
        format!("2026-01-01T00:00:{second:02}.000Z").try_into().unwrap()
    }

    #[test]
    fn a_transition_is_a_change_of_status_and_nothing_else() {
        let mut kept = Vec::new();
        let mut since = |status, reason: &str, second| {
            say(&mut kept, condition("Provisioned", status, reason), 1, at(second));
            assert_eq!(kept.len(), 1);
            (kept[0].last_transition_at, kept[0].reason.clone())
        };
        assert_eq!(since(False, "NoNode", 1), (at(1), "NoNode".to_owned()));
        assert_eq!(since(False, "NoImage", 2), (at(1), "NoImage".to_owned()));
        assert_eq!(since(True, "Up", 3), (at(3), "Up".to_owned()));
    }

    #[test]
    fn what_a_plugin_does_not_say_any_more_is_forgotten_and_the_hosts_own_stay() {
        let mut kept = Vec::new();
        say(&mut kept, condition(READY, True, "Settled"), 1, at(1));
        let both = vec![condition("A", True, "x"), condition("B", True, "x")];
        say_plugins(&mut kept, both, 1, at(1)).unwrap();
        say_plugins(&mut kept, vec![condition("B", False, "y")], 2, at(2)).unwrap();
        let types: Vec<_> = kept.iter().map(|it| (&*it.r#type, it.observed_generation)).collect();
        assert_eq!(types, [("Ready", 1), ("B", 2)]);
    }

    #[test]
    fn what_a_plugin_may_not_say_changes_nothing() {
        let mut kept = Vec::new();
        for bad in ["Ready", "PluginAvailable", "", "lower", "With Space", "Ünder"] {
            let said = vec![condition("Fine", True, "x"), condition(bad, True, "x")];
            assert!(say_plugins(&mut kept, said, 1, at(1)).is_err(), "{bad}");
            assert!(kept.is_empty(), "{bad}");
        }
    }
}

//! What host and plugin say to one another about a declared resource: the documents of its hooks.
//!
//! A hook is a request whose path is the hook's name, JSON in and out ([`crate::request::HOOK_ROUTE`]):
//!
//! | name | asked | answered |
//! |---|---|---|
//! | `<slug>/<collection>/validate` | [`ValidateQuestion`] | [`ValidateAnswer`] |
//! | `<slug>/<collection>/plan` | [`ValidateQuestion`] | [`PlanAnswer`] |
//! | `<slug>/<collection>/reconcile` | [`ReconcileQuestion`] | [`ReconcileAnswer`] |
//! | `<slug>/<collection>/actions/<verb>` | [`ActionQuestion`] | [`ActionAnswer`] |
//!
//! [`hook_name`] and [`action_hook_name`] write these names. Hooks run outside of any transaction, may be
//! repeated and must not mind it. What has no value is null or absent; both mean the same. Fields of the
//! kind `secret` are references (`{"$secret": "…"}`), which the secrets service opens ([`crate::secret`]); a
//! plugin says a secret as text, and a reference that it gives back says nothing new. Not here: how a plugin
//! declares resources ([`crate::descriptor`]), what it may ask about them by itself ([`access`]).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::descriptor::Hook;

pub mod access;
pub mod columns;

/// The collections that no resource may be declared as: what the host has at the same place in paths.
/// `instances` may be declared, directly under the type.
pub const RESERVED_COLLECTIONS: [&str; 10] = [
    "access",
    "actions",
    "bindings",
    "conditions",
    "events",
    "logs",
    "metrics",
    "nodes",
    "operations",
    "versions",
];

/// The verbs that no action may be declared as: what can be done to every resource.
pub const RESERVED_VERBS: [&str; 10] =
    ["read", "list", "create", "update", "delete", "watch", "retry", "undelete", "cancel", "wait"];

/// The conditions that the host alone sets.
pub const RESERVED_CONDITIONS: [&str; 4] = ["Ready", "Reconciling", "Stalled", "PluginAvailable"];

/// What the host calls a hook of a collection by.
#[must_use]
pub fn hook_name(slug: &str, collection: &str, hook: Hook) -> String {
    let hook = match hook {
        Hook::Validate => "validate",
        Hook::Plan => "plan",
        Hook::Reconcile => "reconcile",
    };
    format!("{slug}/{collection}/{hook}")
}

/// What the host calls an action by.
#[must_use]
pub fn action_hook_name(slug: &str, collection: &str, verb: &str) -> String {
    format!("{slug}/{collection}/actions/{verb}")
}

/// A resource, as a plugin sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceDocument {
    /// Its id; nil in the validation of a create.
    pub id: String,
    /// The tenant project it belongs to.
    pub project_id: String,
    /// Its name.
    pub name: String,
    /// What it hangs under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<ResourceDocument>>,
    /// What it is for, in its maker's words.
    #[serde(default)]
    pub description: String,
    /// What it is selected by.
    #[serde(default)]
    pub labels: Map<String, Value>,
    /// Notes of its users.
    #[serde(default)]
    pub annotations: Map<String, Value>,
    /// Counts what was wanted.
    pub generation: i64,
    /// The generation that the plugin has seen to.
    pub observed_generation: i64,
    /// Whether it is to be taken down.
    #[serde(default)]
    pub deleting: bool,
    /// The declared fields.
    pub fields: Map<String, Value>,
    /// What is known of it.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Something that is true, false or unknown of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `Provisioned`, `ConfigApplied`, …
    pub r#type: String,
    /// Whether it is so.
    pub status: ConditionStatus,
    /// Why, in one word: `NodeProvisioning`.
    pub reason: String,
    /// Why, in a sentence.
    #[serde(default)]
    pub message: String,
}

impl Condition {
    /// That it is so: why, in one word and in a sentence.
    #[must_use]
    pub fn yes(
        r#type: impl Into<String>,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (reason, message) = (reason.into(), message.into());
        Self { r#type: r#type.into(), status: ConditionStatus::True, reason, message }
    }

    /// That it is not so: why, in one word and in a sentence.
    #[must_use]
    pub fn no(
        r#type: impl Into<String>,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { status: ConditionStatus::False, ..Self::yes(r#type, reason, message) }
    }

    /// That nobody knows: why, in one word and in a sentence.
    #[must_use]
    pub fn unknown(
        r#type: impl Into<String>,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { status: ConditionStatus::Unknown, ..Self::yes(r#type, reason, message) }
    }
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody knows.
    Unknown,
}

/// Whether this may be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidateQuestion {
    /// What there is; none: it is to be created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<ResourceDocument>,
    /// What shall be.
    pub new: ResourceDocument,
}

/// What is wrong with it; nothing: it may be written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ValidateAnswer {
    /// One for each fault.
    #[serde(default)]
    pub errors: Vec<FieldFault>,
    /// Fields that the plugin says at this moment (of the policies `ro`, `shown_once` and `hidden`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFault {
    /// The field, as a JSON pointer; empty: the resource as a whole.
    pub pointer: String,
    /// An UPPER_SNAKE code.
    pub code: String,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// What a write would come to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanAnswer {
    /// In order.
    #[serde(default)]
    pub plan: Vec<PlannedStep>,
}

/// One thing that would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// `create`, `update`, `restart`, …
    pub action: String,
    /// To what.
    pub target: String,
    /// What it means, in a sentence.
    #[serde(default)]
    pub description: String,
}

impl PlannedStep {
    /// What is done, to what, and what that means.
    #[must_use]
    pub fn new(
        action: impl Into<String>,
        target: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self { action: action.into(), target: target.into(), description: description.into() }
    }
}

/// Make it so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReconcileQuestion {
    /// What is wanted, and what is known.
    pub resource: ResourceDocument,
    /// What hangs under it, by collection, those that are to be taken down included.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub children: Map<String, Value>,
    /// How often in a row it failed before.
    #[serde(default)]
    pub attempt: u32,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReconcileAnswer {
    /// Whether what is there is what is wanted; of one that is taken down: whether it is gone.
    pub outcome: Outcome,
    /// Fields that the plugin says (of the policies `ro`, `shown_once` and `hidden`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// The plugin's own conditions: never one of [`RESERVED_CONDITIONS`]. Those not named stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How a reconciliation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// It is so. Looked at again after this long, or when it is changed.
    Settled {
        /// None: only by the host's own period.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again_after_ms: Option<u64>,
    },
    /// It is on its way: what it waits for, in a sentence.
    Progressing {
        /// For people: `waiting for the server to answer`.
        message: String,
        /// How far, 0 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
        /// When to ask again.
        again_after_ms: u64,
    },
    /// It did not work; tried again with back-off.
    Failed {
        /// In one word.
        reason: String,
        /// In a sentence.
        message: String,
        /// Whether trying again may help; if not, it waits for a change or for `actions/retry`.
        retryable: bool,
    },
}

/// Do this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionQuestion {
    /// To this.
    pub resource: ResourceDocument,
    /// What was sent with it; null when nothing was.
    #[serde(default)]
    pub input: Value,
}

/// What it came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionAnswer {
    /// For the caller.
    #[serde(default)]
    pub output: Value,
    /// Fields that the plugin says (of the policies `ro`, `shown_once` and `hidden`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// The plugin's own conditions, as in [`ReconcileAnswer::conditions`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_told_apart_by_type_and_collection() {
        assert_eq!(hook_name("s3", "buckets", Hook::Reconcile), "s3/buckets/reconcile");
        assert_eq!(action_hook_name("s3", "buckets", "empty"), "s3/buckets/actions/empty");
    }
}

//! What a change says: which members become what.
//!
//! Three ways to say it come to one: a merge patch (RFC 7396), steps (RFC 6902), and the whole document. Pure.
//! Guarantees: what a patch makes of a document is bounded, however often it copies. Not here: whether a member may
//! be changed, and whether its value fits.

use std::collections::BTreeMap;

use json_patch::PatchOperation;
use serde_json::{Map, Value};

use super::input::DEPTH_MAX;
use super::mask::Mask;

/// So many steps are taken.
const STEPS_MAX: usize = 100;
/// What steps make of a document has so many values and characters at most.
const SIZE_MAX: usize = 1024 * 1024;

/// What a client wants to be otherwise.
#[derive(Debug, Clone)]
pub(crate) enum Patch {
    /// These members, and of objects their members; null takes one away.
    Merge {
        /// What is said.
        members: Map<String, Value>,
        /// Only these, if they are named.
        mask: Option<Mask>,
    },
    /// Step by step.
    Steps(Vec<PatchOperation>),
    /// These members, and no others.
    Whole(Map<String, Value>),
}

/// What becomes of one member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Becomes {
    /// This.
    Value(Value),
    /// Nothing: it is as if it had never been said.
    Nothing,
}

/// What becomes of the members that a change says something about, by name.
pub(crate) type Said = BTreeMap<String, Becomes>;

/// Why a patch comes to nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatchError {
    /// It is no list of steps.
    #[error("the steps cannot be read: {0}")]
    Malformed(String),
    /// There are more steps than are taken.
    #[error("the patch has {n} steps; {STEPS_MAX} are taken")]
    TooMany {
        /// How many.
        n: usize,
    },
    /// What it makes is too large.
    #[error("step {step} makes the document larger or deeper than is taken")]
    TooLarge {
        /// The position of the step.
        step: usize,
    },
    /// What a step is about is not there, or is not what it tests for.
    #[error("step {step} does not fit the resource as it is: {reason}")]
    Unfit {
        /// The position of the step.
        step: usize,
        /// What is in its way.
        reason: String,
    },
    /// The document is to be something else than an object.
    #[error("the patch leaves no object")]
    NoObject,
}

impl Patch {
    /// Steps, as a client sends them.
    ///
    /// # Errors
    /// They are none, or too many.
    pub(crate) fn steps(document: Value) -> Result<Self, PatchError> {
        let steps: Vec<PatchOperation> = serde_json::from_value(document)
            .map_err(|error| PatchError::Malformed(error.to_string()))?;
        if steps.len() > STEPS_MAX {
            return Err(PatchError::TooMany { n: steps.len() });
        }
        Ok(Self::Steps(steps))
    }

    /// Takes the member out that says which state the change is for.
    pub(crate) fn take_etag(&mut self) -> Option<Value> {
        match self {
            Self::Merge { members, .. } | Self::Whole(members) => members.remove("etag"),
            Self::Steps(_) => None,
        }
    }

    /// What it makes of `document`.
    ///
    /// # Errors
    /// It does not fit.
    pub(crate) fn apply(self, document: &Map<String, Value>) -> Result<Said, PatchError> {
        match self {
            Self::Merge { members, mask } => {
                let members = match mask {
                    Some(mask) => mask.select(members),
                    None => members,
                };
                Ok(merge_members(document, members))
            }
            Self::Steps(steps) => take_steps(document, &steps),
            Self::Whole(members) => {
                let values = members.into_iter();
                Ok(values.map(|(name, value)| (name, Becomes::Value(value))).collect())
            }
        }
    }
}

fn merge_members(document: &Map<String, Value>, members: Map<String, Value>) -> Said {
    let merged = members.into_iter().map(|(name, patch)| {
        let becomes = match patch {
            Value::Null => Becomes::Nothing,
            patch @ (Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_)) => {
                let mut value = document.get(&name).cloned().unwrap_or_default();
                merge(&mut value, patch);
                Becomes::Value(value)
            }
        };
        (name, becomes)
    });
    merged.collect()
}

/// RFC 7396. Both are of limited depth, because they were read so.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(members) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(merged) = target else { return };
    for (name, patch) in members {
        if patch.is_null() {
            merged.remove(&name);
        } else {
            merge(merged.entry(name).or_insert(Value::Null), patch);
        }
    }
}

fn take_steps(document: &Map<String, Value>, steps: &[PatchOperation]) -> Result<Said, PatchError> {
    let mut changed = Value::Object(document.clone());
    for (position, step) in steps.iter().enumerate() {
        let taken = json_patch::patch_unsafe(&mut changed, std::slice::from_ref(step));
        taken.map_err(|error| PatchError::Unfit {
            step: position,
            reason: error.kind.to_string(),
        })?;
        // A copy may double the document, and every addition may nest it deeper.
        if size(&changed, DEPTH_MAX).is_none_or(|size| size > SIZE_MAX) {
            return Err(PatchError::TooLarge { step: position });
        }
    }
    let Value::Object(changed) = changed else { return Err(PatchError::NoObject) };
    let gone = document.keys().filter(|name| !changed.contains_key(*name));
    let mut said: Said = gone.map(|name| (name.clone(), Becomes::Nothing)).collect();
    let others = changed.into_iter().filter(|(name, value)| document.get(name) != Some(value));
    said.extend(others.map(|(name, value)| (name, Becomes::Value(value))));
    Ok(said)
}

/// Values and characters; nothing, if it is nested deeper than that.
fn size(value: &Value, depth: usize) -> Option<usize> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(1),
        Value::String(text) => Some(1 + text.len()),
        Value::Array(elements) => {
            let depth = depth.checked_sub(1)?;
            elements.iter().try_fold(1, |sum, element| Some(sum + size(element, depth)?))
        }
        Value::Object(members) => {
            let depth = depth.checked_sub(1)?;
            members
                .iter()
                .try_fold(1, |sum, (name, member)| Some(sum + name.len() + size(member, depth)?))
        }
    }
}

#[cfg(test)]
mod tests;

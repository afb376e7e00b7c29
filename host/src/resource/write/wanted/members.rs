//! The members that every resource has and clients say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::objection::step;
use crate::model::Fault;

const DESCRIPTION_CHARS_MAX: usize = 4096;
const LABELS_MAX: usize = 64;
const LABEL_CHARS_MAX: usize = 128;
const ANNOTATIONS_BYTES_MAX: usize = 64 * 1024;

type Taken<T> = Result<T, Vec<Fault>>;

fn fault<T>(message: impl Into<String>) -> Taken<T> {
    Err(vec![Fault { pointer: String::new(), message: message.into() }])
}

/// Null is an empty one.
pub(super) fn description(value: Value) -> Taken<String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.chars().count() <= DESCRIPTION_CHARS_MAX => Ok(text),
        Value::String(_) => fault(format!("it has {DESCRIPTION_CHARS_MAX} characters at most")),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            fault("it is a text")
        }
    }
}

/// Null is false.
pub(super) fn flag(value: &Value) -> Taken<bool> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            fault("it is true or false")
        }
    }
}

/// Null is none.
pub(super) fn labels(value: Value) -> Taken<BTreeMap<String, String>> {
    let labels = texts(value)?;
    if labels.len() > LABELS_MAX {
        return fault(format!("there are {LABELS_MAX} labels at most"));
    }
    let faults: Vec<_> = labels
        .iter()
        .filter(|(_, value)| !is_label_value(value))
        .map(|(key, _)| Fault {
            pointer: format!("/{}", step(key)),
            message: format!(
                "the value of a label is up to {LABEL_CHARS_MAX} of a-z, A-Z, 0-9 and _ . - /"
            ),
        })
        .collect();
    if faults.is_empty() { Ok(labels) } else { Err(faults) }
}

/// Null is none.
pub(super) fn annotations(value: Value) -> Taken<BTreeMap<String, String>> {
    let notes = texts(value)?;
    let n_bytes: usize = notes.iter().map(|(key, note)| key.len() + note.len()).sum();
    if n_bytes > ANNOTATIONS_BYTES_MAX {
        return fault(format!("annotations have {ANNOTATIONS_BYTES_MAX} bytes at most, all told"));
    }
    Ok(notes)
}

/// Texts by keys.
fn texts(value: Value) -> Taken<BTreeMap<String, String>> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(members) => texts_of(members),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            fault("it is an object of texts")
        }
    }
}

fn texts_of(members: Map<String, Value>) -> Taken<BTreeMap<String, String>> {
    let (mut texts, mut faults) = (BTreeMap::new(), Vec::new());
    for (key, value) in members {
        let mut fault = |message: &str| {
            let pointer = format!("/{}", step(&key));
            faults.push(Fault { pointer, message: message.to_owned() });
        };
        if !is_key(&key) {
            fault(
                "a key is 1 to 128 of a-z, A-Z, 0-9 and _ . - /, with a letter or digit at either end",
            );
        } else if let Value::String(text) = value {
            texts.insert(key, text);
        } else {
            fault("it is a text");
        }
    }
    if faults.is_empty() { Ok(texts) } else { Err(faults) }
}

fn is_key(key: &str) -> bool {
    let at_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = key.as_bytes();
    is_label_value(key) && at_end(bytes.first()) && at_end(bytes.last())
}

fn is_label_value(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    text.len() <= LABEL_CHARS_MAX && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_empty() {
        assert_eq!(description(Value::Null).unwrap(), "");
        assert_eq!(labels(Value::Null).unwrap(), BTreeMap::new());
        assert!(!flag(&Value::Null).unwrap());
    }

    #[test]
    fn labels_are_short_and_plain() {
        let taken = labels(json!({"env": "dev", "example.com/team": "a-b", "empty": ""})).unwrap();
        assert_eq!(taken.len(), 3);
        let refused = labels(json!({"": "x", "a b": "x", "-a": "x", "n": 1, "a/b": "x"}));
        let pointers: Vec<_> =
            refused.unwrap_err().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/", "/-a", "/a b", "/n"]);
        let refused = labels(json!({"a/b": "x y"})).unwrap_err();
        assert_eq!(refused[0].pointer, "/a~1b");
        let many: Map<_, _> = (0..65).map(|n| (format!("l{n}"), json!(""))).collect();
        assert_eq!(labels(many.into()).unwrap_err()[0].message, "there are 64 labels at most");
        assert!(labels(json!([])).is_err());
    }

    #[test]
    fn notes_are_any_text_up_to_a_size() {
        assert!(annotations(json!({"note": "any text, ümläuts\n too"})).is_ok());
        let half = "x".repeat(ANNOTATIONS_BYTES_MAX / 2);
        assert!(annotations(json!({"a": half, "b": half})).is_err());
        assert!(description(json!("x".repeat(DESCRIPTION_CHARS_MAX + 1))).is_err());
        assert!(description(json!(1)).is_err() && flag(&json!("true")).is_err());
    }
}

//! What a client sent, read as JSON that both databases can keep.
//!
//! Guarantees: no member is there twice, since what counts then is a guess; no text has a NUL character; nothing
//! is nested deeper than [`DEPTH_MAX`]. All that is wrong is told at once, each with its place. Not here: which
//! members there are.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::objection::step;
use crate::model::Fault;

/// How deep arrays and objects are nested at most.
pub(super) const DEPTH_MAX: usize = 32;

/// So many things are told.
const FAULTS_MAX: usize = 32;

/// Why a document cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is no JSON.
    #[error("the document is no JSON")]
    Syntax(#[from] serde_json::Error),
    /// It is JSON, and cannot be kept as it is.
    #[error("the document holds what cannot be kept")]
    Unkeepable(Vec<Fault>),
    /// It is something else than an object.
    #[error("the document is no object")]
    NoObject,
}

/// Reads a document.
///
/// # Errors
/// It is no JSON, or holds what cannot be kept.
pub(crate) fn read(text: &[u8]) -> Result<Value, Unreadable> {
    let mut found = Found::default();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Reader { found: &mut found, depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if found.faults.is_empty() { Ok(value) } else { Err(Unreadable::Unkeepable(found.faults)) }
}

/// Reads a document that must be an object.
///
/// # Errors
/// As [`read`], or it is something else.
pub(crate) fn read_object(text: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match read(text)? {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Unreadable::NoObject)
        }
    }
}

/// Where the reader is, and what it found wrong.
#[derive(Default)]
struct Found {
    pointer: String,
    faults: Vec<Fault>,
}

impl Found {
    fn fault(&mut self, message: &str) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { pointer: self.pointer.clone(), message: message.to_owned() });
        }
    }

    fn check_text(&mut self, text: &str) {
        if text.contains('\0') {
            self.fault("the text has a NUL character");
        }
    }

    /// Goes down by one step; returns the way back.
    fn descend(&mut self, name: &str) -> usize {
        let len = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&step(name));
        len
    }
}

struct Reader<'f> {
    found: &'f mut Found,
    depth: usize,
}

impl Reader<'_> {
    fn is_too_deep(&mut self) -> bool {
        let is_too_deep = self.depth >= DEPTH_MAX;
        if is_too_deep {
            self.found.fault(&format!("arrays and objects are nested {DEPTH_MAX} deep at most"));
        }
        is_too_deep
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        self.found.check_text(text);
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        self.found.check_text(&text);
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Value, A::Error> {
        if self.is_too_deep() {
            while sequence.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut elements = Vec::new();
        loop {
            let back = self.found.descend(&elements.len().to_string());
            let reader = Reader { found: self.found, depth: self.depth + 1 };
            let element = sequence.next_element_seed(reader)?;
            self.found.pointer.truncate(back);
            match element {
                Some(element) => elements.push(element),
                None => return Ok(Value::Array(elements)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        if self.is_too_deep() {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let back = self.found.descend(&name);
            if name.contains('\0') {
                self.found.fault("the name of the member has a NUL character");
            }
            if members.contains_key(&name) {
                self.found.fault("the member is there twice");
            }
            let reader = Reader { found: self.found, depth: self.depth + 1 };
            let value = map.next_value_seed(reader)?;
            self.found.pointer.truncate(back);
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(text: &str, wanted: &Expect) {
        let said = match read(text.as_bytes()) {
            Ok(value) => value.to_string(),
            Err(Unreadable::Unkeepable(faults)) => {
                let told =
                    faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.message));
                told.collect::<Vec<_>>().join("; ")
            }
            Err(other) => crate::log::chain(&other).to_string(),
        };
        wanted.assert_eq(&said);
    }

    #[test]
    fn what_is_read_is_what_was_sent() {
        let text = r#"{"a": [1, -2, 0.5, 18446744073709551615, true, null], "b": {"c": "é\n"}}"#;
        let wanted: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text.as_bytes()).unwrap(), wanted);
        assert_eq!(read_object(b"{}").unwrap(), Map::new());
        assert!(matches!(read_object(b"[]"), Err(Unreadable::NoObject)));
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        check(
            "",
            &expect![
                "the document is no JSON; caused by: EOF while parsing a value at line 1 column 0"
            ],
        );
        check(
            "{\"a\": 1e400}",
            &expect!["the document is no JSON; caused by: number out of range at line 1 column 11"],
        );
        check(
            "{} {}",
            &expect!["the document is no JSON; caused by: trailing characters at line 1 column 4"],
        );
        check(
            r#"{"a": "\ud800"}"#,
            &expect![
                "the document is no JSON; caused by: unexpected end of hex escape at line 1 column 14"
            ],
        );
        assert!(matches!(read(b"{\"a\": \"\xff\"}"), Err(Unreadable::Syntax(_))));
    }

    #[test]
    fn all_that_cannot_be_kept_is_told_at_once() {
        check(
            r#"{"a": 1, "b": [{"x/y": "\u0000"}], "a": 2, "z\u0000": "~"}"#,
            &expect![
                "/b/0/x~1y: the text has a NUL character; /a: the member is there twice; /z\0: the name of the member has a NUL character"
            ],
        );
    }

    #[test]
    fn depth_has_a_limit_and_costs_no_stack() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(nested(DEPTH_MAX).as_bytes()).is_ok());
        for n in [DEPTH_MAX + 1, 200_000] {
            let refused = read(nested(n).as_bytes());
            let Err(Unreadable::Unkeepable(faults)) = refused else { panic!("{n}: {refused:?}") };
            assert_eq!(faults.len(), 1);
            assert_eq!(faults[0].pointer, "/0".repeat(DEPTH_MAX));
        }
    }

    #[test]
    fn not_everything_is_told() {
        let all: Vec<_> = (0..100).map(|_| json!("\0")).collect();
        let Err(Unreadable::Unkeepable(faults)) = read(json!(all).to_string().as_bytes()) else {
            panic!("it was taken")
        };
        assert_eq!(faults.len(), FAULTS_MAX);
    }
}

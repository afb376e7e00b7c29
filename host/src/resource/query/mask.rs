//! `fields`: which members of a document are shown.
//!
//! `fields=id,labels.env,nodes.ip` names members and parts of them; a part of an array is that of each of its
//! elements. Guarantees: a name that no document of the collection has is refused; what is left has the order of
//! the document. Not here: how a document is made.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cursor::Cursor;
use super::error::Fault;
use super::member::{Kind, Members};

/// The members that are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldMask(Shown);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    Whole,
    Parts(BTreeMap<String, Shown>),
}

impl FieldMask {
    /// What `text` says.
    pub(super) fn parse(members: &Members, text: &str) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(text)?;
        let mut shown = Shown::Parts(BTreeMap::new());
        loop {
            cursor.skip_space();
            shown.add(&path(&mut cursor, members)?);
            cursor.skip_space();
            if !cursor.eat(",") {
                break;
            }
        }
        cursor.expect_end("a comma or the end")?;
        Ok(Self(shown))
    }

    /// Whether anything of the member `name` is shown.
    pub(crate) fn has(&self, name: &str) -> bool {
        match &self.0 {
            Shown::Whole => true,
            Shown::Parts(parts) => parts.contains_key(name),
        }
    }

    /// Whether it asks for parts of members.
    pub(crate) fn is_deep(&self) -> bool {
        match &self.0 {
            Shown::Whole => false,
            Shown::Parts(parts) => parts.values().any(|part| *part != Shown::Whole),
        }
    }

    /// Takes out of `document` what is not shown.
    pub(crate) fn apply(&self, document: &mut Value) {
        self.0.apply(document);
    }
}

impl Shown {
    fn add(&mut self, path: &[String]) {
        match (self, path) {
            (Self::Whole, _) => {}
            (shown @ Self::Parts(_), []) => *shown = Self::Whole,
            (Self::Parts(parts), [first, rest @ ..]) => {
                let part = parts.entry(first.clone());
                part.or_insert_with(|| Self::Parts(BTreeMap::new())).add(rest);
            }
        }
    }

    fn apply(&self, value: &mut Value) {
        let Self::Parts(parts) = self else { return };
        match value {
            Value::Object(members) => {
                members.retain(|name, _| parts.contains_key(name));
                for (name, value) in members.iter_mut() {
                    if let Some(part) = parts.get(name) {
                        part.apply(value);
                    }
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.apply(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn path(cursor: &mut Cursor<'_>, members: &Members) -> Result<Vec<String>, Fault> {
    let offset = cursor.offset();
    let name = cursor.word(|c| c.is_alphanumeric() || c == '_');
    if name.is_empty() {
        return Err(Fault::wanted(offset, "the name of a field"));
    }
    if !members.shown().any(|known| known == name) {
        return Err(Fault::unknown(offset, name, members.shown()));
    }
    let mut keys = Vec::new();
    while cursor.eat(".") {
        let offset = cursor.offset();
        let key = match cursor.quoted_text()? {
            Some(key) => key,
            None => cursor.word(|c| c.is_alphanumeric() || "_-/".contains(c)).to_owned(),
        };
        if key.is_empty() {
            return Err(Fault::wanted(offset, "a key; one with other signs stands in quotes"));
        }
        keys.push(key);
    }
    let is_map = members.find(name).is_some_and(|column| column.kind == Kind::Map);
    if is_map && !keys.is_empty() {
        keys = vec![keys.join(".")];
    }
    keys.insert(0, name.to_owned());
    Ok(keys)
}

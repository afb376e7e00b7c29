//! A document of the API as a table sees it: members that may be missing, `null`, or newer than this client.
//!
//! The client shows what the daemon says and decides nothing by it, so it asks for members by path and takes what
//! is there. What it does decide by has types of its own (see `cli/progress`).

use serde_json::Value;

use super::Cell;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'d>(&'d Value);

impl<'d> View<'d> {
    /// A view of a document.
    pub(crate) fn of(document: &'d Value) -> Self {
        Self(document)
    }

    /// What is at the JSON pointer `path`; `null` if nothing is.
    pub(crate) fn at(self, path: &str) -> Self {
        Self(self.0.pointer(path).unwrap_or(&Value::Null))
    }

    /// The items of the list at `path`.
    pub(crate) fn items(self, path: &str) -> impl Iterator<Item = Self> {
        self.at(path).0.as_array().into_iter().flatten().map(Self)
    }

    /// The members of the object at `path`.
    pub(crate) fn members(self, path: &str) -> impl Iterator<Item = (&'d str, Self)> {
        let members = self.at(path).0.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), Self(value)))
    }

    /// The words for what is at `path`; nothing for `null`, an empty text or an empty list.
    pub(crate) fn text(self, path: &str) -> Option<String> {
        let text = match self.at(path).0 {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Bool(false) => "no".to_owned(),
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| Self(item).text(""));
                items.collect::<Vec<_>>().join(", ")
            }
            Value::Object(members) if members.is_empty() => return None,
            other @ (Value::Number(_) | Value::Object(_)) => other.to_string(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// The same, as a cell; a dash where there is nothing to say.
    pub(crate) fn cell(self, path: &str) -> Cell {
        Cell::from(self.text(path).unwrap_or_default())
    }

    /// A word that says how something stands.
    pub(crate) fn standing(self, path: &str) -> Cell {
        Cell::standing(&self.text(path).unwrap_or_default())
    }

    /// Whether `true` is at `path`.
    pub(crate) fn is_true(self, path: &str) -> bool {
        self.at(path).0 == &Value::Bool(true)
    }
}

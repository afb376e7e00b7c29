//! Which members a change is about: `?update_mask=description,labels.env`.
//!
//! What is named and not said is taken away; what is said and not named is left as it is.

use serde_json::{Map, Value};

/// So many paths are read.
const PATHS_MAX: usize = 256;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask {
    paths: Vec<Vec<String>>,
}

/// Why a text names no members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MaskError {
    /// A name is missing.
    #[error("names with commas between, and dots between the parts of a name, as in a,b.c")]
    Malformed,
    /// There are more than are read.
    #[error("{PATHS_MAX} names at most")]
    TooMany,
}

impl Mask {
    /// Reads `a,b.c`.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn parse(text: &str) -> Result<Self, MaskError> {
        let mut paths = Vec::new();
        for path in text.split(',') {
            let path: Vec<_> = path.trim().split('.').map(str::to_owned).collect();
            if path.iter().any(String::is_empty) {
                return Err(MaskError::Malformed);
            }
            if paths.len() == PATHS_MAX {
                return Err(MaskError::TooMany);
            }
            paths.push(path);
        }
        Ok(Self { paths })
    }

    /// A merge patch that says of `members` what the mask names, and takes away what is named and not said.
    pub(super) fn select(&self, members: Map<String, Value>) -> Map<String, Value> {
        let members = Value::Object(members);
        let mut selected = Map::new();
        for path in &self.paths {
            let said = path.iter().try_fold(&members, |value, name| value.get(name));
            let said = said.cloned().unwrap_or(Value::Null);
            put(&mut selected, path, said);
        }
        selected
    }
}

/// Puts `value` at `path`, unless something above it was put there already.
fn put(members: &mut Map<String, Value>, path: &[String], value: Value) {
    let [name, below @ ..] = path else { return };
    if below.is_empty() {
        members.insert(name.clone(), value);
        return;
    }
    let entry = members.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(members) = entry {
        put(members, below, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(mask: &str, members: Value, wanted: &Value) {
        let Value::Object(members) = members else { panic!("an object") };
        assert_eq!(Value::Object(Mask::parse(mask).unwrap().select(members)), *wanted, "{mask}");
    }

    #[test]
    fn what_is_named_counts_and_nothing_else() {
        let said = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": 4});
        check("a,b.c", said.clone(), &json!({"a": 1, "b": {"c": 2}}));
        check("b", said.clone(), &json!({"b": {"c": 2, "d": 3}}));
        check("z,b.z.y", said.clone(), &json!({"z": null, "b": {"z": {"y": null}}}));
        check("b, b.c", said, &json!({"b": {"c": 2, "d": 3}}));
    }

    #[test]
    fn a_mask_that_names_nothing_is_refused() {
        for text in ["", ",", "a,", "a..b", ".a"] {
            assert_eq!(Mask::parse(text), Err(MaskError::Malformed), "{text}");
        }
        assert_eq!(Mask::parse(&vec!["a"; 257].join(",")), Err(MaskError::TooMany));
    }
}

//! Settings as they are written on the command line. Pure, but for the file.

use std::convert::Infallible;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::{fs, io};

use serde_json::{Map, Value};

use crate::cli::client::Error;

/// A setting, as in `region=eu`, `limits.count=3`, `names=["a"]`.
///
/// What reads as JSON is that, anything else is a text: `count=3` is a number, `count="3"` a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    key: Key,
    value: Value,
}

/// Where a setting is: `limits.count` is the member `count` of `limits`; `\.` is a dot in a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(Vec<String>);

/// A text that assigns nothing.
#[derive(Debug, thiserror::Error)]
#[error("write it as `key=value`")]
pub(crate) struct NoAssignment;

impl FromStr for Assignment {
    type Err = NoAssignment;

    fn from_str(text: &str) -> Result<Self, NoAssignment> {
        let (key, value) = text.split_once('=').ok_or(NoAssignment)?;
        if key.is_empty() {
            return Err(NoAssignment);
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_no_json| value.into());
        Ok(Self { key: Key::of(key), value })
    }
}

impl FromStr for Key {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::of(text))
    }
}

impl Key {
    fn of(text: &str) -> Self {
        let mut names = vec![String::new()];
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let last = names.last_mut().expect("there is always a name");
            match c {
                '\\' if chars.peek() == Some(&'.') => last.extend(chars.next()),
                '.' => names.push(String::new()),
                other => last.push(other),
            }
        }
        Self(names)
    }
}

/// `base` with these assignments made and these keys gone.
pub(super) fn changed(mut base: Value, set: &[Assignment], unset: &[Key]) -> Value {
    for Key(names) in unset {
        remove(&mut base, names);
    }
    for Assignment { key: Key(names), value } in set {
        insert(&mut base, names, value.clone());
    }
    base
}

fn insert(into: &mut Value, names: &[String], value: Value) {
    let Some((name, rest)) = names.split_first() else {
        *into = value;
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    insert(&mut into[name.as_str()], rest, value);
}

fn remove(from: &mut Value, names: &[String]) {
    let Some((last, path)) = names.split_last() else { return };
    let parent = path.iter().try_fold(from, |at, name| at.get_mut(name));
    if let Some(members) = parent.and_then(Value::as_object_mut) {
        members.remove(last);
    }
}

/// The settings in a file of JSON or YAML; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<Value, Error> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|source| Error::ReadFile { path: file.to_owned(), source })?;
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| {
        Error::Argument(format!("`{}` is neither JSON nor YAML: {error}", file.display()))
    })?;
    if !value.is_object() {
        let text = format!("`{}` holds no settings: write an object", file.display());
        return Err(Error::Argument(text));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(base: Value, set: &[&str], unset: &[&str], wanted: &Value) {
        let set: Vec<Assignment> = set.iter().map(|text| text.parse().unwrap()).collect();
        let unset: Vec<Key> = unset.iter().map(|text| Key::of(text)).collect();
        assert_eq!(&changed(base, &set, &unset), wanted);
    }

    #[test]
    fn what_reads_as_json_is_json_and_the_rest_is_text() {
        let wanted = json!({ "n": 3, "t": "3", "on": true, "gone": null, "word": "eu-1", "empty": "",
            "list": [1], "url": "http://x?a=b" });
        let set = [
            "n=3",
            "t=\"3\"",
            "on=true",
            "gone=null",
            "word=eu-1",
            "empty=",
            "list=[1]",
            "url=http://x?a=b",
        ];
        check(json!({}), &set, &[], &wanted);
    }

    #[test]
    fn keys_reach_into_objects() {
        let base = json!({ "a": { "b": 1, "c": 2 }, "x": "text", "d.e": 0 });
        let wanted = json!({ "a": { "c": 2, "n": { "m": 5 } }, "x": { "y": 1 }, "d.e": 7 });
        check(base, &["a.n.m=5", "x.y=1", r"d\.e=7"], &["a.b", "no.such", "a.no"], &wanted);
    }

    #[test]
    fn what_assigns_nothing_is_refused() {
        for text in ["word", "=3", ""] {
            assert!(text.parse::<Assignment>().is_err(), "{text}");
        }
    }

    #[test]
    fn files_are_json_or_yaml() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings");
        for text in ["{\"a\": {\"b\": [1, \"x\"]}}", "a:\n  b:\n    - 1\n    - x\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap(), json!({ "a": { "b": [1, "x"] } }));
        }
        for (text, wanted) in [("{", "is neither JSON nor YAML"), ("- 1", "holds no settings")] {
            fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}

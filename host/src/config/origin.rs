//! Every setting with its value, and where the value came from.
//!
//! Guarantees: the values are those that a run with the same sources has; secrets are shown as their own types
//! show themselves, which is as `***`. Not here: reading the sources.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::keys::{self, KnownKeys};
use super::{Config, Error, Layers, Sources};

/// A setting of one run.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Shown {
    /// Its name, as `section.key`.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: Value,
    /// Where the value came from.
    pub(crate) origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag, such as `--listen`.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// A line of the file; without a number the file was changed while it was read.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: Option<usize>,
    },
    /// What the command takes for granted.
    Preset,
    /// Nobody said anything.
    Default,
}

impl Shown {
    /// The settings of a run with these sources, in the order of the alphabet.
    ///
    /// # Errors
    /// When such a run would be refused.
    pub(crate) fn all(sources: Sources) -> Result<Vec<Self>, Error> {
        let layers = Layers::read(sources)?;
        let config = layers.settle()?;
        let document = serde_json::to_value(&config)
            .expect("settings are numbers, strings and structs of them");
        let shown = |key: &str| Self {
            key: key.to_owned(),
            value: find(&document, key),
            origin: layers.origin(key),
        };
        Ok(KnownKeys::of(&Config::default()).iter().map(shown).collect())
    }
}

fn find(document: &Value, key: &str) -> Value {
    let found = key.split('.').try_fold(document, |value, part| value.get(part));
    found.cloned().unwrap_or(Value::Null)
}

impl Layers {
    /// The strongest source that says anything about `key`.
    pub(super) fn origin(&self, key: &str) -> Origin {
        let Self { file, path, environment, flags, presets } = self;
        if let Some(flag) = flags.iter().rfind(|flag| flag.key == key) {
            return Origin::Flag(flag.name);
        }
        if environment.says(key) {
            return Origin::Variable(keys::variable(key));
        }
        if file.says(key) {
            let line = std::fs::read_to_string(path).ok().and_then(|text| line_of(&text, key));
            return Origin::File { path: path.to_owned(), line };
        }
        if presets.iter().any(|(preset, _)| *preset == key) {
            Origin::Preset
        } else {
            Origin::Default
        }
    }
}

/// The line of `key` in a TOML text, counted from 1.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
        if parts.peek().is_none() {
            return Some(text[..name.span().start].matches('\n').count() + 1);
        }
        let DeValue::Table(inner) = value.get_ref() else { return None };
        table = inner;
    }
    None
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Preset => f.write_str("default of this command"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

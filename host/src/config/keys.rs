//! Which keys a configuration may have.
//!
//! The known keys are those of the serialized defaults, so a new setting is known by being written down once.

use std::collections::BTreeSet;
use std::fmt;

use ::config::{Map, Source, Value, ValueKind};

use super::{Config, ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, Error};
use crate::nearest::nearest;

/// The full names of all settings, as `section.key`.
#[derive(Debug)]
pub(super) struct KnownKeys(BTreeSet<String>);

/// A key that no setting has.
#[derive(Debug, thiserror::Error)]
pub(crate) struct UnknownKey {
    key: String,
    origin: String,
    nearest: Option<String>,
}

/// What one source said, already checked.
#[derive(Debug, Clone)]
pub(super) struct Layer(Map<String, Value>);

impl Layer {
    /// Whether it says anything about the setting `key`. A source may nest its tables or write them with dots.
    pub(super) fn says(&self, key: &str) -> bool {
        fn says(table: &Map<String, Value>, key: &str) -> bool {
            table.iter().any(|(name, value)| match (key.strip_prefix(name.as_str()), &value.kind) {
                (Some(""), _) => true,
                (Some(rest), ValueKind::Table(inner)) => {
                    rest.strip_prefix('.').is_some_and(|rest| says(inner, rest))
                }
                (Some(_) | None, _) => false,
            })
        }
        says(&self.0, key)
    }
}

impl KnownKeys {
    pub(super) fn of(config: &Config) -> Self {
        let document = serde_json::to_value(config)
            .expect("settings are numbers, strings and structs of them");
        let mut keys = BTreeSet::new();
        add_leaves(&mut keys, "", &document);
        Self(keys)
    }

    /// Every one, in the order of the alphabet.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// What `source` says, if all of it is about settings that exist.
    pub(super) fn only(&self, source: &impl Source, origin: &str) -> Result<Layer, Error> {
        let layer =
            source.collect().map_err(|source| Error::Read { origin: origin.to_owned(), source })?;
        for (key, value) in &layer {
            self.check(key, value, origin)?;
        }
        Ok(Layer(layer))
    }

    fn check(&self, key: &str, value: &Value, origin: &str) -> Result<(), UnknownKey> {
        if self.0.contains(key) {
            return Ok(());
        }
        if let ValueKind::Table(table) = &value.kind {
            return table.iter().try_for_each(|(inner, value)| {
                self.check(&format!("{key}.{inner}"), value, origin)
            });
        }
        Err(UnknownKey {
            key: key.to_owned(),
            origin: origin.to_owned(),
            nearest: nearest(key, self.0.iter().map(String::as_str)).map(str::to_owned),
        })
    }
}

fn add_leaves(keys: &mut BTreeSet<String>, prefix: &str, value: &serde_json::Value) {
    match value.as_object() {
        // An empty map is a setting of its own: its entries are named by the operator.
        Some(object) if !object.is_empty() => {
            for (key, value) in object {
                let dot = if prefix.is_empty() { "" } else { "." };
                add_leaves(keys, &format!("{prefix}{dot}{key}"), value);
            }
        }
        Some(_) | None => {
            keys.insert(prefix.to_owned());
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ::config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, nearest } = self;
        write!(f, "unknown key `{key}` in {origin}: ")?;
        let Some(nearest) = nearest else {
            return f.write_str("remove it, no setting has a name like that");
        };
        let variable = variable(nearest);
        write!(f, "the nearest known key is `{nearest}` (`{variable}` in the environment)")
    }
}

/// The environment variable of a setting.
pub(super) fn variable(key: &str) -> String {
    let key = key.to_uppercase().replace('.', ENVIRONMENT_SEPARATOR);
    format!("{ENVIRONMENT_PREFIX}{ENVIRONMENT_SEPARATOR}{key}")
}

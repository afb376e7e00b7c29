//! The settings under `secret`: where the keys are that secrets are sealed with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

/// The settings of secrets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The file of keys, one a line, `ID BASE64`, the newest first; without it `secret.keys` in the data directory.
    pub(crate) key_file: Option<PathBuf>,
    /// The keys themselves, as in the file, for an environment that has no files. They win over the file.
    #[serde(serialize_with = "hidden")]
    pub(crate) keys: Option<Keys>,
}

/// Keys as text. They cannot be printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Keys(String);

impl Keys {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn hidden<S: Serializer>(keys: &Option<Keys>, serializer: S) -> Result<S::Ok, S::Error> {
    match keys {
        Some(_) => serializer.serialize_some("***"),
        None => serializer.serialize_none(),
    }
}

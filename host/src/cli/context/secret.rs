//! A token or a password in the hands of the client.
//!
//! Guarantees: `Debug` never shows it. What of a token may be shown is its id.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// A secret from its clear text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The clear text, for the request that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The part of a token that may be shown; nothing for what does not look like one.
    pub(crate) fn id(&self) -> Option<&str> {
        let (id, secret) = self.0.strip_prefix("metapaas_")?.split_once('_')?;
        (!id.is_empty() && !secret.is_empty()).then_some(id)
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "metapaas_{id}_***"),
            None => f.write_str("***"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

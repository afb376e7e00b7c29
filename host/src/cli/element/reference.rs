//! How an element and its version are written on the command line.

use std::convert::Infallible;
use std::str::FromStr;

/// An element, and maybe a version of it: `s3aas`, `s3aas@0.2.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Its name.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: Option<String>,
}

/// An element and a version of it: `s3aas@0.2.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// Its name.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
}

/// A text that names no version.
#[derive(Debug, thiserror::Error)]
#[error("write the version too, as in `{name}@0.2.0`")]
pub(crate) struct NoVersion {
    name: String,
}

impl FromStr for Reference {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once('@') {
            Some((name, version)) => {
                Self { name: name.to_owned(), version: Some(version.to_owned()) }
            }
            None => Self { name: text.to_owned(), version: None },
        })
    }
}

impl FromStr for Pinned {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        match text.split_once('@') {
            Some((name, version)) if !version.is_empty() => {
                Ok(Self { name: name.to_owned(), version: version.to_owned() })
            }
            Some((name, _)) => Err(NoVersion { name: name.to_owned() }),
            None => Err(NoVersion { name: text.to_owned() }),
        }
    }
}

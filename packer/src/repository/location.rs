//! Where a repository is: its metadata and its targets, near or far.

use std::fmt;

use super::layout::{METADATA, TARGETS};
use super::source::{Source, SourceError};

/// See the module.
#[derive(Debug, Clone)]
pub struct Location {
    pub(super) metadata: Source,
    pub(super) targets: Source,
    shown: String,
}

impl Location {
    /// The repository at a web address or in a folder.
    ///
    /// # Errors
    /// When the text is neither, or this machine cannot speak https.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let source = Source::parse(text)?;
        let (metadata, targets) = (source.join(METADATA), source.join(TARGETS));
        Ok(Self { metadata, targets, shown: text.to_owned() })
    }

    /// A repository whose metadata and targets are in places of their own.
    ///
    /// # Errors
    /// As for [`Location::parse`].
    pub fn apart(metadata: &str, targets: &str) -> Result<Self, SourceError> {
        let (metadata_at, targets) = (Source::parse(metadata)?, Source::parse(targets)?);
        Ok(Self { metadata: metadata_at, targets, shown: metadata.to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown)
    }
}

//! The head of a bundle, `bundle.json`: what the bundle says about itself.
//!
//! A [`BundleHead`] is well formed: names valid, at least one library, each target once, each path
//! where it belongs. It is not *true* until the rest of the file agreed with it; only a
//! [`Bundle`](super::Bundle) vouches for that. The descriptor's content is not looked at.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::place::Place;
use super::quote::quote;
use super::{Digest, ElementName, Measured, TargetTriple};

/// The format that this build writes and the only one it reads.
const SCHEMA_VERSION: u32 = 1;

/// What a bundle says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleHead {
    pub(super) element: ElementName,
    pub(super) version: Version,
    pub(super) libraries: BTreeMap<TargetTriple, Measured>,
    pub(super) descriptor: Digest,
}

/// The head of a bundle is not well formed.
#[derive(Debug, Error)]
pub enum HeadError {
    /// Not JSON, or not the fields of a head.
    #[error("`bundle.json` is not a bundle's head")]
    Json(#[source] serde_json::Error),
    /// Written by another version of the format.
    #[error("`bundle.json` has schema version {0}; this build reads {SCHEMA_VERSION}")]
    Schema(u32),
    /// Nothing to load.
    #[error("`bundle.json` names no library; wanted at least one")]
    NoLibrary,
    /// The same target twice.
    #[error("`bundle.json` names two libraries for `{0}`; wanted one")]
    TwoLibraries(TargetTriple),
    /// A library is said to be where libraries are not.
    #[error("`bundle.json` puts the library for `{target}` at `{seen}`; wanted `{wanted}`")]
    LibraryPath {
        /// The target of that library.
        target: TargetTriple,
        /// The path it names.
        seen: String,
        /// The path of that target's library.
        wanted: String,
    },
}

/// `bundle.json` as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema_version: u32,
    element: ElementName,
    version: Version,
    kind: Kind,
    libraries: Vec<LibraryDocument>,
    descriptor_sha256: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Plugin,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LibraryDocument {
    target: TargetTriple,
    path: String,
    sha256: Digest,
    bytes: u64,
}

/// The one field that every version of the format has.
#[derive(Deserialize)]
struct SchemaOnly {
    schema_version: u32,
}

impl BundleHead {
    /// The element this is a version of.
    #[must_use]
    pub fn element(&self) -> &ElementName {
        &self.element
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Size and digest of the library for `target`, if there is one.
    #[must_use]
    pub fn library(&self, target: &TargetTriple) -> Option<Measured> {
        self.libraries.get(target).copied()
    }

    /// The targets there is a library for, sorted.
    pub fn targets(&self) -> impl Iterator<Item = &TargetTriple> {
        self.libraries.keys()
    }

    /// The digest of the descriptor.
    #[must_use]
    pub fn descriptor_digest(&self) -> Digest {
        self.descriptor
    }

    /// The file name of the bundle with this head: `<element>-<version>.bundle`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.bundle", self.element, self.version)
    }

    /// Reads `bundle.json`.
    ///
    /// The schema version is looked at first: a newer head is then told as such and not as a list
    /// of unknown fields.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, HeadError> {
        let SchemaOnly { schema_version } =
            serde_json::from_slice(json).map_err(HeadError::Json)?;
        if schema_version != SCHEMA_VERSION {
            return Err(HeadError::Schema(schema_version));
        }
        let document: Document = serde_json::from_slice(json).map_err(HeadError::Json)?;
        let Document {
            schema_version: _,
            element,
            version,
            kind: Kind::Plugin,
            libraries,
            descriptor_sha256: descriptor,
        } = document;
        let libraries = by_target(libraries)?;
        Ok(Self { element, version, libraries, descriptor })
    }

    /// Writes `bundle.json`.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let library = |(target, measured): (&TargetTriple, &Measured)| LibraryDocument {
            target: target.clone(),
            path: Place::Library(target.clone()).to_string(),
            sha256: measured.digest,
            bytes: measured.bytes,
        };
        let document = Document {
            schema_version: SCHEMA_VERSION,
            element: self.element.clone(),
            version: self.version.clone(),
            kind: Kind::Plugin,
            libraries: self.libraries.iter().map(library).collect(),
            descriptor_sha256: self.descriptor,
        };
        let mut json = serde_json::to_vec_pretty(&document)
            .expect("the document holds strings and numbers only");
        json.push(b'\n');
        json
    }
}

fn by_target(
    libraries: Vec<LibraryDocument>,
) -> Result<BTreeMap<TargetTriple, Measured>, HeadError> {
    let mut by_target = BTreeMap::new();
    for LibraryDocument { target, path: seen, sha256: digest, bytes } in libraries {
        let wanted = Place::Library(target.clone()).to_string();
        if seen != wanted {
            return Err(HeadError::LibraryPath { target, seen: quote(&seen), wanted });
        }
        if by_target.insert(target.clone(), Measured { digest, bytes }).is_some() {
            return Err(HeadError::TwoLibraries(target));
        }
    }
    if by_target.is_empty() {
        return Err(HeadError::NoLibrary);
    }
    Ok(by_target)
}

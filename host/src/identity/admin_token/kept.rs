//! What the data directory keeps of who may call.
//!
//! Guarantees: what is read and the [`Stamp`] that it is known by are of the same file, because a file is
//! replaced and never written to.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Digest, Error, Token, digest};

/// The file in the data directory.
pub(in super::super) const FILE: &str = "identity.json";
const SCHEMA_VERSION: u32 = 1;

/// What is known of who may call.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The hash of the admin token.
    pub(super) admin: Digest,
    /// The part of that token that may be shown.
    pub(super) id: String,
    /// The file that says so; nothing once that is gone.
    pub(super) stamp: Option<Stamp>,
}

/// Which file it was: another one has another stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    /// Told apart even if the system gives the number of a removed file to its successor.
    changed_at: (i64, i64),
}

/// The content of [`FILE`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema_version: SchemaVersion,
    admin: Kept,
}

/// What is kept of a token: enough to recognize it, not enough to use it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    id: String,
    #[serde(with = "hex::serde")]
    sha256: Digest,
}

/// A schema version that this binary can read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct SchemaVersion;

impl Stamp {
    /// The stamp of the file at `path`; nothing if there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::from(&metadata))
    }
}

impl From<&fs::Metadata> for Stamp {
    fn from(metadata: &fs::Metadata) -> Self {
        let changed_at = (metadata.ctime(), metadata.ctime_nsec());
        Self { device: metadata.dev(), inode: metadata.ino(), changed_at }
    }
}

/// Reads what is kept at `path`; nothing if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Known>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let stamp = Stamp::from(&file.metadata().map_err(failed)?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let document: Document = serde_json::from_slice(&bytes)
        .map_err(|source| Error::Parse { path: path.to_owned(), source })?;
    let Kept { id, sha256 } = document.admin;
    Ok(Some(Known { admin: sha256, id, stamp: Some(stamp) }))
}

/// What is to be kept of `token`, as the content of the file.
pub(super) fn document(token: &Token) -> Vec<u8> {
    let admin = Kept { id: token.id().to_owned(), sha256: digest(token.reveal().as_bytes()) };
    let document = Document { schema_version: SchemaVersion, admin };
    serde_json::to_vec_pretty(&document).expect("strings and numbers are JSON")
}

impl TryFrom<u32> for SchemaVersion {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        if version == SCHEMA_VERSION {
            return Ok(Self);
        }
        Err(format!("schema version {version} instead of {SCHEMA_VERSION}"))
    }
}

impl From<SchemaVersion> for u32 {
    fn from(_: SchemaVersion) -> Self {
        SCHEMA_VERSION
    }
}

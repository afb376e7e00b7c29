//! Who is calling: for now one admin token.
//!
//! Guarantees: the token exists in clear text only where the first start prints it; the disk holds its hash,
//! comparisons take constant time, and no log or error holds what a caller presented. Not here: users, roles
//! and permissions.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ::http::HeaderMap;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::data::{self, DataDir};

mod presented;
mod token;

pub(crate) use token::Token;
use token::{Digest, digest};

/// The file in the data directory.
const FILE: &str = "identity.json";
const SCHEMA_VERSION: u32 = 1;

/// Knows who may call.
#[derive(Debug)]
pub(crate) struct Identity {
    admin: Digest,
}

/// Who a caller turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The holder of the admin token.
    Admin,
}

/// Why a caller is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unauthenticated {
    /// The request carries no credentials.
    #[error("the request carries no credentials")]
    Absent,
    /// It carries some that are not valid.
    #[error("the credentials are not valid")]
    Invalid,
}

/// Why it is not known who may call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file is there and cannot be read.
    #[error("`{}` cannot be read: restore it, or remove it to get a new admin token", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this version writes.
    #[error("`{}` is damaged or from another version: restore it, or remove it to get a new admin token", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file cannot be written.
    #[error("the new admin token cannot be kept")]
    Keep(#[source] data::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for the admin token")]
    Random(#[source] getrandom::Error),
    /// The new token could not be shown to anybody.
    #[error("the new admin token cannot be printed: give the daemon a stdout and start it again")]
    Show(#[source] io::Error),
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

impl Identity {
    /// Reads who may call; on the first start makes the admin token and hands it to `show`, once.
    pub(crate) fn open(
        data: &DataDir,
        show: impl FnOnce(&Token) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let path = data.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => Self::read(&path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::first(data, show),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Who sends these headers.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Unauthenticated> {
        let presented = presented::token(headers)?;
        if bool::from(digest(&presented).ct_eq(&self.admin)) {
            Ok(Principal::Admin)
        } else {
            Err(Unauthenticated::Invalid)
        }
    }

    fn read(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|source| Error::Parse { path: path.to_owned(), source })?;
        Ok(Self { admin: document.admin.sha256 })
    }

    /// Shows before it keeps: a token that nobody saw must not be the one that counts.
    fn first(data: &DataDir, show: impl FnOnce(&Token) -> io::Result<()>) -> Result<Self, Error> {
        let token = Token::random().map_err(Error::Random)?;
        show(&token).map_err(Error::Show)?;
        let admin = Kept { id: token.id().to_owned(), sha256: digest(token.reveal().as_bytes()) };
        let sha256 = admin.sha256;
        let document = Document { schema_version: SchemaVersion, admin };
        let text = serde_json::to_vec_pretty(&document).expect("strings and numbers are JSON");
        data.replace(FILE, &text).map_err(Error::Keep)?;
        Ok(Self { admin: sha256 })
    }
}

impl Principal {
    /// How logs, events and plugins know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "user:admin",
        }
    }
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

#[cfg(test)]
mod tests;

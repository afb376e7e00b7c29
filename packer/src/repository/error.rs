//! Why nothing is taken from a repository.
//!
//! Each attack on a repository has a variant of its own, so that whoever watches can tell an outage from an
//! attempt. The first lines say what happened and to what; each message ends with what to do.

use std::error::Error as _;
use std::path::PathBuf;

use jiff::Timestamp;
use semver::Version;
use thiserror::Error;
use tough::TransportErrorKind;
use tough::error::Error as Tough;

use super::metadata::Files;
use super::role::Role;
use super::source::SourceError;
use crate::bundle::{Digest, ElementName};

/// Nothing is taken from a repository. What was trusted before is trusted still.
#[derive(Debug, Error)]
pub enum Error {
    /// Older metadata than those that were seen already.
    #[error(
        "repository `{at}` shows an older `{role}` than it did before; it is not believed: if its owner restored it from a backup, they run `metapaas repository refresh` until it has passed the version seen; if not, somebody serves old files in its name"
    )]
    Rollback {
        /// The repository.
        at: String,
        /// Whose metadata.
        role: Role,
        /// Which versions.
        #[source]
        source: Detail,
    },
    /// Metadata that are not renewed.
    #[error("`{role}` of repository `{at}` expired{}; what is newer may be withheld: its owner renews it with `metapaas repository refresh`, and if that was done, somebody between keeps it from you", when(.expired))]
    Expired {
        /// The repository.
        at: String,
        /// Whose metadata.
        role: Role,
        /// Since when, if that is known.
        expired: Option<Timestamp>,
    },
    /// Metadata that were signed, but not together.
    #[error(
        "repository `{at}` mixes metadata that do not belong together; they are not believed: try again, and if it stays, its files were exchanged or only copied in part"
    )]
    Mixed {
        /// The repository.
        at: String,
        /// Which.
        #[source]
        source: Detail,
    },
    /// More than a file may have.
    #[error(
        "repository `{at}` sends more than {bytes_max} bytes of `{what}`; the rest was not read: it is not what was signed, whoever serves it"
    )]
    Endless {
        /// The repository.
        at: String,
        /// Which file.
        what: String,
        /// How much it may have.
        bytes_max: u64,
    },
    /// Metadata without the signatures that they need.
    #[error(
        "`{role}` of repository `{at}` is not signed by the keys that its root names; it is not believed: if its keys were changed, ask its owner for the new root by another way"
    )]
    Unsigned {
        /// The repository.
        at: String,
        /// Whose metadata.
        role: Role,
        /// Which signatures are missing.
        #[source]
        source: Detail,
    },
    /// The root that was given by hand is none.
    #[error(
        "trusted root of repository `{at}` cannot be used: get it from the repository's owner again"
    )]
    Root {
        /// The repository.
        at: String,
        /// What is wrong with it.
        #[source]
        source: Detail,
    },
    /// Metadata that are none.
    #[error(
        "repository `{at}` has something else where its metadata should be: check the address, which is the one above `metadata/`"
    )]
    Malformed {
        /// The repository.
        at: String,
        /// What is wrong.
        #[source]
        source: Detail,
    },
    /// A file is missing.
    #[error(
        "repository `{at}` has no `{what}`: check the address, which is the one above `metadata/`, and that all of it was copied"
    )]
    Absent {
        /// The repository.
        at: String,
        /// Which file.
        what: String,
    },
    /// It cannot be reached, or breaks off.
    #[error("repository `{at}` cannot be read; try again later")]
    Unreachable {
        /// The repository.
        at: String,
        /// What went wrong.
        #[source]
        source: Detail,
    },
    /// A download ended before it was whole.
    #[error(
        "download of `{target}` from repository `{at}` broke off after {bytes} of {wanted} bytes; they are kept, and the next try goes on there"
    )]
    BrokenOff {
        /// The repository.
        at: String,
        /// Which target.
        target: String,
        /// How much came.
        bytes: u64,
        /// How much there is.
        wanted: u64,
        /// What broke it off, if it did not just end.
        #[source]
        source: Option<SourceError>,
    },
    /// A target with another content than the one that was signed.
    #[error(
        "`{target}` of repository `{at}` has digest {seen}, but {wanted} was signed; it was deleted: somebody changed the file, or it was damaged; its owner publishes it again from a good copy"
    )]
    WrongHash {
        /// The repository.
        at: String,
        /// Which target.
        target: String,
        /// The digest of what came.
        seen: Digest,
        /// The digest that was signed.
        wanted: Digest,
    },
    /// A version that was taken back.
    #[error("{element} {version} was yanked from repository `{at}`{}; install another version", because(.reason))]
    Yanked {
        /// The repository.
        at: String,
        /// The element.
        element: ElementName,
        /// The version.
        version: Version,
        /// Why, in its owner's words.
        reason: Option<String>,
    },
    /// There is no such target.
    #[error("repository `{at}` has no target `{target}`; check the name")]
    NoTarget {
        /// The repository.
        at: String,
        /// Which.
        target: String,
    },
    /// The clock of this machine goes wrong.
    #[error("clock of this machine went back, so nothing can be said to be new or expired: set it right, or if it was wrong before, delete `{}`", time.display())]
    Clock {
        /// The file with the latest time that was seen.
        time: PathBuf,
        /// By how much.
        #[source]
        source: Detail,
    },
    /// Nothing was verified yet.
    #[error("nothing is known of repository `{at}` yet: it has to be refreshed first")]
    NotRefreshed {
        /// The repository.
        at: String,
    },
    /// What is kept on this machine cannot be read or written.
    #[error("`{}` cannot be read or written", path.display())]
    Keep {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What the libraries below said, in their words; their messages hold their causes already.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Detail(String);

impl Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of `tough` may become more")]
    /// What `tough` says went wrong while `at` was read, with the file of the latest time for its clock.
    pub(super) fn explain(error: Tough, at: &str, time: PathBuf) -> Self {
        let (at, source) = (at.to_owned(), Detail(error.to_string()));
        match error {
            Tough::OlderMetadata { role, .. } => Self::Rollback { at, role: role.into(), source },
            Tough::OlderSnapshotInTimestamp { .. } => {
                Self::Rollback { at, role: Role::Snapshot, source }
            }
            Tough::SnapshotRoleMissing { .. } | Tough::SnapshotRoleRollback { .. } => {
                Self::Rollback { at, role: Role::Targets, source }
            }
            Tough::ExpiredMetadata { role, .. } => {
                Self::Expired { at, role: role.into(), expired: None }
            }
            Tough::VersionMismatch { .. } => Self::Mixed { at, source },
            Tough::VerifyMetadata { role, .. } => Self::Unsigned { at, role: role.into(), source },
            Tough::ParseTrustedMetadata { .. } | Tough::VerifyTrustedMetadata { .. } => {
                Self::Root { at, source }
            }
            Tough::SystemTimeSteppedBackward { .. } => Self::Clock { time, source },
            Tough::Transport { url, source, .. } => {
                let what = url.path().trim_start_matches('/').to_owned();
                explain_transport(at, what, &source)
            }
            _ => Self::Malformed { at, source },
        }
    }

    /// The same, with the moment at which the metadata expired, where those are among the files that were read.
    pub(super) fn with_expiry_in(self, files: &Files) -> Self {
        let Self::Expired { at, role, expired } = self else { return self };
        let end = format!("{role}.json");
        let newest = files.iter().rev().find(|(name, _bytes)| name.ends_with(&end));
        let found = newest.and_then(|(_name, bytes)| expiry_of(bytes));
        Self::Expired { at, role, expired: expired.or(found) }
    }
}

fn expiry_of(bytes: &[u8]) -> Option<Timestamp> {
    let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    document["signed"]["expires"].as_str()?.parse().ok()
}

/// What is told through a transport is not always its fault: `tough` checks sizes and digests on the way.
fn explain_transport(at: String, what: String, error: &tough::TransportError) -> Error {
    if error.kind() == TransportErrorKind::FileNotFound {
        return Error::Absent { at, what };
    }
    let Some(cause) = error.source() else {
        return Error::Unreachable { at, source: Detail(error.to_string()) };
    };
    match cause.downcast_ref::<Tough>() {
        Some(Tough::MaxSizeExceeded { max_size, .. }) => {
            Error::Endless { at, what, bytes_max: *max_size }
        }
        Some(Tough::HashMismatch { calculated, expected, .. }) => {
            let text = format!("`{what}` has digest {calculated}, but {expected} was signed");
            Error::Mixed { at, source: Detail(text) }
        }
        _ => Error::Unreachable { at, source: Detail::of(cause) },
    }
}

impl Detail {
    /// The words of an error and of all that caused it.
    pub(super) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

fn when(expired: &Option<Timestamp>) -> String {
    expired.map_or_else(String::new, |expired| format!(" at {expired}"))
}

fn because(reason: &Option<String>) -> String {
    reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(" ({})", crate::bundle::quote(reason)))
}

//! What a generation is called, and where it is in its life: what everybody may know of it.
//!
//! Plain values. Whoever holds one holds nothing of the generation itself.

use std::sync::atomic::{AtomicU64, Ordering};

use packer::bundle::{Digest, ElementName};
use semver::Version;

use super::lane::Isolation;

/// The number of a generation, unique in the life of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GenerationId(u64);

impl GenerationId {
    /// A number that was not given before.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number itself, for the boundary and for people.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// What a generation is, for whoever looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its number.
    pub(crate) id: GenerationId,
    /// The element.
    pub(crate) element: ElementName,
    /// The element's version.
    pub(crate) version: Version,
    /// The digest of its bundle.
    pub(crate) digest: Digest,
    /// Which lane it is on.
    pub(crate) isolation: Isolation,
}

/// Where a generation is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its code was called and has not said that it is ready.
    Starting,
    /// It takes requests.
    Serving,
    /// It takes no new requests and finishes those it has.
    Draining,
    /// It returned and its threads are gone; its code may still be mapped.
    Stopped,
    /// No byte of it is mapped any more.
    Unloaded,
    /// It is over, but its code could not be given back.
    Retained {
        /// How much stays mapped.
        bytes: u64,
        /// Why, and what to do about it.
        reason: String,
    },
    /// It is running and cannot be trusted any more.
    Faulty {
        /// What it did.
        reason: String,
    },
}

impl Phase {
    /// The word of every phase.
    pub(crate) const WORDS: [&'static str; 7] =
        ["starting", "serving", "draining", "stopped", "unloaded", "retained", "faulty"];

    /// The one word for logs, metrics and the API.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Unloaded => "unloaded",
            Self::Retained { .. } => "retained",
            Self::Faulty { .. } => "faulty",
        }
    }
}

//! How `tough` reads metadata: through [`Fetched`], which remembers every file as it came.
//!
//! `tough` verifies; what it keeps is its own writing of what it parsed. What is trusted here are the bytes
//! that were signed, so they are taken on the way. A file whose version is in its name and that was verified
//! before is not fetched again.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use tough::{
    Bytes, Limits, Transport, TransportError, TransportErrorKind, TransportStream, async_trait,
};

use super::source::{Source, SourceError};

/// How much metadata may be before it is refused. Targets grow by half a kilobyte with each version.
pub(super) const LIMITS: Limits = Limits {
    max_root_size: 512 * 1024,
    max_timestamp_size: 64 * 1024,
    max_snapshot_size: 4 * 1024 * 1024,
    max_targets_size: BYTES_MAX,
    max_root_updates: 256,
};
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Files of metadata, by their names, which are encoded: none has a slash in it.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    source: Source,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// What was verified before, by its versioned name. Gone once there is a new root, whose keys may have
    /// signed the same versions again.
    known: Files,
    seen: Files,
}

impl Fetched {
    pub(super) fn new(source: Source, known: Files) -> Self {
        let shared = Shared { known, seen: Files::new() };
        Self { source, shared: Arc::new(Mutex::new(shared)) }
    }

    /// The address that `tough` is to ask for files below; what stands before their names means nothing.
    pub(super) fn base() -> Url {
        Url::parse("metadata://repository/").expect("it is an address")
    }

    /// What was read so far.
    pub(super) fn seen(&self) -> Files {
        self.lock().seen.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A byte more than a role may have is enough to refuse it.
    fn bytes_max(name: &str) -> u64 {
        let limits = [
            ("timestamp.json", LIMITS.max_timestamp_size),
            ("root.json", LIMITS.max_root_size),
            ("snapshot.json", LIMITS.max_snapshot_size),
        ];
        let limit = limits.into_iter().find(|(end, _max)| name.ends_with(end));
        limit.map_or(BYTES_MAX, |(_end, max)| max)
    }
}

#[async_trait]
impl Transport for Fetched {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let name = url.path().trim_start_matches('/');
        let known = self.lock().known.get(name).cloned();
        let bytes = match known {
            Some(bytes) => bytes,
            None => {
                let plain = percent_decode_str(name).decode_utf8_lossy();
                let read = self.source.read(&plain, Self::bytes_max(name)).await;
                read.map_err(|error| failed(&url, error))?
            }
        };
        let mut shared = self.lock();
        if name.ends_with("root.json") {
            shared.known.clear();
        }
        shared.seen.insert(name.to_owned(), bytes.clone());
        drop(shared);
        Ok(Box::pin(stream::once(ready(Ok(Bytes::from(bytes))))))
    }
}

fn failed(url: &Url, error: SourceError) -> TransportError {
    let kind = match error {
        SourceError::Absent(_) => TransportErrorKind::FileNotFound,
        SourceError::Fetch { .. }
        | SourceError::Status { .. }
        | SourceError::Read { .. }
        | SourceError::Address(_)
        | SourceError::Client(_) => TransportErrorKind::Other,
    };
    TransportError::new_with_cause(kind, url, error)
}

//! Where bundles are found: the directories that the operator named, and the daemon's own copies.
//!
//! What was verified once is kept, packed as it came, so that going back to it needs nothing from outside. A
//! file that has not changed since it was verified is not read again: what would be mapped is the store's copy,
//! not the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use packer::bundle::{
    ElementName, Limits, ReadError, TargetTriple, UnpackError, Unpacked, bundle_paths, head_of,
    unpack,
};
use semver::Version;
use time::{Duration, OffsetDateTime};

use super::failure::StageError;
use crate::data::DataDir;
use crate::timestamp::Timestamp;

/// See the module.
#[derive(Debug)]
pub(super) struct Bundles {
    /// Where the operator puts them, in the order in which they are looked through.
    sources: Vec<PathBuf>,
    /// The daemon's own copies.
    kept: PathBuf,
    /// Where they are unpacked.
    unpacked: PathBuf,
    limits: Limits,
    verified: Mutex<HashMap<PathBuf, (Stamp, Arc<Unpacked>)>>,
    /// What the bundles of the last look were, so that the next one opens those only that are new.
    claims: Mutex<HashMap<PathBuf, (Stamp, Claim)>>,
}

/// What a bundle says that it is.
type Claim = (ElementName, Version);

/// A bundle that was found, as what it claims to be.
#[derive(Debug)]
pub(super) struct FetchedBundle {
    path: PathBuf,
    stamp: Stamp,
    element: ElementName,
    version: Version,
}

/// A bundle that is what it was asked for, whole, and unpacked in the store.
#[derive(Debug)]
pub(super) struct VerifiedBundle {
    pub(super) unpacked: Arc<Unpacked>,
}

/// Which versions of which elements can be installed.
#[derive(Debug, Default)]
pub(crate) struct Available {
    by_element: BTreeMap<ElementName, BTreeSet<Version>>,
}

impl Available {
    /// Those of one element, in order.
    pub(crate) fn of(&self, element: &ElementName) -> Vec<Version> {
        self.by_element.get(element).into_iter().flatten().cloned().collect()
    }
}

/// A bundle that lies in a directory.
#[derive(Debug)]
pub(super) struct Lying {
    /// Whose.
    pub(super) element: ElementName,
    /// Of which version.
    pub(super) version: Version,
    /// Since when. A copy that keeps the time of the original has its own here.
    pub(super) since: Timestamp,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Bundles {
    /// Those in `sources`, with the daemon's own folders in `data`.
    ///
    /// # Errors
    /// The folder that cannot be made, and why.
    pub(super) fn open(
        sources: Vec<PathBuf>,
        data: &DataDir,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let (kept, unpacked) = (data.join("bundles-kept"), data.join("store"));
        for folder in [&kept, &unpacked] {
            fs::create_dir_all(folder).map_err(|error| (folder.clone(), error))?;
        }
        let limits = Limits::default();
        Ok(Self {
            sources,
            kept,
            unpacked,
            limits,
            verified: Mutex::default(),
            claims: Mutex::default(),
        })
    }

    /// The versions of each element that can be installed.
    pub(super) fn versions(&self) -> Available {
        let files = self.folders().flat_map(|folder| fs::read_dir(folder).into_iter().flatten());
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let mut versions = Available::default();
        for (element, version) in names.filter_map(|name| named(name.strip_suffix(".bundle")?)) {
            versions.by_element.entry(element).or_default().insert(version);
        }
        versions
    }

    /// Finds the bundle of a version.
    pub(super) fn fetch(
        &self,
        element: &ElementName,
        version: &Version,
    ) -> Result<FetchedBundle, StageError> {
        let name = file_name(element, version);
        let found = self.folders().map(|folder| folder.join(&name)).find_map(|path| {
            let stamp = Stamp::from(&fs::metadata(&path).ok()?);
            Some(FetchedBundle { path, stamp, element: element.clone(), version: version.clone() })
        });
        found.ok_or_else(|| StageError::Fetch {
            element: element.clone(),
            version: version.clone(),
            known: self.versions().of(element),
        })
    }

    /// Checks a bundle and unpacks it into the store. Reads the whole file, unless it did so before.
    pub(super) fn verify(&self, fetched: FetchedBundle) -> Result<VerifiedBundle, StageError> {
        let FetchedBundle { path, stamp, element, version } = fetched;
        if let Some(unpacked) = self.find_verified(&path, stamp) {
            return Ok(VerifiedBundle { unpacked });
        }
        let read = |error: ReadError| StageError::Verify(error.into());
        let head = head_of(&path, &self.limits).map_err(read)?;
        let (claimed, wanted) =
            (format!("{} {}", head.element(), head.version()), format!("{element} {version}"));
        if claimed != wanted {
            return Err(StageError::Identify { claimed, wanted });
        }
        let unpacked = unpack(&path, &self.limits, &TargetTriple::host(), &self.unpacked)
            .map_err(StageError::Verify)?;
        self.keep(&path, &file_name(&element, &version)).map_err(|source| {
            StageError::Verify(UnpackError::Store { store: self.kept.clone(), source })
        })?;
        let unpacked = Arc::new(unpacked);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.insert(path, (stamp, Arc::clone(&unpacked)));
        Ok(VerifiedBundle { unpacked })
    }

    /// Keeps a copy of a file that was verified, unless it is that copy.
    fn keep(&self, path: &Path, name: &str) -> io::Result<()> {
        let kept = self.kept.join(name);
        if kept == path {
            return Ok(());
        }
        let mut aside = tempfile::Builder::new().prefix(".keep-").tempfile_in(&self.kept)?;
        io::copy(&mut File::open(path)?, aside.as_file_mut())?;
        aside.as_file().sync_all()?;
        aside.persist(&kept).map_err(|error| error.error)?;
        Ok(())
    }

    fn find_verified(&self, path: &Path, stamp: Stamp) -> Option<Arc<Unpacked>> {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let (known_stamp, unpacked) = verified.get(path)?;
        (*known_stamp == stamp && unpacked.library().exists()).then(|| Arc::clone(unpacked))
    }

    /// The newest bundle of every element that has one in `folder`, which is one of the sources.
    pub(super) fn newest_in(&self, folder: &Path) -> Vec<Lying> {
        let Ok(paths) = bundle_paths(folder) else { return Vec::new() };
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *claims);
        let mut newest: BTreeMap<ElementName, Lying> = BTreeMap::new();
        for path in paths {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let stamp = Stamp::from(&metadata);
            let known = before.remove(&path).filter(|(then, _claim)| *then == stamp);
            let Some(claim) = known.map(|(_, claim)| claim).or_else(|| self.claim_of(&path)) else {
                continue;
            };
            let (element, version) = claim.clone();
            claims.insert(path, (stamp, claim));
            let is_older = newest.get(&element).is_some_and(|other| version < other.version);
            if !is_older {
                let lying =
                    Lying { version, since: changed_at(&metadata), element: element.clone() };
                newest.insert(element, lying);
            }
        }
        newest.into_values().collect()
    }

    fn claim_of(&self, path: &Path) -> Option<Claim> {
        let head = head_of(path, &self.limits).ok()?;
        Some((head.element().clone(), head.version().clone()))
    }

    /// Where the operator puts bundles.
    pub(super) fn sources(&self) -> &[PathBuf] {
        &self.sources
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.sources.iter().chain([&self.kept])
    }
}

fn changed_at(metadata: &Metadata) -> Timestamp {
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    let since = Duration::seconds(seconds) + Duration::nanoseconds(nanoseconds);
    (OffsetDateTime::UNIX_EPOCH + since).into()
}

/// What the name of a bundle says: an element, a hyphen and a version, both of which may have hyphens.
fn named(stem: &str) -> Option<(ElementName, Version)> {
    let hyphens = stem.match_indices('-').map(|(at, _hyphen)| at);
    let parts = hyphens.map(|at| (&stem[..at], &stem[at + 1..]));
    parts
        .into_iter()
        .find_map(|(element, version)| Some((element.parse().ok()?, version.parse().ok()?)))
}

fn file_name(element: &ElementName, version: &Version) -> String {
    format!("{element}-{version}.bundle")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_parted_where_both_halves_are_what_they_should_be() {
        for (stem, expected) in [
            ("hello-1.2.3", Some(("hello", "1.2.3"))),
            ("metapaas-demo-0.1.0", Some(("metapaas-demo", "0.1.0"))),
            ("hello-1.0.0-rc.1+build-7", Some(("hello", "1.0.0-rc.1+build-7"))),
            ("hello", None),
            ("hello-soon", None),
            ("-1.0.0", None),
        ] {
            let parted =
                named(stem).map(|(element, version)| (element.to_string(), version.to_string()));
            let expected =
                expected.map(|(element, version)| (element.to_owned(), version.to_owned()));
            assert_eq!(parted, expected, "{stem}");
        }
    }
}

//! Reading a bundle: from a path to content that may be used.
//!
//! [`Reading`] is a bundle whose head was read and believed in nothing; [`Bundle`] is one that was
//! read to the last byte and agreed with its head. [`Reading::finish`] is the only way from the
//! one to the other. Libraries pass through in chunks and are not kept; whoever wants one takes
//! its chunks on the way and throws them away when the bundle turns out to be wrong
//! ([`unpack`](super::unpack())).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::archive::{Archive, Entry};
use super::digest::Measuring;
use super::place::Place;
use super::{ArchiveError, BundleHead, Digest, HeadError, Limits, Measured, TargetTriple};

/// A verified bundle.
#[derive(Debug)]
pub struct Bundle {
    head: BundleHead,
    head_json: Vec<u8>,
    descriptor: Vec<u8>,
    file: Measured,
}

/// A bundle of which the head was read; nothing of it is verified.
pub(super) struct Reading {
    path: PathBuf,
    archive: Archive,
    head: BundleHead,
    head_json: Vec<u8>,
    descriptor: Option<Vec<u8>>,
    seen: BTreeSet<TargetTriple>,
    library: Option<CurrentLibrary>,
}

/// The library whose chunks are passing.
struct CurrentLibrary {
    target: TargetTriple,
    wanted: Digest,
    measuring: Measuring,
}

/// A file is not a bundle that may be used.
#[derive(Debug, Error)]
#[error("bundle `{}` is refused; nothing of it is used", path.display())]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a bundle.
#[derive(Debug, Error)]
pub enum Fault {
    /// It is not an archive of the form that bundles have, or breaks a limit.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its head is not well formed.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// It has no entries.
    #[error("archive is empty; wanted `bundle.json` as its first entry")]
    Empty,
    /// Its head is missing or late.
    #[error("first entry is `{0}`; wanted `bundle.json`")]
    HeadNotFirst(String),
    /// The head speaks of an entry that is not there.
    #[error("entry `{0}` is missing")]
    Missing(String),
    /// There is a library that the head does not speak of.
    #[error("entry `{0}` is not in `bundle.json`")]
    Undeclared(String),
    /// An entry's size is not the one in the head.
    #[error("entry `{path}` has {seen} bytes; `bundle.json` says {wanted}")]
    Size {
        /// Path in the archive.
        path: String,
        /// Size seen.
        seen: u64,
        /// Size in the head.
        wanted: u64,
    },
    /// An entry's digest is not the one in the head.
    #[error("entry `{path}` has digest {seen}; `bundle.json` says {wanted}")]
    Digest {
        /// Path in the archive.
        path: String,
        /// Digest seen.
        seen: Digest,
        /// Digest in the head.
        wanted: Digest,
    },
}

/// Reads only the head of the bundle at `path`: good for a list, vouched for by nobody.
///
/// # Errors
///
/// When the file is too large, is not an archive, or does not begin with a well-formed head.
pub fn head_of(path: &Path, limits: &Limits) -> Result<BundleHead, ReadError> {
    Ok(Reading::open(path, limits)?.head)
}

impl Bundle {
    /// Reads the bundle at `path` once, from the first byte to the last, and verifies it.
    ///
    /// # Errors
    ///
    /// When the file breaks one of the `limits`, is not an archive of the form that bundles have,
    /// or does not agree with its own head.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, ReadError> {
        let mut reading = Reading::open(path, limits)?;
        while reading.next_library()?.is_some() {}
        reading.finish()
    }

    /// What the bundle says about itself; verified to be so.
    #[must_use]
    pub fn head(&self) -> &BundleHead {
        &self.head
    }

    /// The digest of the whole file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.file.digest
    }

    /// The size of the whole file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// The descriptor, byte for byte as the plugin gave it.
    #[must_use]
    pub fn descriptor(&self) -> &[u8] {
        &self.descriptor
    }

    /// The exact bytes of `bundle.json`.
    pub(super) fn head_json(&self) -> &[u8] {
        &self.head_json
    }

    pub(super) fn into_parts(self) -> (BundleHead, Vec<u8>) {
        (self.head, self.descriptor)
    }
}

impl Reading {
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self, ReadError> {
        open(path, limits).map_err(|fault| ReadError { path: path.to_owned(), fault })
    }

    /// The head, as the bundle claims it.
    pub(super) fn head(&self) -> &BundleHead {
        &self.head
    }

    /// The exact bytes of `bundle.json`.
    pub(super) fn head_json(&self) -> &[u8] {
        &self.head_json
    }

    /// Goes on to the next library and says for which target it is; nothing after the last one.
    pub(super) fn next_library(&mut self) -> Result<Option<TargetTriple>, ReadError> {
        let found = self.seek_library();
        found.map_err(|fault| ReadError { path: self.path.clone(), fault })
    }

    /// The next piece of the current library; nothing at its end. Not verified before
    /// [`Reading::finish`].
    pub(super) fn next_chunk(&mut self) -> Result<Option<&[u8]>, ReadError> {
        let Self { path, archive, library, .. } = self;
        let chunk = archive
            .next_chunk()
            .map_err(|error| ReadError { path: path.clone(), fault: error.into() })?;
        if let (Some(library), Some(chunk)) = (library, chunk) {
            library.measuring.update(chunk);
        }
        Ok(chunk)
    }

    /// Reads what is left and says whether the file as a whole is right.
    pub(super) fn finish(mut self) -> Result<Bundle, ReadError> {
        while self.next_library()?.is_some() {}
        let Self { path, archive, head, head_json, descriptor, seen, library: _ } = self;
        finish(archive, &head, descriptor, &seen)
            .map(|(file, descriptor)| Bundle { head, head_json, descriptor, file })
            .map_err(|fault| ReadError { path, fault })
    }

    fn seek_library(&mut self) -> Result<Option<TargetTriple>, Fault> {
        self.leave_library()?;
        while let Some(entry) = self.archive.next_entry()? {
            match &entry.place {
                // A second head cannot come: entries are sorted and the head was first.
                Place::Head | Place::License | Place::Doc(_) => {}
                Place::Descriptor => {
                    let descriptor = read_whole(&mut self.archive)?;
                    check(&entry.place, Digest::of_bytes(&descriptor), self.head.descriptor)?;
                    self.descriptor = Some(descriptor);
                }
                Place::Library(target) => {
                    self.enter_library(target.clone(), &entry)?;
                    return Ok(Some(target.clone()));
                }
            }
        }
        Ok(None)
    }

    fn enter_library(&mut self, target: TargetTriple, entry: &Entry) -> Result<(), Fault> {
        let Entry { place, bytes } = entry;
        let path = place.to_string();
        let Some(Measured { digest: wanted, bytes: bytes_wanted }) = self.head.library(&target)
        else {
            return Err(Fault::Undeclared(path));
        };
        if *bytes != bytes_wanted {
            return Err(Fault::Size { path, seen: *bytes, wanted: bytes_wanted });
        }
        self.library = Some(CurrentLibrary { target, wanted, measuring: Measuring::default() });
        Ok(())
    }

    fn leave_library(&mut self) -> Result<(), Fault> {
        let Some(CurrentLibrary { target, wanted, mut measuring }) = self.library.take() else {
            return Ok(());
        };
        while let Some(chunk) = self.archive.next_chunk()? {
            measuring.update(chunk);
        }
        check(&Place::Library(target.clone()), measuring.finish().digest, wanted)?;
        self.seen.insert(target);
        Ok(())
    }
}

fn open(path: &Path, limits: &Limits) -> Result<Reading, Fault> {
    let mut archive = Archive::open(path, limits)?;
    let Entry { place, bytes: _ } = archive.next_entry()?.ok_or(Fault::Empty)?;
    if place != Place::Head {
        return Err(Fault::HeadNotFirst(place.to_string()));
    }
    let head_json = read_whole(&mut archive)?;
    let head = BundleHead::from_json(&head_json)?;
    Ok(Reading {
        path: path.to_owned(),
        archive,
        head,
        head_json,
        descriptor: None,
        seen: BTreeSet::new(),
        library: None,
    })
}

fn finish(
    archive: Archive,
    head: &BundleHead,
    descriptor: Option<Vec<u8>>,
    seen: &BTreeSet<TargetTriple>,
) -> Result<(Measured, Vec<u8>), Fault> {
    let missing = |place: Place| Fault::Missing(place.to_string());
    if let Some(target) = head.targets().find(|target| !seen.contains(*target)) {
        return Err(missing(Place::Library(target.clone())));
    }
    let descriptor = descriptor.ok_or_else(|| missing(Place::Descriptor))?;
    Ok((archive.finish()?, descriptor))
}

/// Reads the current entry into memory; only for those that `document_bytes_max` bounds.
fn read_whole(archive: &mut Archive) -> Result<Vec<u8>, ArchiveError> {
    let mut whole = Vec::new();
    while let Some(chunk) = archive.next_chunk()? {
        whole.extend_from_slice(chunk);
    }
    Ok(whole)
}

fn check(place: &Place, seen: Digest, wanted: Digest) -> Result<(), Fault> {
    if seen == wanted {
        return Ok(());
    }
    Err(Fault::Digest { path: place.to_string(), seen, wanted })
}

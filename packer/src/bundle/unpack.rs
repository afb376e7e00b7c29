//! Verifies a bundle and puts the library of one target into a content-addressed store.
//!
//! ```text
//! <store>/sha256-<digest of the bundle>/plugin.so         0555
//!                                       descriptor.json   0444
//!                                       bundle.json       0444
//! ```
//!
//! # Invariants
//!
//! - An entry of the store has its name only when the whole bundle was verified and the files
//!   synced: they are written aside, in a directory of the same file system, and renamed.
//! - An entry that is there is compared with the bundle before it is used again. A damaged one is
//!   exchanged for a good one in one step: at no moment is the name without content, and what is
//!   mapped from the old one stays mapped.
//! - Whatever fails, what was written aside is removed. Only a crash of the process leaves some;
//!   its name begins with `.unpack-`.
//!
//! Nothing is mapped or run here, and nothing is ever removed from the store.

mod entry;

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;
use thiserror::Error;

use super::read::Reading;
use super::{Bundle, BundleHead, Digest, Limits, ReadError, TargetTriple};

const ASIDE_PREFIX: &str = ".unpack-";

/// A verified bundle whose library is in the store.
#[derive(Debug)]
pub struct Unpacked {
    head: BundleHead,
    digest: Digest,
    descriptor: Vec<u8>,
    dir: PathBuf,
}

/// A bundle cannot be unpacked.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// The bundle is no good.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bundle is not for this target.
    #[error(
        "bundle `{}` has no library for `{wanted}`, only for {}; pack it for that target",
        path.display(),
        list(targets)
    )]
    NoLibrary {
        /// The bundle.
        path: PathBuf,
        /// The target asked for.
        wanted: TargetTriple,
        /// The targets there are libraries for.
        targets: Vec<TargetTriple>,
    },
    /// The store cannot be written to: no space, no permission, no such directory.
    #[error(
        "store `{}` cannot be written to; nothing was added to it: make room or give the daemon \
         the right to write there, then try again",
        store.display()
    )]
    Store {
        /// The directory of the store.
        store: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Verifies the bundle at `path` and makes sure that its library for `target` is in `store`.
///
/// A bundle that was unpacked before is not inflated again: its file and its entry in the store
/// are hashed, and an entry that differs is replaced.
///
/// # Errors
///
/// When the bundle is refused, has no library for `target`, or the store cannot be written to.
/// The store is as it was then.
pub fn unpack(
    path: &Path,
    limits: &Limits,
    target: &TargetTriple,
    store: &Path,
) -> Result<Unpacked, UnpackError> {
    let reading = Reading::open(path, limits)?;
    if reading.head().library(target).is_none() {
        return Err(UnpackError::NoLibrary {
            path: path.to_owned(),
            wanted: target.clone(),
            targets: reading.head().targets().cloned().collect(),
        });
    }
    if let Some(kept) = kept(path, limits, &reading, target, store) {
        return Ok(kept);
    }
    let failed = |source| UnpackError::Store { store: store.to_owned(), source };
    let aside = tempfile::Builder::new().prefix(ASIDE_PREFIX).tempdir_in(store).map_err(failed)?;
    let bundle = write_library(reading, target, aside.path(), store)?;
    let dir = store.join(bundle.digest().file_name());
    entry::write_documents(aside.path(), &bundle).map_err(failed)?;
    put(aside, &dir).map_err(failed)?;
    entry::sync_dir(store).map_err(failed)?;
    Ok(Unpacked::of(bundle, dir))
}

impl Unpacked {
    fn of(bundle: Bundle, dir: PathBuf) -> Self {
        let digest = bundle.digest();
        let (head, descriptor) = bundle.into_parts();
        Self { head, digest, descriptor, dir }
    }

    /// What the bundle says about itself; verified to be so.
    #[must_use]
    pub fn head(&self) -> &BundleHead {
        &self.head
    }

    /// The digest of the bundle.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The descriptor, byte for byte as the plugin gave it.
    #[must_use]
    pub fn descriptor(&self) -> &[u8] {
        &self.descriptor
    }

    /// The library in the store.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.dir.join(entry::LIBRARY)
    }

    /// The directory in the store that holds the library and the documents.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What an earlier unpacking of the same file left in the store, if it is as it should be.
///
/// The entry's name is the digest of a bundle that was verified as a whole, so it is enough that
/// the file still has that digest and the entry still fits the file's head. A file that cannot be
/// hashed is left to the reader that is already open, to say why.
fn kept(
    path: &Path,
    limits: &Limits,
    reading: &Reading,
    target: &TargetTriple,
    store: &Path,
) -> Option<Unpacked> {
    let file = File::open(path).ok()?.take(limits.bundle_bytes_max);
    let digest = Digest::of_reader(file).ok()?;
    let dir = store.join(digest.file_name());
    let descriptor = entry::intact_descriptor(&dir, limits, reading, target)?;
    Some(Unpacked { head: reading.head().clone(), digest, descriptor, dir })
}

/// Reads the bundle to its end and writes the library that passes on the way into `aside`.
fn write_library(
    mut reading: Reading,
    target: &TargetTriple,
    aside: &Path,
    store: &Path,
) -> Result<Bundle, UnpackError> {
    let failed = |source| UnpackError::Store { store: store.to_owned(), source };
    while let Some(passing) = reading.next_library()? {
        if passing != *target {
            continue;
        }
        let mut library = File::create_new(aside.join(entry::LIBRARY)).map_err(failed)?;
        while let Some(chunk) = reading.next_chunk()? {
            library.write_all(chunk).map_err(failed)?;
        }
        entry::seal(&library, 0o555).map_err(failed)?;
    }
    Ok(reading.finish()?)
}

/// Gives what was written aside its name in the store.
fn put(aside: TempDir, dir: &Path) -> io::Result<()> {
    fs::set_permissions(aside.path(), Permissions::from_mode(0o755))?;
    entry::sync_dir(aside.path())?;
    if let Err(error) = fs::rename(aside.path(), dir) {
        if !matches!(
            error.kind(),
            ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory
        ) {
            return Err(error);
        }
        renameat_with(CWD, aside.path(), CWD, dir, RenameFlags::EXCHANGE)?;
        return remove(aside);
    }
    // It is in the store now: nothing is left to remove.
    drop(aside.keep());
    Ok(())
}

/// Removes what came out of the store in exchange; it need not be a directory.
fn remove(aside: TempDir) -> io::Result<()> {
    if fs::symlink_metadata(aside.path())?.is_dir() {
        aside.close()
    } else {
        fs::remove_file(aside.keep())
    }
}

fn list(targets: &[TargetTriple]) -> String {
    targets.iter().map(|target| format!("`{target}`")).collect::<Vec<_>>().join(", ")
}

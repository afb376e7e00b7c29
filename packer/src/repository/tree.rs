//! The tree of a repository on the disk of whoever publishes it.
//!
//! # Invariants
//!
//! - A file appears whole: it is written aside, synced and renamed.
//! - One process at a time changes a tree.
//! - What is read here was signed by the keys of the tree's own root: nothing that somebody put there is
//!   signed again.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;
use thiserror::Error;
use tough::schema::{Metafile, Root, Signed, Snapshot, Targets, Timestamp};

use super::layout::{METADATA, TARGETS, named_by_digest, unversioned, versioned};
use super::role::Role;
use crate::bundle::Digest;

/// The file by whose lock a tree is held. Hidden, so that it is not served.
const LOCK: &str = ".lock";
/// How the names of files begin that have no place yet.
const ASIDE: &str = ".aside-";
/// What everybody may do with what is published.
const MODE: u32 = 0o644;

/// A tree that this process may change.
#[derive(Debug)]
pub(super) struct Tree {
    dir: PathBuf,
    /// Never read: the lock lasts as long as it is open.
    _lock: File,
}

/// The metadata that are the newest of a tree.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) root: Signed<Root>,
    pub(super) targets: Signed<Targets>,
    pub(super) snapshot: Signed<Snapshot>,
    pub(super) timestamp: Signed<Timestamp>,
}

/// A tree cannot be used.
#[derive(Debug, Error)]
pub enum TreeError {
    /// There is no repository in the folder.
    #[error("`{}` holds no repository: make one with `metapaas repository init {}`", dir.display(), dir.display())]
    None {
        /// The folder.
        dir: PathBuf,
    },
    /// There is one already.
    #[error("`{}` holds a repository already; name another folder", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// Somebody else changes it.
    #[error("repository `{}` is being changed by another process; wait for it to end", dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
    },
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("`{}` cannot be written; readers see the repository as it was before", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("`{}` is not the metadata of `{role}`: restore it from a mirror or a backup", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Whose metadata it should be.
        role: Role,
        /// Why it is not.
        source: serde_json::Error,
    },
    /// A file was not signed by the keys of this repository.
    #[error("`{}` was changed by somebody who has no key of `{role}`; nothing is signed on top of it: restore it from a mirror or a backup", path.display())]
    Unsigned {
        /// The file.
        path: PathBuf,
        /// Whose metadata it should be.
        role: Role,
        /// What is wrong with its signatures.
        #[source]
        source: Box<tough::schema::Error>,
    },
    /// A file is signed, but not the one that belongs to the others.
    #[error("`{}` is not the file that the metadata above it speak of: restore it from a mirror or a backup", path.display())]
    Mixed {
        /// The file.
        path: PathBuf,
    },
}

impl Tree {
    /// Makes the folders of a new tree.
    pub(super) fn create(dir: &Path) -> Result<Self, TreeError> {
        for folder in [METADATA, TARGETS] {
            let path = dir.join(folder);
            let made = DirBuilder::new().recursive(true).create(&path);
            made.map_err(|source| TreeError::Write { path, source })?;
        }
        let tree = Self { dir: dir.to_owned(), _lock: lock(dir)? };
        if tree.metadata(&versioned(Role::Root, 1)).exists() {
            return Err(TreeError::Exists { dir: dir.to_owned() });
        }
        Ok(tree)
    }

    /// Takes a tree to change it.
    pub(super) fn open(dir: &Path) -> Result<Self, TreeError> {
        if !dir.join(METADATA).join(versioned(Role::Root, 1)).exists() {
            return Err(TreeError::None { dir: dir.to_owned() });
        }
        let tree = Self { dir: dir.to_owned(), _lock: lock(dir)? };
        tree.sweep();
        Ok(tree)
    }

    /// Removes what somebody who was interrupted left aside. What cannot be removed does no harm.
    fn sweep(&self) {
        let folders = [METADATA, TARGETS].map(|folder| fs::read_dir(self.dir.join(folder)));
        for entry in folders.into_iter().flatten().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(ASIDE.as_bytes()) {
                let _still_there = fs::remove_file(entry.path());
            }
        }
    }

    /// The path of a file of metadata.
    pub(super) fn metadata(&self, name: &str) -> PathBuf {
        self.dir.join(METADATA).join(name)
    }

    /// The path of the file of a target.
    pub(super) fn target(&self, path: &str, digest: Digest) -> PathBuf {
        self.dir.join(TARGETS).join(named_by_digest(path, digest))
    }

    /// A file that is nowhere yet. It has a place on the disk that the tree is on.
    pub(super) fn aside(&self) -> Result<NamedTempFile, TreeError> {
        let path = self.dir.join(TARGETS);
        let aside = tempfile::Builder::new().prefix(ASIDE).tempfile_in(&path);
        aside.map_err(|source| TreeError::Write { path, source })
    }

    /// Reads the newest metadata and checks that they are signed and belong together.
    pub(super) fn current(&self) -> Result<Current, TreeError> {
        let root = self.newest_root()?;
        let (timestamp, _bytes) = self.load::<Timestamp>(&unversioned(Role::Timestamp), &root)?;
        let above = timestamp.signed.meta.get("snapshot.json");
        let snapshot = self.load_named::<Snapshot>(Role::Snapshot, above, &root)?;
        let above = snapshot.signed.meta.get("targets.json");
        let targets = self.load_named::<Targets>(Role::Targets, above, &root)?;
        Ok(Current { root, targets, snapshot, timestamp })
    }

    fn newest_root(&self) -> Result<Signed<Root>, TreeError> {
        let exists = |version: &u64| self.metadata(&versioned(Role::Root, *version)).exists();
        let newest = (1..).take_while(exists).last().unwrap_or(1);
        let path = self.metadata(&versioned(Role::Root, newest));
        let root: Signed<Root> = parse(&path, Role::Root, &read(&path)?)?;
        let verified = root.signed.verify_role(&root);
        verified.map_err(|source| unsigned(path, Role::Root, source))?;
        Ok(root)
    }

    fn load_named<T>(
        &self,
        role: Role,
        above: Option<&Metafile>,
        root: &Signed<Root>,
    ) -> Result<Signed<T>, TreeError>
    where
        T: tough::schema::Role + DeserializeOwned,
    {
        let Some(above) = above else {
            return Err(TreeError::Mixed { path: self.metadata(&unversioned(role)) });
        };
        let name = versioned(role, above.version.get());
        let (signed, bytes) = self.load::<T>(&name, root)?;
        let digest = Digest::of_bytes(&bytes);
        let is_other =
            above.hashes.as_ref().is_some_and(|hashes| hashes.sha256 != digest.as_bytes()[..]);
        if is_other || signed.signed.version() != above.version {
            return Err(TreeError::Mixed { path: self.metadata(&name) });
        }
        Ok(signed)
    }

    fn load<T>(&self, name: &str, root: &Signed<Root>) -> Result<(Signed<T>, Vec<u8>), TreeError>
    where
        T: tough::schema::Role + DeserializeOwned,
    {
        let (path, role) = (self.metadata(name), Role::from(T::TYPE));
        let bytes = read(&path)?;
        let signed: Signed<T> = parse(&path, role, &bytes)?;
        let verified = root.signed.verify_role(&signed);
        verified.map_err(|source| unsigned(path, role, source))?;
        Ok((signed, bytes))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TreeError> {
    fs::read(path).map_err(|source| TreeError::Read { path: path.to_owned(), source })
}

fn parse<T: DeserializeOwned>(
    path: &Path,
    role: Role,
    bytes: &[u8],
) -> Result<Signed<T>, TreeError> {
    serde_json::from_slice(bytes).map_err(|source| TreeError::Malformed {
        path: path.to_owned(),
        role,
        source,
    })
}

fn unsigned(path: PathBuf, role: Role, source: tough::schema::Error) -> TreeError {
    TreeError::Unsigned { path, role, source: Box::new(source) }
}

fn lock(dir: &Path) -> Result<File, TreeError> {
    let path = dir.join(LOCK);
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|source| TreeError::Write { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(TreeError::Busy { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(TreeError::Write { path, source }),
    }
}

/// Puts a file with these bytes at `path`, in whose place another may be.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), TreeError> {
    let folder = path.parent().expect("a file of a tree is in a folder");
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut aside = tempfile::Builder::new().prefix(ASIDE).tempfile_in(folder)?;
        aside.write_all(bytes)?;
        place(aside, path)
    });
    written.map_err(|source| TreeError::Write { path: path.to_owned(), source })
}

/// Gives a file that was written aside its name, so that it survives a power cut.
pub(super) fn place(aside: NamedTempFile, path: &Path) -> io::Result<()> {
    let folder = path.parent().expect("a file of a tree is in a folder");
    fs::create_dir_all(folder)?;
    aside.as_file().set_permissions(fs::Permissions::from_mode(MODE))?;
    aside.as_file().sync_all()?;
    aside.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

//! The data directory: who owns it, and how a file in it is replaced.
//!
//! Guarantees: it is private to its user, one daemon at a time holds it (an advisory lock that dies with the
//! process), and a replaced file is either the old one or the new one, also after power loss; so are several
//! files that are replaced together. Not here: what the files mean.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// The file in the directory that says who holds it.
const LOCK: &str = "lock";

/// A data directory that this process holds.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Never read: the lock lasts as long as it is open.
    _lock: File,
}

/// Files that are going to replace those of the same names, all of them or none.
#[derive(Debug)]
pub(crate) struct Replacement<'a> {
    data: &'a DataDir,
    folder: PathBuf,
}

/// Where a replacement is prepared.
const PREPARED: &str = "replacement.new";
/// Where it is once it counts: from then on it is carried out, if need be by the next who opens the directory.
const DECIDED: &str = "replacement";

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is not there and cannot be made.
    #[error("data directory `{}` cannot be made: name another with `--data`", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lock file cannot be opened or locked.
    #[error("`{}` cannot be locked: the directory must be writable and on a file system with locks", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be known who holds it.
    #[error("it cannot be seen whether a daemon holds `{}`: ask as the user that started it", path.display())]
    Look {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another daemon holds it.
    #[error("data directory `{}` is in use by another daemon (process {holder}): stop that one (`metapaas down --data {}`) or name another directory with `--data`", path.display(), path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// What the other daemon wrote about itself.
        holder: String,
    },
    /// A file in it cannot be replaced; the old one is still there.
    #[error("`{}` cannot be written; what it held before is unchanged", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataDir {
    /// Makes the directory if need be and takes it for this process.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| Error::Create { path: path.to_owned(), source })?;
        let data = Self { path: path.to_owned(), _lock: lock(path)? };
        data.carry_out()?;
        Ok(data)
    }

    /// Whether the directory at `path` is between the files that it had and those that it is going to have.
    pub(crate) fn is_being_replaced(path: &Path) -> bool {
        path.join(DECIDED).exists()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Replaces the file `name` by `bytes`, readable by this user alone.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        replace(&self.path, name, bytes)
    }

    /// Begins to replace several files at once.
    pub(crate) fn replace_together(&self) -> Result<Replacement<'_>, Error> {
        let folder = self.join(PREPARED);
        discard(&folder)
            .and_then(|()| DirBuilder::new().mode(0o700).create(&folder))
            .map_err(|source| Error::Write { path: folder.clone(), source })?;
        Ok(Replacement { data: self, folder })
    }

    /// Moves the files of a decided replacement to their places; can be repeated until it comes to its end.
    fn carry_out(&self) -> Result<(), Error> {
        let folder = self.join(DECIDED);
        if !folder.exists() {
            return Ok(());
        }
        self.move_from(&folder).map_err(|source| Error::Write { path: folder, source })
    }

    fn move_from(&self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            fs::rename(entry.path(), self.path.join(entry.file_name()))?;
        }
        sync(&self.path)?;
        fs::remove_dir(folder)
    }
}

impl Replacement<'_> {
    /// The folder that the new files are put into, under the names of those that they replace.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces the files. Without it nothing changes.
    pub(crate) fn commit(self) -> Result<(), Error> {
        let Self { data, folder } = &self;
        sync_all(folder)
            .and_then(|()| fs::rename(folder, data.join(DECIDED)))
            .and_then(|()| sync(&data.path))
            .map_err(|source| Error::Write { path: folder.clone(), source })?;
        data.carry_out()
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        if let Err(error) = discard(&self.folder) {
            tracing::debug!(%error, folder = %self.folder.display(), "left for the next replacement to remove");
        }
    }
}

fn discard(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        sync(&entry?.path())?;
    }
    sync(folder)
}

/// A directory's own entries are synced like a file's bytes.
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The process that holds a data directory, if one does and can be seen from here.
///
/// Looks and does not lock: a daemon that starts at this moment must not find the directory taken.
///
/// # Errors
/// When it cannot be known.
pub(crate) fn holder(directory: &Path) -> Result<Option<u32>, Error> {
    let path = directory.join(LOCK);
    let failed = |source| Error::Look { path: path.clone(), source };
    let (text, lock) =
        match fs::read_to_string(&path).and_then(|text| Ok((text, fs::metadata(&path)?))) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
    let Ok(pid) = text.trim().parse::<u32>() else { return Ok(None) };
    let open = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    // One that is closed while this looks is not the lock.
    let is_lock = |file: fs::Metadata| (file.dev(), file.ino()) == (lock.dev(), lock.ino());
    let mut files = open.filter_map(|entry| fs::metadata(entry.ok()?.path()).ok());
    Ok(files.any(is_lock).then_some(pid))
}

/// Replaces the file `name` in the data directory `directory`, readable by its user alone, by `bytes`.
///
/// Holding the directory is not needed, because the file is replaced whole and one replacement waits for the
/// other: `root` may do this while the daemon of another user runs, and the file is still the daemon's.
pub(crate) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, aside) = (directory.join(name), directory.join(format!("{name}.new")));
    let replaced = || {
        let folder = File::open(directory)?;
        folder.lock()?;
        write_aside(&aside, &folder.metadata()?, bytes)?;
        fs::rename(&aside, &path)?;
        folder.sync_all()
    };
    replaced().map_err(|source| Error::Write { path: path.clone(), source })
}

fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join(LOCK);
    let failed = |source| Error::Lock { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(failed(source)),
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).map_err(failed)?.trim().to_owned();
            return Err(Error::InUse { path: directory.to_owned(), holder });
        }
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

fn write_aside(path: &Path, folder: &fs::Metadata, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    if file.metadata()?.uid() != folder.uid() {
        fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_directory_is_private() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::open(&parent.path().join("a/b")).unwrap();
        assert_eq!(mode(data.path()), 0o700);
        assert_eq!(mode(&data.join("lock")), 0o600);
    }

    #[test]
    fn a_second_daemon_is_refused_and_a_later_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let first = DataDir::open(parent.path()).unwrap();
        let refused = DataDir::open(parent.path()).unwrap_err();
        let wanted = format!("is in use by another daemon (process {})", std::process::id());
        assert!(refused.to_string().contains(&wanted), "{refused}");
        drop(first);
        DataDir::open(parent.path()).unwrap();
    }

    #[test]
    fn the_holder_is_seen_and_only_while_it_holds() {
        let parent = tempfile::tempdir().unwrap();
        assert_eq!(holder(parent.path()).unwrap(), None, "nobody was there yet");
        let data = DataDir::open(parent.path()).unwrap();
        assert_eq!(holder(parent.path()).unwrap(), Some(std::process::id()));
        drop(data);
        assert_eq!(holder(parent.path()).unwrap(), None, "the number in the file is of the past");
    }

    #[test]
    fn a_replaced_file_is_private_and_leaves_nothing_aside() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::open(parent.path()).unwrap();
        data.replace("x.json", b"old, and longer").unwrap();
        data.replace("x.json", b"new").unwrap();
        assert_eq!(fs::read(data.join("x.json")).unwrap(), b"new");
        assert_eq!(mode(&data.join("x.json")), 0o600);
        let mut left: Vec<_> =
            fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock", "x.json"]);
    }

    #[test]
    fn files_replaced_together_are_all_new() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::open(parent.path()).unwrap();
        data.replace("a", b"old").unwrap();
        data.replace("kept", b"kept").unwrap();
        let replacement = data.replace_together().unwrap();
        fs::write(replacement.folder().join("a"), "new").unwrap();
        fs::write(replacement.folder().join("b"), "new").unwrap();
        assert_eq!(fs::read(data.join("a")).unwrap(), b"old");
        replacement.commit().unwrap();
        for (name, wanted) in [("a", "new"), ("b", "new"), ("kept", "kept")] {
            assert_eq!(fs::read_to_string(data.join(name)).unwrap(), wanted, "{name}");
        }
        assert!(!DataDir::is_being_replaced(parent.path()));
    }

    #[test]
    fn a_replacement_that_was_given_up_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::open(parent.path()).unwrap();
        let replacement = data.replace_together().unwrap();
        fs::write(replacement.folder().join("a"), "new").unwrap();
        drop(replacement);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "more than the lock is there");
    }

    #[test]
    fn what_a_crash_interrupted_is_carried_out_by_the_next() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("a"), "new: it was moved before the crash").unwrap();
        fs::write(parent.path().join("b"), "old").unwrap();
        fs::create_dir(parent.path().join(DECIDED)).unwrap();
        fs::write(parent.path().join(DECIDED).join("b"), "new").unwrap();
        fs::create_dir(parent.path().join(PREPARED)).unwrap();
        let data = DataDir::open(parent.path()).unwrap();
        assert_eq!(fs::read_to_string(data.join("b")).unwrap(), "new");
        assert!(fs::read_to_string(data.join("a")).unwrap().starts_with("new"));
        data.replace_together().unwrap();
    }
}

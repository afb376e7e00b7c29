//! A copy of the store in one file, made while the daemon serves, and the way back.
//!
//! Guarantees: a backup is the store at one moment, with what else of the data directory must survive
//! ([`KEPT`]); it is there whole or not at all, and readable by this user alone. A restore happens whole or not at
//! all, never beside a running daemon and never over a store that holds something, unless told so. A backup goes
//! back into the kind of database that it was made of. Not in it: bundles and files of secrets, which come
//! again from where they came; PostgreSQL's users and grants, which the daemon makes at its start.
//!
//! It runs in a process of its own, a command of the client, so it may block on files. Whoever can change a
//! backup can change all that the daemon does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::version::unknown_of;
use super::{Backend, Config, FILE};
use crate::data::{DataDir, Replacement};
use crate::timestamp::Timestamp;
use archive::Manifest;
pub(crate) use error::Error;

mod archive;
mod error;
mod postgres;
mod sqlite;

/// The files of the data directory that go with the store.
const KEPT: [&str; 2] = ["identity.json", "identity.key"];

/// What becomes of a store that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// One that holds anything is kept, and the restore refused.
    Keep,
    /// It is replaced.
    Replace,
}

/// A backup that was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// A backup that was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) made_at: Timestamp,
    pub(crate) made_by: String,
}

/// Backs up the store of the data directory `data` to the file `to`, or to a new one in the folder `to`.
pub(crate) async fn make(config: &Config, data: &Path, to: &Path) -> Result<Made, Error> {
    if DataDir::is_being_replaced(data) {
        return Err(Error::Unfinished { data: data.to_owned() });
    }
    let path = if to.is_dir() { to.join(new_name()) } else { to.to_owned() };
    if path.exists() {
        return Err(Error::Exists { path });
    }
    let folder = temporary(archive::parent(&path))?;
    let (backend, steps) = match &config.database_url {
        Some(url) => (Backend::Postgres, postgres::dump(url, config, folder.path()).await?),
        None => (Backend::Sqlite, sqlite::copy(&data.join(FILE), config, folder.path()).await?),
    };
    for name in KEPT {
        copy_if_there(&data.join(name), &folder.path().join(name))?;
    }
    let manifest = Manifest::of(folder.path(), backend.to_string(), steps)?;
    let bytes = archive::write(&manifest, folder.path(), &path)?;
    Ok(Made { path, bytes })
}

/// Puts the backup `from` in the place of the store of `data`, which this process holds.
pub(crate) async fn restore(
    config: &Config,
    data: &DataDir,
    from: &Path,
    existing: Existing,
) -> Result<Restored, Error> {
    let folder = temporary(data.path())?;
    let manifest = archive::read(from, folder.path())?;
    check(&manifest, config, data, from)?;
    let replacement = data.replace_together()?;
    for name in KEPT {
        take_if_there(folder.path(), name, &replacement)?;
    }
    match &config.database_url {
        Some(url) => postgres::load(url, config, folder.path(), existing).await?,
        None => sqlite::replace(config, data, folder.path(), &replacement, existing).await?,
    }
    replacement.commit()?;
    let Manifest { made_at, made_by, .. } = manifest;
    Ok(Restored { made_at, made_by })
}

/// Refuses a backup that this binary, or the configured database, can do nothing with.
fn check(manifest: &Manifest, config: &Config, data: &DataDir, from: &Path) -> Result<(), Error> {
    let path = || from.to_owned();
    if !unknown_of(&manifest.steps).is_empty() {
        return Err(Error::Newer { path: path(), made_by: manifest.made_by.clone() });
    }
    let (backend, store) = match &config.database_url {
        Some(url) => (Backend::Postgres, url.to_string()),
        None => (Backend::Sqlite, data.join(FILE).display().to_string()),
    };
    if manifest.backend != backend.to_string() {
        let (backup, configured) = (manifest.backend.clone(), backend.to_string());
        return Err(Error::OtherBackend { path: path(), backup, store, configured });
    }
    Ok(())
}

/// Sorts by time.
fn new_name() -> String {
    let digits: String =
        Timestamp::now().to_string().chars().filter(|&c| c != '-' && c != ':').collect();
    format!("metapaas-{digits}.backup")
}

/// A folder for this user alone that goes away with the value.
fn temporary(beside: &Path) -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new()
        .prefix(".metapaas-backup-")
        .tempdir_in(beside)
        .map_err(|source| Error::Write { path: beside.to_owned(), source })
}

fn copy_if_there(from: &Path, to: &Path) -> Result<(), Error> {
    match fs::copy(from, to) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Read { path: from.to_owned(), source })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn take_if_there(folder: &Path, name: &str, into: &Replacement<'_>) -> Result<(), Error> {
    if folder.join(name).exists() { take(folder, name, into) } else { Ok(()) }
}

fn take(folder: &Path, name: &str, into: &Replacement<'_>) -> Result<(), Error> {
    let path = into.folder().join(name);
    fs::rename(folder.join(name), &path).map_err(|source| Error::Write { path, source })
}

#[cfg(test)]
mod tests;

//! What is trusted of a repository, on this machine: the newest metadata that were verified.
//!
//! ```text
//! root.json targets.json snapshot.json timestamp.json      as they were signed
//! .began-with                                              the digest of the root that was given by hand
//! .latest-known-time                                       so that a clock that goes back is noticed
//! ```
//!
//! `tough` writes while it verifies, and in a failed update has replaced some files already. So it works on a
//! copy ([`Trusted::stage`]), and what it verified is put in place by renames once it is through.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::layout::unversioned;
use super::metadata::Files;
use super::role::Role;
use super::tree::place;
use crate::bundle::Digest;

const BEGAN_WITH: &str = ".began-with";
const TIME: &str = ".latest-known-time";
/// The same file, where `tough` wants it.
const TIME_OF_TOUGH: &str = "latest_known_time.json";

/// The folder of what is trusted.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    dir: PathBuf,
}

impl Trusted {
    /// Opens the folder for somebody who trusts `root`. If another root was given before, trust begins anew
    /// with this one; versions that were seen still count, as far as its keys signed them.
    pub(super) fn open(dir: &Path, root: &[u8]) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let trusted = Self { dir: dir.to_owned() };
        let (began_with, given) = (trusted.read(BEGAN_WITH)?, Digest::of_bytes(root).to_string());
        let is_known = began_with.as_deref() == Some(given.as_bytes());
        if !is_known || trusted.role(Role::Root)?.is_none() {
            trusted.write(&unversioned(Role::Root), root)?;
            trusted.write(BEGAN_WITH, given.as_bytes())?;
        }
        Ok(trusted)
    }

    /// Where it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file with the latest time that was seen.
    pub(super) fn time(&self) -> PathBuf {
        self.dir.join(TIME)
    }

    /// The metadata of a role.
    pub(super) fn role(&self, role: Role) -> io::Result<Option<Vec<u8>>> {
        self.read(&unversioned(role))
    }

    /// A copy to verify on.
    pub(super) fn stage(&self) -> io::Result<TempDir> {
        let stage = tempfile::Builder::new().prefix(".update-").tempdir_in(&self.dir)?;
        for role in Role::ALL {
            if let Some(bytes) = self.role(role)? {
                fs::write(stage.path().join(unversioned(role)), bytes)?;
            }
        }
        if let Some(time) = self.read(TIME)? {
            fs::write(stage.path().join(TIME_OF_TOUGH), time)?;
        }
        Ok(stage)
    }

    /// Trusts what was verified on `stage`, as it was when it was `seen`.
    pub(super) fn commit(&self, stage: &Path, seen: &Files) -> io::Result<()> {
        for role in Role::ALL {
            let name = unversioned(role);
            match read(&stage.join(&name))? {
                Some(verified) => self.commit_file(&name, &name, &verified, seen)?,
                // Keys that were rotated take what they signed with them.
                None => discard(&self.dir.join(&name))?,
            }
        }
        self.commit_delegated(stage, seen)?;
        match read(&stage.join(TIME_OF_TOUGH))? {
            Some(time) => self.write(TIME, &time),
            None => Ok(()),
        }
    }

    /// Delegated roles are on the stage by the names that they have in the tree: `3.images.json`.
    fn commit_delegated(&self, stage: &Path, seen: &Files) -> io::Result<()> {
        for entry in fs::read_dir(stage)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let Some((version, role)) = name.split_once('.') else { continue };
            if version.parse::<u64>().is_ok() && role.ends_with(".json") {
                let verified = fs::read(stage.join(&name))?;
                self.commit_file(role, &name, &verified, seen)?;
            }
        }
        Ok(())
    }

    /// Keeps what was `verified` under `name`; in the tree its name ends with `of_tree`.
    fn commit_file(
        &self,
        name: &str,
        of_tree: &str,
        verified: &[u8],
        seen: &Files,
    ) -> io::Result<()> {
        let document = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        let wanted = document(verified);
        if self.read(name)?.is_some_and(|before| document(&before) == wanted) {
            return Ok(());
        }
        let is_named = |name: &str| name == of_tree || name.ends_with(&format!(".{of_tree}"));
        let candidates = seen.iter().filter(|(name, _bytes)| is_named(name));
        let came = candidates.map(|(_name, bytes)| bytes).find(|bytes| document(bytes) == wanted);
        self.write(name, came.map_or(verified, Vec::as_slice))
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        read(&self.dir.join(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut aside = tempfile::Builder::new().prefix(".aside-").tempfile_in(&self.dir)?;
        aside.write_all(bytes)?;
        place(aside, &self.dir.join(name))
    }
}

/// The version that signed metadata have.
pub(super) fn version_of(bytes: &[u8]) -> Option<u64> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    document["signed"]["version"].as_u64()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn discard(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

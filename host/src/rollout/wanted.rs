//! What is wanted of each element, on disk.
//!
//! One JSON document, written aside and renamed, so that it is always whole. It is read once, at the start.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packer::bundle::ElementName;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::data::{self, DataDir};
use crate::plugin::lane::Isolation;

/// The document's name in the data directory.
const FILE: &str = "elements.json";

/// What is wanted of one element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Which version.
    pub(crate) version: Version,
    /// Which lane.
    #[serde(default)]
    pub(crate) isolation: Isolation,
    /// The element's settings; its plugin checks them.
    #[serde(default = "no_settings")]
    pub(crate) settings: serde_json::Value,
    /// The mounts that are granted to it.
    #[serde(default)]
    pub(crate) mounts: Vec<String>,
    /// The listeners that are granted to it, with their addresses.
    #[serde(default)]
    pub(crate) listeners: BTreeMap<String, SocketAddr>,
}

impl Wanted {
    /// The members of its document.
    pub(crate) const MEMBERS: [&'static str; 5] =
        ["version", "isolation", "settings", "mounts", "listeners"];
}

fn no_settings() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// Why the wanted state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file is there and cannot be read.
    #[error("the wanted elements in `{}` cannot be read; mend or remove that file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no such document.
    #[error("`{}` is not a list of wanted elements; mend or remove that file", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// A folder of the data directory cannot be made.
    #[error("`{}` cannot be made", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The document cannot be replaced; the old one is still there.
    #[error("the wanted elements cannot be written down; nothing was changed")]
    Write(#[source] data::Error),
}

/// The document.
#[derive(Debug)]
pub(crate) struct WantedStore {
    data: Arc<DataDir>,
    all: Mutex<BTreeMap<ElementName, Wanted>>,
}

impl WantedStore {
    /// Reads the document; without one nothing is wanted.
    pub(crate) fn open(data: Arc<DataDir>) -> Result<Self, Error> {
        let path = data.join(FILE);
        let all = match fs::read(&path) {
            Ok(document) => serde_json::from_slice(&document)
                .map_err(|source| Error::Parse { path: path.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(Error::Read { path, source }),
        };
        Ok(Self { data, all: Mutex::new(all) })
    }

    /// Everything that is wanted.
    pub(crate) fn all(&self) -> BTreeMap<ElementName, Wanted> {
        self.lock().clone()
    }

    /// Wants an element so. It is on disk when this returns.
    pub(crate) fn put(&self, name: &ElementName, wanted: Wanted) -> Result<(), Error> {
        self.change(|all| drop(all.insert(name.clone(), wanted)))
    }

    /// Wants an element no more. It is on disk when this returns.
    pub(crate) fn remove(&self, name: &ElementName) -> Result<(), Error> {
        self.change(|all| drop(all.remove(name)))
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<ElementName, Wanted>)) -> Result<(), Error> {
        let mut all = self.lock();
        let mut changed = all.clone();
        change(&mut changed);
        if changed == *all {
            return Ok(());
        }
        let document = serde_json::to_vec_pretty(&changed).expect("wanted elements are plain data");
        self.data.replace(FILE, &document).map_err(Error::Write)?;
        *all = changed;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ElementName, Wanted>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_still_wanted_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let data = Arc::new(DataDir::open(folder.path()).unwrap());
        let open = || WantedStore::open(Arc::clone(&data)).unwrap();
        let name: ElementName = "demo".parse().unwrap();
        let wanted: Wanted = serde_json::from_str(r#"{"version": "0.1.0"}"#).unwrap();
        open().put(&name, wanted.clone()).unwrap();
        assert_eq!(open().all(), BTreeMap::from([(name.clone(), wanted)]));
        open().remove(&name).unwrap();
        assert_eq!(open().all(), BTreeMap::new());
    }

    #[test]
    fn a_document_that_cannot_be_read_is_told_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let data = Arc::new(DataDir::open(folder.path()).unwrap());
        let path = data.join(FILE);
        fs::write(&path, "{").unwrap();
        let error = WantedStore::open(data).unwrap_err().to_string();
        assert!(
            error.ends_with("is not a list of wanted elements; mend or remove that file"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"{");
    }
}

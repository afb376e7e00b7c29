//! Finds the files of a docs directory.
//!
//! Regular files and directories only: a link could bring in what the author did not mean to
//! publish, or differ from machine to machine. The result is sorted by where the files go.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Limits, PackError, Place};

/// The files under `dir` and their places under `docs/`.
pub(super) fn walk(dir: &Path) -> Result<BTreeMap<Place, PathBuf>, PackError> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(current) = dirs.pop() {
        let unreadable = |source| PackError::Input { path: current.clone(), source };
        for entry in fs::read_dir(&current).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                files.insert(place_of(&path, dir)?, path);
            } else {
                return Err(PackError::DocKind(path));
            }
        }
    }
    Ok(files)
}

fn place_of(path: &Path, dir: &Path) -> Result<Place, PackError> {
    let inside = path.strip_prefix(dir).expect("the walk stays under its directory");
    let packed = [b"docs/", inside.as_os_str().as_encoded_bytes()].concat();
    Place::parse(&packed, Limits::default().path_bytes_max)
        .map_err(|source| PackError::DocPath { path: path.to_owned(), source })
}

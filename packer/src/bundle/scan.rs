//! Lists a directory of bundles.
//!
//! One broken file does not hide the others: it is listed as broken, with the reason. Only heads
//! are read, so a [`Found`] is a claim; [`Bundle::open`](super::Bundle::open) or
//! [`unpack`](super::unpack()) verify. Directories inside are not entered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{BundleHead, Limits, ReadError, head_of};

/// What is in a directory of bundles.
#[derive(Debug)]
pub struct Scan {
    /// Files that begin as a bundle does, sorted by element, version and path.
    pub found: Vec<Found>,
    /// Files that are named as a bundle and are none, sorted by path.
    pub broken: Vec<ReadError>,
}

/// A file that claims to be a bundle.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// What it says about itself.
    pub head: BundleHead,
}

/// The directory cannot be listed.
#[derive(Debug, Error)]
#[error("directory of bundles `{}` cannot be listed", dir.display())]
pub struct ScanError {
    /// The directory.
    pub dir: PathBuf,
    #[source]
    source: io::Error,
}

/// Lists the files of `dir` that are named `*.bundle`, hidden ones left out.
///
/// # Errors
///
/// When the directory itself cannot be listed.
pub fn scan_dir(dir: &Path, limits: &Limits) -> Result<Scan, ScanError> {
    let paths = bundle_paths(dir).map_err(|source| ScanError { dir: dir.to_owned(), source })?;
    let mut scan = Scan { found: Vec::new(), broken: Vec::new() };
    for path in paths {
        match head_of(&path, limits) {
            Ok(head) => scan.found.push(Found { path, head }),
            Err(error) => scan.broken.push(error),
        }
    }
    // The sort is stable and the paths were sorted: equal versions stay in the order of paths.
    scan.found.sort_by(|a, b| {
        (a.head.element(), a.head.version()).cmp(&(b.head.element(), b.head.version()))
    });
    Ok(scan)
}

/// The files of `dir` that are named `*.bundle`, hidden ones left out, by name. None of them is opened.
///
/// # Errors
///
/// When the directory itself cannot be listed.
pub fn bundle_paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        // A hidden file is one that somebody is still writing.
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "bundle") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

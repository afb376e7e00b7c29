//! The bundle's contract, seen from outside: round trips, hostile files, the store, random damage.

mod flips;
mod forge;
mod hostile;
mod listing;
mod packing;
mod store;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Contents, Limits, TargetTriple, pack_to_dir};

const DESCRIPTOR: &[u8] = br#"{"schema_version":1,"routes":[]}"#;
const OTHER_TARGET: &str = "s390x-unknown-linux-gnu";

/// A build's output in a directory of its own, and an empty store next to it.
struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("docs/guide")).unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        fs::write(dir.path().join("docs/index.md"), "# Hello\n").unwrap();
        fs::write(dir.path().join("docs/guide/start.md"), "Begin.\n").unwrap();
        fs::write(dir.path().join("LICENSE"), "Apache-2.0\n").unwrap();
        fs::write(dir.path().join("host.so"), library_bytes(1)).unwrap();
        fs::write(dir.path().join("other.so"), library_bytes(2)).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn contents(&self) -> Contents {
        Contents {
            element: "hello".parse().unwrap(),
            version: "1.4.0".parse().unwrap(),
            libraries: BTreeMap::from([
                (TargetTriple::host(), self.path("host.so")),
                (OTHER_TARGET.parse().unwrap(), self.path("other.so")),
            ]),
            descriptor: DESCRIPTOR.to_vec(),
            license: Some(self.path("LICENSE")),
            docs: Some(self.path("docs")),
        }
    }

    /// Packs the usual contents and says where the bundle is.
    fn bundle(&self) -> PathBuf {
        pack_to_dir(&self.contents(), self.dir.path()).unwrap().path
    }

    /// The names in the store, hidden ones too.
    fn stored(&self) -> Vec<String> {
        names_in(&self.path("store"))
    }

    /// The text of an error and its causes, without this site's directory and the random names
    /// in it.
    fn text(&self, error: &dyn Error) -> String {
        let text = chain(error).replace(&format!("{}/", self.dir.path().display()), "");
        text.split(" at path ").next().unwrap().to_owned()
    }
}

/// Bytes that do not shrink, larger than one chunk and not a whole number of blocks.
fn library_bytes(seed: u32) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(state.to_be_bytes()[0])
    };
    std::iter::repeat_n((), 100_001).scan(seed, |state, ()| next(state)).collect()
}

fn names_in(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| name(entry).into_string().unwrap()).collect();
    names.sort();
    names
}

fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!("\n  caused by: {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

fn limits() -> Limits {
    Limits::default()
}

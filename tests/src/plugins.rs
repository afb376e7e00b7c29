//! Built plugins, packed into bundles once for each build of theirs.
//!
//! Plugins are never built from here: each is built by itself in a workspace of its own before the tests run,
//! and a missing one fails the test with the command that builds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::places;

/// The workspaces that plugins are built in.
#[derive(Debug, Clone, Copy)]
pub enum Workspace {
    /// `examples`.
    Examples,
    /// `tests/fixtures`.
    Fixtures,
}

/// A plugin in its bundle.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// The element whose code it is.
    pub element: String,
    /// The element's version.
    pub version: String,
    /// The file.
    pub bundle: PathBuf,
}

impl Workspace {
    fn folder(self) -> &'static str {
        match self {
            Self::Examples => "examples",
            Self::Fixtures => "tests/fixtures",
        }
    }
}

/// The library that `cargo build --release -p package` makes in `workspace`.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn library(workspace: Workspace, package: &str) -> PathBuf {
    let folder = places::checkout().join(workspace.folder());
    let library = folder.join(format!("target/release/lib{}.so", package.replace('-', "_")));
    assert!(
        library.exists(),
        "the plugin `{package}` is not built: run `cargo build --release -p {package}` in `{}`",
        folder.display()
    );
    library
}

impl Plugin {
    /// The plugin of this package.
    ///
    /// # Panics
    /// When it is not built or cannot be packed.
    #[must_use]
    pub fn built(workspace: Workspace, package: &str) -> Self {
        Self::packed(&library(workspace, package))
    }

    /// The plugin in this library. Packed again only when the library or the daemon is a new one.
    ///
    /// # Panics
    /// When it cannot be packed.
    #[must_use]
    pub fn packed(library: &Path) -> Self {
        let shared = places::leftovers("e2e-bundles");
        let stem = library.file_stem().expect("a library has a name").to_string_lossy();
        let stamp = format!("{stem}-{:x}-{:x}", stamp(library), stamp(&daemon()));
        let folder = shared.join(stamp);
        if !folder.exists() {
            // Packed aside and renamed, because other tests are other processes that want the same.
            let aside = tempfile::tempdir_in(&shared).expect("the target folder can be written");
            pack(library, aside.path());
            if fs::rename(aside.path(), &folder).is_ok() {
                // It has moved away; nothing is left to delete.
                let _moved = aside.keep();
            }
        }
        Self::in_folder(&folder)
    }

    fn in_folder(folder: &Path) -> Self {
        let files = fs::read_dir(folder).expect("the folder was just made");
        let mut bundles = files.filter_map(|file| Some(file.ok()?.path()));
        let bundle = bundles.next().expect("packing makes one file");
        let stem = bundle.file_stem().expect("a bundle has a name").to_string_lossy();
        let (element, version) = stem.rsplit_once('-').expect("it is named `element-version`");
        Self { element: element.to_owned(), version: version.to_owned(), bundle: bundle.clone() }
    }
}

/// Runs `metapaas plugin pack`.
///
/// # Panics
/// When it refuses; shows what it said.
pub fn pack(library: &Path, out: &Path) {
    let mut command = Command::new(daemon());
    command.args(["plugin", "pack", "--library"]).arg(library).arg("--out").arg(out);
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The binary of the daemon.
#[must_use]
pub fn daemon() -> PathBuf {
    places::binary("metapaas")
}

/// Changes whenever the file is built anew.
fn stamp(file: &Path) -> u128 {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    let since = modified.map(|time| time.duration_since(SystemTime::UNIX_EPOCH));
    since.expect("the file exists").expect("it was built after 1970").as_nanos()
}

//! Built plugins, packed into bundles once for each build of theirs.
//!
//! Plugins are never built from here: each is built by itself in a workspace of its own before the tests run,
//! and a missing one fails the test with the command that builds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use packer::bundle::{Bundle, Limits};

use crate::places;

/// The names in the sources of the package `scale`.
const PLACEHOLDER_ELEMENT: &str = "scale-placeholder-element-nr-000";
const PLACEHOLDER_TYPE: &str = "scaleplaceholdertypenr000";

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
        Self::in_bundle(bundles.next().expect("packing makes one file"))
    }

    fn in_bundle(bundle: PathBuf) -> Self {
        let stem = bundle.file_stem().expect("a bundle has a name").to_string_lossy();
        let (element, version) = stem.rsplit_once('-').expect("it is named `element-version`");
        let (element, version) = (element.to_owned(), version.to_owned());
        Self { element, version, bundle }
    }

    /// The migrations that its bundle declares, as the descriptor has them.
    ///
    /// # Panics
    /// When the bundle cannot be read.
    #[must_use]
    pub fn migrations(&self) -> Vec<serde_json::Value> {
        let bundle = Bundle::open(&self.bundle, &Limits::default()).expect("it was just packed");
        let mut descriptor: serde_json::Value =
            serde_json::from_slice(bundle.descriptor()).expect("a descriptor is a document");
        // A descriptor leaves out what is empty.
        serde_json::from_value(descriptor["migrations"].take()).unwrap_or_default()
    }

    /// As many different elements as wanted, made of one build: copies of the library of the package `scale`
    /// with other names written over its placeholders. The bundles are made in `out`.
    ///
    /// # Panics
    /// When the library is not built or a copy cannot be packed.
    #[must_use]
    pub fn crowd(n_plugins: usize, out: &Path) -> Vec<Self> {
        let original = fs::read(library(Workspace::Fixtures, "scale")).expect("it is built");
        let copy = out.join("copy.so");
        let one = |number: usize| {
            let mut bytes = original.clone();
            for placeholder in [PLACEHOLDER_ELEMENT, PLACEHOLDER_TYPE] {
                overwrite(&mut bytes, placeholder, &numbered(placeholder, number));
            }
            fs::write(&copy, bytes).expect("an own folder can be written");
            pack(&copy, out);
            let element = numbered(PLACEHOLDER_ELEMENT, number);
            Self::in_bundle(out.join(format!("{element}-0.1.0.bundle")))
        };
        (1..=n_plugins).map(one).collect()
    }
}

/// The slug of the only type of a member of the crowd.
#[must_use]
pub fn crowd_slug(number: usize) -> String {
    numbered(PLACEHOLDER_TYPE, number)
}

fn numbered(placeholder: &str, number: usize) -> String {
    format!("{}{number:03}", placeholder.strip_suffix("000").expect("it ends in three digits"))
}

/// Writes the end of `new` over every end of `old`: the compiler may keep a name in pieces of a word or more.
fn overwrite(bytes: &mut [u8], old: &str, new: &str) {
    const WORD: usize = 8;
    assert_eq!(old.len(), new.len(), "`{new}` does not fit in the place of `{old}`");
    let (old, new) = (&old.as_bytes()[old.len() - WORD..], &new.as_bytes()[new.len() - WORD..]);
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    assert!(!places.is_empty(), "the library has no `{}`", String::from_utf8_lossy(old));
    for at in places {
        bytes[at..at + WORD].copy_from_slice(new);
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
    std::env::var_os("METAPAAS_DAEMON").map_or_else(|| places::binary("metapaas"), PathBuf::from)
}

/// Changes whenever the file is built anew.
fn stamp(file: &Path) -> u128 {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    let since = modified.map(|time| time.duration_since(SystemTime::UNIX_EPOCH));
    since.expect("the file exists").expect("it was built after 1970").as_nanos()
}

//! Bundles of the fixtures, also of those that no packer would make.

use std::fs;
use std::path::{Path, PathBuf};

use metapaas_tests::places;
use metapaas_tests::plugins::{Plugin, Workspace, library};
use packer::bundle::{Bundle, Contents, Limits, TargetTriple, pack_to_dir};
use tempfile::TempDir;

/// The element and version as which every broken fixture comes.
pub(super) const ELEMENT: &str = "broken";
pub(super) const BROKEN: &str = "0.2.0";
pub(super) const HEALTHY: &str = "0.1.0";

/// Where an ELF header names the processor.
const E_MACHINE: usize = 18;
const EM_AARCH64: u8 = 183;

/// A bundle of `broken` 0.2.0, or of 0.1.0, which is `healthy`.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) plugin: Plugin,
    /// Where a bundle that was made for this offer alone is.
    _folder: Option<TempDir>,
}

/// What happens to the bytes of a library on their way.
type Damage = fn(Vec<u8>) -> Vec<u8>;

/// The fixture of this name, packed as any plugin.
pub(super) fn packed(package: &str) -> Offer {
    offer(Plugin::built(Workspace::Fixtures, package))
}

/// The fixture that is built with the profile `abort`.
pub(super) fn packed_panic_abort() -> Offer {
    let library = abort_profile();
    offer(Plugin::packed(&library))
}

fn offer(plugin: Plugin) -> Offer {
    Offer { plugin, _folder: None }
}

/// The library that cannot unwind.
fn abort_profile() -> PathBuf {
    let fixtures = places::checkout().join("tests/fixtures");
    let library = fixtures.join("target/abort/libpanic_abort.so");
    assert!(
        library.exists(),
        "no `{}`: run `cargo build --profile abort -p panic-abort` in `{}`",
        library.display(),
        fixtures.display()
    );
    library
}

/// The library of this fixture in a bundle that says it is `broken` 0.2.0, whatever the library says.
pub(super) fn forged(package: &str) -> Offer {
    forge(&library(Workspace::Fixtures, package), healthy_descriptor())
}

/// A fixture whose library says another thing when it is probed than its bundle does.
pub(super) fn forged_unlike_the_probe(package: &str) -> Offer {
    let packed = Plugin::built(Workspace::Fixtures, package);
    let descriptor = descriptor(&packed).replace("\"probe\"", "\"plugin\"");
    forge(&library(Workspace::Fixtures, package), descriptor.into_bytes())
}

/// The library of `healthy` as 0.2.0, although its own descriptor says 0.1.0.
pub(super) fn forged_version() -> Offer {
    let healthy = descriptor(&Plugin::built(Workspace::Fixtures, "healthy"));
    forge(&library(Workspace::Fixtures, "healthy"), healthy.into_bytes())
}

/// The library of `healthy` with other bytes.
pub(super) fn damaged(damage: Damage) -> Offer {
    let folder = folder();
    let library = folder.path().join("plugin.so");
    fs::write(&library, damaged_bytes(damage)).unwrap();
    forge(&library, healthy_descriptor())
}

/// The bytes of `healthy`'s library, damaged.
pub(super) fn damaged_bytes(damage: Damage) -> Vec<u8> {
    damage(fs::read(library(Workspace::Fixtures, "healthy")).unwrap())
}

/// As if it had been built for another processor.
pub(super) fn for_aarch64(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[E_MACHINE] = EM_AARCH64;
    bytes
}

/// As a copy that broke off.
pub(super) fn cut_in_half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn forge(library: &Path, descriptor: Vec<u8>) -> Offer {
    let contents = Contents {
        element: ELEMENT.parse().unwrap(),
        version: BROKEN.parse().unwrap(),
        libraries: [(TargetTriple::host(), library.to_owned())].into(),
        descriptor,
        license: None,
        docs: None,
    };
    let folder = folder();
    let bundle = pack_to_dir(&contents, folder.path()).unwrap().path;
    let plugin = Plugin { element: ELEMENT.to_owned(), version: BROKEN.to_owned(), bundle };
    Offer { plugin, _folder: Some(folder) }
}

fn folder() -> TempDir {
    TempDir::with_prefix("metapaas-").unwrap()
}

/// What `healthy` would say of itself as 0.2.0.
fn healthy_descriptor() -> Vec<u8> {
    let healthy = descriptor(&Plugin::built(Workspace::Fixtures, "healthy"));
    healthy.replace(HEALTHY, BROKEN).into_bytes()
}

fn descriptor(plugin: &Plugin) -> String {
    let bundle = Bundle::open(&plugin.bundle, &Limits::default()).unwrap();
    String::from_utf8(bundle.descriptor().to_vec()).unwrap()
}

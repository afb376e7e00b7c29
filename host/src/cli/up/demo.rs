//! The demo plugin: built from the checkout, packed into the bundles, installed once.
//!
//! Guarantees: what is newer than its sources is not built again; a bundle is packed only from a library that
//! says to be that version; the demo is installed by the first start that can, and never again on that state,
//! so that whoever uninstalls or upgrades it is not overruled.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use packer::bundle::ElementName;

use super::say;
use crate::cli::cargo;
use crate::cli::plugin::{self, Pack};
use crate::data::DataDir;
use crate::operation::Requester;
use crate::rollout::Elements;
use crate::rollout::wish::{Asker, Change, Patch};

/// The demo's element.
pub(super) const ELEMENT: &str = "metapaas-demo";
/// The version that is installed.
const FIRST_VERSION: &str = "0.1.0";
/// The version to upgrade to.
pub(super) const NEXT_VERSION: &str = "0.2.0";
/// How long the installation is waited for.
const INSTALL_LIMIT: Duration = Duration::from_secs(60);
/// The file in the data directory that says that the demo was installed once.
const MARKER: &str = "demo-installed";

/// Every version of the demo, with what cargo needs to be told to build it.
const VERSIONS: [Version; 2] = [
    Version { number: FIRST_VERSION, features: None },
    Version { number: NEXT_VERSION, features: Some("next") },
];

/// What the demo is made of, below the root of a checkout.
const SOURCES: [&str; 5] =
    ["examples/demo", "examples/Cargo.toml", "examples/Cargo.lock", "plugin-abi", "plugin-sdk"];

struct Version {
    number: &'static str,
    features: Option<&'static str>,
}

/// A checkout of MetaPaaS.
#[derive(Debug)]
pub(super) struct Checkout {
    /// Empty for the current folder, so that what is printed is short.
    root: PathBuf,
}

/// Whether the demo is an element of the daemon.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    Yes,
    No,
}

impl Checkout {
    /// The current folder, if it is one.
    pub(super) fn here() -> Option<Self> {
        let is_one =
            Path::new("examples/demo/Cargo.toml").is_file() && Path::new("plugins-dir").is_dir();
        is_one.then(|| Self { root: PathBuf::new() })
    }

    /// Where its bundles go.
    pub(super) fn bundles(&self) -> PathBuf {
        self.root.join("plugins-dir")
    }

    /// When a source of the demo was last changed.
    fn changed_at(&self) -> io::Result<SystemTime> {
        let mut all = SOURCES.iter().map(|source| newest(&self.root.join(source)));
        all.try_fold(SystemTime::UNIX_EPOCH, |newest, one| Ok(newest.max(one?)))
    }
}

/// The newest file in a folder, other than what cargo puts there; or the file itself.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return metadata.modified();
    }
    fs::read_dir(path)?.try_fold(SystemTime::UNIX_EPOCH, |so_far, entry| {
        let entry = entry?;
        if entry.file_name() == "target" {
            Ok(so_far)
        } else {
            Ok(so_far.max(newest(&entry.path())?))
        }
    })
}

/// Builds and packs each version whose bundle is missing or older than the sources.
///
/// # Errors
/// When one cannot be made; the bundles that were there are still there.
///
/// # Cancellation
/// Ends the build.
pub(super) async fn make(checkout: &Checkout, bundles: &Path) -> anyhow::Result<()> {
    let changed_at = checkout.changed_at().context("the sources of the demo cannot be read")?;
    let is_old = |version: &&Version| {
        let packed_at = fs::metadata(bundle(bundles, version)).and_then(|file| file.modified());
        packed_at.map_or(true, |packed_at| packed_at < changed_at)
    };
    for version in VERSIONS.iter().filter(is_old) {
        say(format!("building {ELEMENT} {} (once) …", version.number));
        let library = cargo::build(&cargo::Plugin {
            manifest: &checkout.root.join("examples/Cargo.toml"),
            package: Some(ELEMENT),
            features: version.features,
            // Where everything else looks for plugins, whatever CARGO_TARGET_DIR says.
            target: Some(&checkout.root.join("examples/target")),
        })
        .await?;
        let out = bundles.to_owned();
        let packing = tokio::task::spawn_blocking(move || pack(library, out));
        let packed = packing.await.context("packing does not panic")??;
        let wanted = bundle(bundles, version);
        if packed != wanted {
            bail!("`{}` came out where `{}` was wanted", packed.display(), wanted.display());
        }
        say(format!("packed {}", packed.display()));
    }
    Ok(())
}

fn bundle(bundles: &Path, version: &Version) -> PathBuf {
    bundles.join(format!("{ELEMENT}-{}.bundle", version.number))
}

fn pack(library: PathBuf, out: PathBuf) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(&out).with_context(|| format!("`{}` cannot be made", out.display()))?;
    let flags = Pack { library, out, license: None, docs: None };
    plugin::pack(flags).map(|packed| packed.path)
}

/// Whether the demo is an element.
pub(super) fn is_known(elements: &Elements) -> Known {
    match elements.report(&element()) {
        Some(_report) => Known::Yes,
        None => Known::No,
    }
}

/// Installs the demo if no start before this one did: what came of it.
///
/// # Errors
/// When it does not serve, or could not be asked for.
pub(super) async fn install_once(
    elements: &Elements,
    data: &DataDir,
    bundles: &Path,
) -> anyhow::Result<Option<String>> {
    let is_there = bundle(bundles, &VERSIONS[0]).exists();
    if data.join(MARKER).exists() || !is_there {
        return Ok(None);
    }
    let patch = Patch { version: Some(FIRST_VERSION.parse()?), ..Patch::default() };
    let operation =
        elements.change(&element(), Change::Put(patch), Asker::Api, Requester::daemon()).await?;
    data.replace(MARKER, FIRST_VERSION.as_bytes())?;
    let ended = elements.shared().operations.wait(operation, INSTALL_LIMIT).await?;
    match ended.and_then(|operation| operation.failure) {
        None => Ok(Some(format!("{ELEMENT} {FIRST_VERSION}"))),
        Some(failure) => bail!("{}", failure.detail),
    }
}

fn element() -> ElementName {
    ELEMENT.parse().expect("the demo's name is one")
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn the_newest_source_counts_and_built_things_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (name, seconds) in [("src/lib.rs", 7), ("Cargo.toml", 5), ("target/x.so", 9)] {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            File::create(root.join(name)).unwrap().set_modified(at(seconds)).unwrap();
        }
        assert_eq!(newest(root).unwrap(), at(7));
        assert_eq!(newest(&root.join("Cargo.toml")).unwrap(), at(5));
    }
}

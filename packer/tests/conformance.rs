//! The command line that conformance suites of TUF speak to, against trees of our own.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use packer::bundle::{Contents, TargetTriple, pack_to_dir};
use packer::repository::{Assignment, Passphrase};
use packer::repository::{Expires, Publisher, Role, SigningKey, create_keys, init, read_keys};
use tempfile::TempDir;

const TARGET: &str = "hello/1.0.0/hello-1.0.0.bundle";

/// A repository with one bundle, and a client that was given its root.
struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { dir: TempDir::new().unwrap() };
        let key = SigningKey::generate().unwrap();
        let public = || vec![key.public().clone()];
        let assignment: Assignment = Role::ALL.into_iter().map(|role| (role, public())).collect();
        create_keys(&site.path("key"), std::slice::from_ref(&key), &passphrase()).unwrap();
        init(&site.path("tree"), &assignment, site.keys(), Expires::from_now()).unwrap();
        let library = site.path("library.so");
        fs::write(&library, "library").unwrap();
        let contents = Contents {
            element: "hello".parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            libraries: [(TargetTriple::host(), library)].into(),
            descriptor: b"{}".to_vec(),
            license: None,
            docs: None,
        };
        let bundle = pack_to_dir(&contents, site.dir.path()).unwrap().path;
        site.publisher(Expires::from_now()).publish(&[bundle], &BTreeMap::new()).unwrap();
        assert_eq!(site.client("init", &[site.path("tree/metadata/1.root.json")]), 0);
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn keys(&self) -> Vec<SigningKey> {
        read_keys(&self.path("key"), Some(&passphrase())).unwrap()
    }

    fn publisher(&self, expires: Expires) -> Publisher {
        Publisher::open(&self.path("tree"), self.keys(), expires).unwrap()
    }

    /// Runs a command of the client, and gives its exit code.
    fn client(&self, command: &str, arguments: &[PathBuf]) -> i32 {
        let status = Command::new(env!("CARGO_BIN_EXE_tuf-client"))
            .args(["--metadata-dir".into(), self.path("client")])
            .args(["--metadata-url".into(), self.path("tree/metadata")])
            .args(["--target-base-url".into(), self.path("tree/targets")])
            .args(["--target-dir".into(), self.path("downloads")])
            .args(["--target-name", TARGET])
            .arg(command)
            .args(arguments)
            .status();
        status.unwrap().code().unwrap()
    }

    /// What the client trusts, by the names that the suites look for.
    fn trusted(&self) -> BTreeMap<String, Vec<u8>> {
        visible_in(&self.path("client"))
    }

    fn downloads(&self) -> Vec<Vec<u8>> {
        visible_in(&self.path("downloads")).into_values().collect()
    }

    fn bundle(&self) -> PathBuf {
        let folder = self.path("tree/targets/hello/1.0.0");
        fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
    }
}

/// The files in a folder that are not hidden.
fn visible_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let files = entries.map(|entry| entry.unwrap().path());
    let named = files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let visible = named.filter(|(name, _path)| !name.starts_with('.'));
    visible.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse").unwrap()
}

#[test]
fn a_client_trusts_refreshes_and_downloads() {
    let site = Site::new();
    assert_eq!(site.trusted().keys().collect::<Vec<_>>(), ["root.json"]);
    assert_eq!(site.client("refresh", &[]), 0);
    let names = ["root.json", "snapshot.json", "targets.json", "timestamp.json"];
    assert_eq!(site.trusted().keys().collect::<Vec<_>>(), names);
    assert!(site.downloads().is_empty());
    assert_eq!(site.client("download", &[]), 0);
    assert!(site.downloads() == [fs::read(site.bundle()).unwrap()]);
    // What was downloaded is not asked for again.
    fs::remove_file(site.bundle()).unwrap();
    assert_eq!(site.client("download", &[]), 0);
}

#[test]
fn a_failed_update_leaves_what_was_trusted() {
    let site = Site::new();
    let timestamp = site.path("tree/metadata/timestamp.json");
    let old = fs::read(&timestamp).unwrap();
    site.publisher(Expires::from_now()).refresh().unwrap();
    assert_eq!(site.client("refresh", &[]), 0);
    let trusted = site.trusted();

    // Rollback.
    let new = fs::read(&timestamp).unwrap();
    fs::write(&timestamp, old).unwrap();
    assert_eq!(site.client("refresh", &[]), 1);
    assert!(site.trusted() == trusted);
    // Freeze.
    fs::write(&timestamp, new).unwrap();
    let expired =
        Expires { timestamp: "2020-01-01T00:00:00Z".parse().unwrap(), ..Expires::from_now() };
    site.publisher(expired).refresh().unwrap();
    assert_eq!(site.client("refresh", &[]), 1);
    assert!(site.trusted() == trusted);
    // And once it is well again.
    site.publisher(Expires::from_now()).refresh().unwrap();
    assert_eq!(site.client("refresh", &[]), 0);
    assert!(site.trusted() != trusted);
}

#[test]
fn what_was_not_signed_is_not_kept() {
    let site = Site::new();
    fs::write(site.bundle(), "something else").unwrap();
    assert_eq!(site.client("download", &[]), 1);
    assert!(site.downloads().is_empty());
}

#[test]
fn a_root_that_its_keys_did_not_sign_is_not_trusted() {
    let site = Site::new();
    let root = fs::read_to_string(site.path("tree/metadata/1.root.json")).unwrap();
    fs::write(site.path("forged.json"), root.replace("\"version\": 1", "\"version\": 7")).unwrap();
    let trusted = site.trusted();
    assert_eq!(site.client("init", &[site.path("forged.json")]), 1);
    assert!(site.trusted() == trusted);
}

//! The repository's contract: its owner's life, every attack on its readers, crashes, downloads that break off.

mod attacks;
mod crash;
mod downloads;
mod owner;
mod readers;
mod rotation;
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{
    Assignment, Error, Expires, Location, Offer, Publication, PublishError, Publisher, Repository,
    Role, SigningKey, init, parse_keys,
};
use crate::bundle::{Contents, ElementName, TargetTriple, pack_to_dir};

/// A repository in a directory of its own, with all its keys, and what is read of it.
struct Site {
    dir: TempDir,
    /// One for each role, as PEM: keys are not copied.
    keys: BTreeMap<Role, String>,
}

impl Site {
    fn new() -> Self {
        let site = Self { dir: TempDir::new().unwrap(), keys: keys() };
        init(&site.tree(), &site.assignment(), site.keys(), Expires::from_now()).unwrap();
        site
    }

    /// One that has these versions of `hello`.
    fn with(versions: &[&str]) -> Self {
        let site = Self::new();
        for version in versions {
            site.publish(version).unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn tree(&self) -> PathBuf {
        self.path("tree")
    }

    fn metadata(&self, name: &str) -> PathBuf {
        self.tree().join("metadata").join(name)
    }

    fn keys(&self) -> Vec<SigningKey> {
        self.keys.values().flat_map(|pem| parse_keys(pem, None).unwrap()).collect()
    }

    fn assignment(&self) -> Assignment {
        assignment(&self.keys)
    }

    fn publisher(&self) -> Publisher {
        self.publisher_until(Expires::from_now())
    }

    fn publisher_until(&self, expires: Expires) -> Publisher {
        Publisher::open(&self.tree(), self.keys(), expires).unwrap()
    }

    /// Packs a version of `hello` whose library is of `seed`.
    fn bundle(&self, version: &str, seed: u8) -> PathBuf {
        let library = self.path("library.so");
        fs::write(&library, library_bytes(seed)).unwrap();
        let contents = Contents {
            element: hello(),
            version: version.parse().unwrap(),
            libraries: [(TargetTriple::host(), library)].into(),
            descriptor: br#"{"schema_version":1,"build":{"abi_revision":7}}"#.to_vec(),
            license: None,
            docs: None,
        };
        pack_to_dir(&contents, self.dir.path()).unwrap().path
    }

    fn publish(&self, version: &str) -> Result<Vec<Publication>, PublishError> {
        self.publisher().publish(&[self.bundle(version, 1)], &BTreeMap::new())
    }

    /// Where the bundle of a version is in the tree.
    fn published(&self, version: &str) -> PathBuf {
        let folder = self.tree().join("targets/hello").join(version);
        fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
    }

    fn root(&self) -> Vec<u8> {
        fs::read(self.metadata("1.root.json")).unwrap()
    }

    /// Somebody who reads the tree at `location`, with what they trusted before.
    fn reader_of(&self, location: &str) -> Repository {
        let location = Location::parse(location).unwrap();
        Repository::open(&self.root(), location, &self.path("trusted")).unwrap()
    }

    fn reader(&self) -> Repository {
        self.reader_of(self.tree().to_str().unwrap())
    }

    /// Somebody who trusts what there is now.
    async fn fresh_reader(&self) -> Repository {
        let mut reader = self.reader();
        reader.refresh().await.unwrap();
        reader
    }

    /// What is trusted, byte for byte.
    fn trusted(&self) -> BTreeMap<String, Vec<u8>> {
        files_in(&self.path("trusted"))
    }

    /// The text of an error and its causes, with what differs from run to run named instead.
    fn text(&self, error: &dyn std::error::Error) -> String {
        let text = chain(error).replace(&format!("{}/", self.dir.path().display()), "");
        let words = text.split(' ').map(|word| match hex_in(word) {
            Some(hex) => word.replace(hex, "<hex>"),
            None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn hello() -> ElementName {
    "hello".parse().unwrap()
}

/// A key for each role.
fn keys() -> BTreeMap<Role, String> {
    let key = |role| (role, super::key::pem_of(&[SigningKey::generate().unwrap()]));
    Role::ALL.into_iter().map(key).collect()
}

fn assignment(keys: &BTreeMap<Role, String>) -> Assignment {
    let public = |pem: &String| parse_keys(pem, None).unwrap()[0].public().clone();
    keys.iter().map(|(role, pem)| (*role, vec![public(pem)])).collect()
}

/// Bytes that do not shrink.
fn library_bytes(seed: u8) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(state.to_be_bytes()[0])
    };
    std::iter::repeat_n((), 300_000).scan(u32::from(seed), |state, ()| next(state)).collect()
}

fn versions(reader: &Repository) -> Vec<String> {
    let offers = reader.versions_of(&hello()).unwrap();
    offers.iter().map(|offer| offer.release.version.to_string()).collect()
}

fn offer(reader: &Repository, version: &str) -> Offer {
    let offers = reader.versions_of(&hello()).unwrap();
    offers.into_iter().find(|offer| offer.release.version.to_string() == version).unwrap()
}

fn files_in(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = files_in(&path).into_iter();
            files.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

fn copy_tree(from: &Path, to: &Path) {
    for (name, bytes) in files_in(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!("\n  caused by: {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// The digest or id in a word.
fn hex_in(word: &str) -> Option<&str> {
    let mut parts = word.split(|c: char| !c.is_ascii_hexdigit());
    parts.find(|part| part.len() == 64)
}

//! The directory of wanted elements: files that say what is wanted, and bundles that are wanted by being there.
//!
//! A manifest is a YAML or JSON file that names an element and a version or a range of versions; it is the only
//! one who may change that element, and when it goes, so does the element (its data stays). A bundle without a
//! manifest is wanted in its newest version until somebody says otherwise by the API. A file that cannot be
//! understood changes nothing and is told. This module reads; `reconcile` acts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use packer::bundle::ElementName;
use semver::{Version, VersionReq};
use serde::Deserialize;

use super::wanted::{Wanted, no_settings};
use crate::plugin::lane::Isolation;

/// The largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024;

/// A file that says what is wanted of one element.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Absent or 1.
    #[serde(default)]
    schema_version: SchemaVersion,
    /// Which element.
    pub(super) name: ElementName,
    /// For people.
    #[serde(default)]
    description: String,
    /// Which version, or which of them.
    version: Which,
    /// How far it may go by itself within a range.
    #[serde(default)]
    upgrade: Policy,
    #[serde(default)]
    isolation: Isolation,
    #[serde(default = "no_settings")]
    settings: serde_json::Value,
    #[serde(default)]
    mounts: Vec<String>,
    #[serde(default)]
    listeners: BTreeMap<String, SocketAddr>,
}

/// One version or a range of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
enum Which {
    Exactly(Version),
    Within(VersionReq),
}

/// How far an element may be upgraded without being asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    /// Not at all.
    #[default]
    Manual,
    /// To any version with the same major and minor number.
    Patch,
    /// To any version with the same major number.
    Minor,
    /// To the newest.
    Latest,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
struct SchemaVersion;

/// What one file of the directory says.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name.
    pub(super) file: String,
    /// What it says, or why it cannot be understood.
    pub(super) manifest: Result<Manifest, String>,
}

/// Reads every manifest of `folder`, by file name.
///
/// # Errors
/// When the directory cannot be listed.
pub(super) fn read(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let (Some(file), Some(extension)) = (path.file_name(), path.extension()) else { continue };
        let file = file.to_string_lossy().into_owned();
        let is_manifest = matches!(&*extension.to_string_lossy(), "yaml" | "yml" | "json");
        // A hidden file is one that somebody is still writing.
        if is_manifest && !file.starts_with('.') {
            entries.push(Entry { file, manifest: read_manifest(&path) });
        }
    }
    entries.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(entries)
}

fn read_manifest(path: &Path) -> Result<Manifest, String> {
    let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > MANIFEST_BYTES_MAX {
        return Err(format!("it has {bytes} bytes, more than {MANIFEST_BYTES_MAX}"));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    // JSON is YAML.
    serde_saphyr::from_str(&text).map_err(|error| error.to_string())
}

impl Manifest {
    /// What it wants, while `current` serves and `known` are the versions that have a bundle.
    pub(super) fn wanted(
        &self,
        current: Option<&Version>,
        known: &[Version],
    ) -> Result<Wanted, String> {
        let Self { isolation, settings, mounts, listeners, .. } = self;
        Ok(Wanted {
            version: self.version(current, known)?,
            isolation: *isolation,
            settings: settings.clone(),
            mounts: mounts.clone(),
            listeners: listeners.clone(),
        })
    }

    fn version(&self, current: Option<&Version>, known: &[Version]) -> Result<Version, String> {
        let range = match &self.version {
            Which::Exactly(version) => return Ok(version.clone()),
            Which::Within(range) => range,
        };
        let current = current.filter(|current| range.matches(current));
        let may_go_to = |to: &&Version| match (current, self.upgrade) {
            (None, _) | (Some(_), Policy::Latest) => true,
            (Some(current), Policy::Manual) => *to == current,
            (Some(current), Policy::Patch) => {
                (to.major, to.minor) == (current.major, current.minor) && *to >= current
            }
            (Some(current), Policy::Minor) => to.major == current.major && *to >= current,
        };
        let candidates = known.iter().filter(|version| range.matches(version));
        let newest = candidates.filter(may_go_to).max().or(current);
        newest.cloned().ok_or_else(|| format!("there is no bundle of a version within `{range}`"))
    }
}

impl TryFrom<String> for Which {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(version) = text.parse() {
            return Ok(Self::Exactly(version));
        }
        let range = text.parse().map_err(|error| {
            format!("`{text}` is neither a version, such as 0.1.0, nor a range, such as >=0.1, <0.3: {error}")
        });
        range.map(Self::Within)
    }
}

impl TryFrom<u32> for SchemaVersion {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        if version == 1 { Ok(Self) } else { Err(format!("schema version {version} instead of 1")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        serde_saphyr::from_str(text).unwrap()
    }

    fn versions(text: &str) -> Vec<Version> {
        text.split_whitespace().map(|version| version.parse().unwrap()).collect()
    }

    #[test]
    fn a_range_is_followed_as_far_as_the_policy_goes() {
        let known = versions("0.1.0 0.1.4 0.2.0 1.0.0 1.2.0 2.0.0");
        for (version, upgrade, current, expected) in [
            ("0.1.0", "latest", None, "0.1.0"),
            ("0.1.0", "latest", Some("0.2.0"), "0.1.0"),
            ("'>=0.1, <2'", "manual", None, "1.2.0"),
            ("'>=0.1, <2'", "manual", Some("0.1.0"), "0.1.0"),
            ("'>=0.1, <2'", "patch", Some("0.1.0"), "0.1.4"),
            ("'>=0.1, <3'", "minor", Some("1.0.0"), "1.2.0"),
            ("'>=0.1, <3'", "latest", Some("1.0.0"), "2.0.0"),
            ("'>=0.1, <1'", "manual", Some("1.0.0"), "0.2.0"),
            ("'>=3'", "latest", Some("3.1.0"), "3.1.0"),
        ] {
            let manifest = manifest(&format!("name: demo\nversion: {version}\nupgrade: {upgrade}"));
            let current = current.map(|version| version.parse().unwrap());
            let wanted = manifest.wanted(current.as_ref(), &known).unwrap();
            assert_eq!(wanted.version.to_string(), expected, "{version} {upgrade} {current:?}");
        }
    }

    #[test]
    fn a_range_without_a_bundle_is_told() {
        let reason = manifest("{name: demo, version: '>=3'}").wanted(None, &[]).unwrap_err();
        assert_eq!(reason, "there is no bundle of a version within `>=3`");
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_listed_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("a.yaml", "name: a\nversion: 1.0.0\nsettings: {x: 1}"),
            ("b.json", r#"{"name": "b", "version": "1.0.0", "verison": 1}"#),
            ("c.yml", "name: c\nversion: soon"),
            (".d.yaml", "half"),
            ("e.txt", "no manifest"),
        ] {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let entries = read(folder.path()).unwrap();
        let said: Vec<_> = entries.iter().map(|it| (&*it.file, it.manifest.is_ok())).collect();
        assert_eq!(said, [("a.yaml", true), ("b.json", false), ("c.yml", false)]);
        let reason = entries[1].manifest.as_ref().unwrap_err();
        assert!(reason.contains("verison"), "{reason}");
        let reason = entries[2].manifest.as_ref().unwrap_err();
        assert!(reason.contains("`soon` is neither a version"), "{reason}");
    }
}

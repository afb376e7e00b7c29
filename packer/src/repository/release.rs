//! What a repository says about one version of an element, beside where its bundle is.
//!
//! A [`Release`] travels as the custom metadata of a target, which the targets role signs. Members that
//! this version does not know are left alone: they are tolerated when a release is read, and kept when
//! one is changed, because a change touches only the members it is about.

use std::collections::{BTreeMap, HashMap};

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::{Bundle, ElementName, TargetTriple};

/// One version of an element, as its repository describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The element.
    pub element: ElementName,
    /// The version.
    pub version: Version,
    /// What the element is made of.
    pub kind: Kind,
    /// What there is a library for.
    pub targets: Vec<TargetTriple>,
    /// The revision of the ABI that its code was built for, if its descriptor says so.
    pub abi: Option<u32>,
    /// Which versions of which other elements it needs.
    pub requires: BTreeMap<ElementName, VersionReq>,
    /// Taken back: nobody may install it any more. Whoever has it keeps it.
    pub yanked: Option<Withdrawal>,
    /// Still there, but something else is recommended.
    pub deprecated: Option<Withdrawal>,
    /// Names or addresses of security advisories about it.
    pub advisories: Vec<String>,
}

/// What an element is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Kind {
    /// Code that the daemon loads.
    Plugin,
    /// Something newer than this version.
    Other(String),
}

/// That a version was yanked or deprecated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withdrawal {
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// A [`Release`] as it is written.
#[derive(Serialize, Deserialize)]
struct Document {
    element: ElementName,
    version: Version,
    kind: Kind,
    #[serde(default)]
    targets: Vec<TargetTriple>,
    abi: Option<u32>,
    #[serde(default)]
    requires: BTreeMap<ElementName, VersionReq>,
    #[serde(default)]
    yanked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    yanked_reason: Option<String>,
    #[serde(default)]
    deprecated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated_reason: Option<String>,
    #[serde(default)]
    advisories: Vec<String>,
}

/// The one part of a descriptor that a repository repeats.
#[derive(Deserialize)]
struct Stamped {
    build: Option<Build>,
}

#[derive(Deserialize)]
struct Build {
    abi_revision: Option<u32>,
}

impl Release {
    /// The release that a bundle is.
    pub(super) fn of(bundle: &Bundle, requires: &BTreeMap<ElementName, VersionReq>) -> Self {
        let head = bundle.head();
        let stamped: Option<Stamped> = serde_json::from_slice(bundle.descriptor()).ok();
        Self {
            element: head.element().clone(),
            version: head.version().clone(),
            kind: Kind::Plugin,
            targets: head.targets().cloned().collect(),
            abi: stamped.and_then(|stamped| stamped.build?.abi_revision),
            requires: requires.clone(),
            yanked: None,
            deprecated: None,
            advisories: Vec::new(),
        }
    }

    /// Where its bundle is, below the targets of the repository.
    #[must_use]
    pub fn target_path(&self) -> String {
        target_path(&self.element, &self.version)
    }

    /// Reads the custom metadata of a target; nothing if that is not a release.
    pub(super) fn read(custom: &HashMap<String, Value>) -> Option<Self> {
        let object = Value::Object(custom.clone().into_iter().collect());
        let Document {
            element,
            version,
            kind,
            targets,
            abi,
            requires,
            yanked,
            yanked_reason,
            deprecated,
            deprecated_reason,
            advisories,
        } = serde_json::from_value(object).ok()?;
        let yanked = yanked.then_some(Withdrawal { reason: yanked_reason });
        let deprecated = deprecated.then_some(Withdrawal { reason: deprecated_reason });
        Some(Self {
            element,
            version,
            kind,
            targets,
            abi,
            requires,
            yanked,
            deprecated,
            advisories,
        })
    }

    /// The custom metadata of its target.
    pub(super) fn write(&self) -> HashMap<String, Value> {
        let reason = |withdrawal: &Option<Withdrawal>| withdrawal.clone()?.reason;
        let document = Document {
            element: self.element.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
            targets: self.targets.clone(),
            abi: self.abi,
            requires: self.requires.clone(),
            yanked: self.yanked.is_some(),
            yanked_reason: reason(&self.yanked),
            deprecated: self.deprecated.is_some(),
            deprecated_reason: reason(&self.deprecated),
            advisories: self.advisories.clone(),
        };
        members(serde_json::to_value(document).expect("a release holds text and numbers only"))
    }
}

impl Withdrawal {
    /// Notes it in the custom metadata of a target, under `member`; whatever else is there stays.
    pub(super) fn note(&self, member: &str, custom: &mut HashMap<String, Value>) {
        custom.insert(member.to_owned(), true.into());
        let reason = format!("{member}_reason");
        match &self.reason {
            Some(text) => custom.insert(reason, text.clone().into()),
            None => custom.remove(&reason),
        };
    }
}

/// Where the bundle of a version is, below the targets of a repository.
pub(super) fn target_path(element: &ElementName, version: &Version) -> String {
    format!("{element}/{version}/{element}-{version}.bundle")
}

fn members(value: Value) -> HashMap<String, Value> {
    let Value::Object(members) = value else { return HashMap::new() };
    members.into_iter().collect()
}

impl From<String> for Kind {
    fn from(text: String) -> Self {
        if text == "plugin" { Self::Plugin } else { Self::Other(text) }
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Plugin => "plugin".to_owned(),
            Kind::Other(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn custom(value: Value) -> HashMap<String, Value> {
        members(value)
    }

    #[test]
    fn a_release_comes_back_as_it_was_written() {
        let release = Release {
            element: "hello".parse().unwrap(),
            version: "1.4.0".parse().unwrap(),
            kind: Kind::Plugin,
            targets: vec![TargetTriple::host()],
            abi: Some(0),
            requires: [("core".parse().unwrap(), ">=1, <3".parse().unwrap())].into(),
            yanked: Some(Withdrawal { reason: Some("loses writes".to_owned()) }),
            deprecated: None,
            advisories: vec!["MPS-2026-1".to_owned()],
        };
        assert_eq!(Release::read(&release.write()), Some(release));
    }

    #[test]
    fn what_a_newer_version_wrote_is_tolerated() {
        let least = json!({"element": "hello", "version": "1.4.0", "kind": "image", "mood": "new"});
        let release = Release::read(&custom(least)).unwrap();
        assert_eq!(release.kind, Kind::Other("image".to_owned()));
        assert_eq!((release.abi, release.yanked), (None, None));
        assert_eq!(Release::read(&custom(json!({"file": "README"}))), None);
    }

    #[test]
    fn a_change_keeps_what_it_is_not_about() {
        let mut members = custom(json!({"mood": "new", "yanked_reason": "old"}));
        Withdrawal::default().note("yanked", &mut members);
        assert_eq!(members, custom(json!({"mood": "new", "yanked": true})));
    }
}

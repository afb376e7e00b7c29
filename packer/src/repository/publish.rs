//! Changing a repository: what its owner does.
//!
//! [`init`] makes one, [`Publisher`] changes one. Every change is a new set of metadata, written bottom up:
//! bundles, targets, snapshot, and the timestamp last. Until that one is renamed readers see what was there
//! before, so a change that is interrupted anywhere did not happen, and the next one writes over its traces.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use thiserror::Error;
use tough::TargetName;
use tough::schema::{Root, Signed, Snapshot, Target, Targets, Timestamp};

use super::expires::Expires;
use super::key::SigningKey;
use super::layout::versioned;
use super::release::{Release, Withdrawal, target_path};
use super::role::Role;
use super::root::{self, Assignment};
use super::sign::{Keys, SPEC_VERSION, SignError, hashes, next};
use super::tree::{Current, Tree, TreeError, place, put};
use crate::bundle::{Bundle, Digest, ElementName, Limits, ReadError};

/// Somebody who may change a repository.
#[derive(Debug)]
pub struct Publisher {
    tree: Tree,
    keys: Keys,
    expires: Expires,
    current: Current,
}

/// What became of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The element.
    pub element: ElementName,
    /// The version.
    pub version: Version,
    /// The digest of its bundle.
    pub digest: Digest,
    /// Whether it is new.
    pub outcome: Outcome,
}

/// Whether a bundle is new to its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was added.
    Added,
    /// The very same bundle was there.
    AlreadyThere,
}

/// A repository cannot be changed. Readers see what they saw before.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The tree is none, or somebody else's.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The keys are not the right ones.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The bundle is no good.
    #[error("nothing is published")]
    Bundle(#[source] Box<ReadError>),
    /// The bundle cannot be copied.
    #[error("`{}` cannot be copied into the repository", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another bundle has that version.
    #[error(transparent)]
    Taken(Box<Taken>),
    /// There is no such version.
    #[error("{element} {version} is not in this repository; {}", known(.others))]
    NoVersion {
        /// The element.
        element: ElementName,
        /// The version.
        version: Version,
        /// The versions that there are.
        others: Vec<Version>,
    },
    /// A role has no key.
    #[error("`{role}` is assigned no key; every role needs one")]
    Unassigned {
        /// The role.
        role: Role,
    },
}

/// How much of the metadata is new. What is above what changed always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// What there is, or until when that is believed.
    Targets,
    /// What belongs together.
    Snapshot,
}

/// A version cannot be published, because there is another bundle with that version.
#[derive(Debug, Error)]
#[error(
    "{element} {version} is published with digest {published}, and a published version never changes; this bundle has {given}: give it another version"
)]
pub struct Taken {
    /// The element.
    pub element: ElementName,
    /// The version.
    pub version: Version,
    /// The digest of the bundle that is there.
    pub published: Digest,
    /// The digest of the bundle that was given.
    pub given: Digest,
}

/// Makes a repository without any bundles in the folder `dir`.
///
/// # Errors
/// When there is one already, the folder cannot be written, or a role has no key among `keys`.
pub fn init(
    dir: &Path,
    assignment: &Assignment,
    keys: Vec<SigningKey>,
    expires: Expires,
) -> Result<(), PublishError> {
    if let Some(role) = Role::ALL.into_iter().find(|role| !assignment.contains_key(role)) {
        return Err(PublishError::Unassigned { role });
    }
    let (keys, root) = (Keys::of(keys), root::first(assignment, expires.root));
    let root = keys.sign(root.clone(), &root, None)?;
    let current = Current::empty(root.signed, &expires);
    let mut publisher = Publisher { tree: Tree::create(dir)?, keys, expires, current };
    publisher.write(Change::Targets, None)?;
    // Last: a folder without it is not a repository yet.
    Ok(put(&publisher.tree.metadata(&versioned(Role::Root, 1)), &root.bytes)?)
}

impl Publisher {
    /// Takes the repository in `dir`, to change it with these keys. What is signed expires as `expires` says.
    ///
    /// # Errors
    /// When there is none, it was changed by somebody without its keys, or another process changes it.
    pub fn open(dir: &Path, keys: Vec<SigningKey>, expires: Expires) -> Result<Self, PublishError> {
        let tree = Tree::open(dir)?;
        let current = tree.current()?;
        Ok(Self { tree, keys: Keys::of(keys), expires, current })
    }

    /// Adds bundles, all of them or none. What they require of other elements is not in bundles.
    ///
    /// # Errors
    /// When one of them is no good, or another bundle has its version.
    pub fn publish(
        &mut self,
        bundles: &[PathBuf],
        requires: &BTreeMap<ElementName, VersionReq>,
    ) -> Result<Vec<Publication>, PublishError> {
        self.check_keys()?;
        let mut targets = self.current.targets.signed.clone();
        let added = bundles.iter().map(|path| self.add(path, requires, &mut targets));
        let publications: Vec<_> = added.collect::<Result<_, _>>()?;
        if publications.iter().any(|publication| publication.outcome == Outcome::Added) {
            self.current.targets.signed = targets;
            self.write(Change::Targets, None)?;
        }
        Ok(publications)
    }

    /// Takes a version back: readers refuse to install it from now on. Its bundle stays where it is, because
    /// whoever has it installed may need it.
    ///
    /// # Errors
    /// When there is no such version, or the keys are not the right ones.
    pub fn yank(
        &mut self,
        element: &ElementName,
        version: &Version,
        why: &Withdrawal,
    ) -> Result<(), PublishError> {
        self.note(element, version, "yanked", why)
    }

    /// Says of a version that something else is recommended. It can be installed all the same.
    ///
    /// # Errors
    /// When there is no such version, or the keys are not the right ones.
    pub fn deprecate(
        &mut self,
        element: &ElementName,
        version: &Version,
        why: &Withdrawal,
    ) -> Result<(), PublishError> {
        self.note(element, version, "deprecated", why)
    }

    /// Signs snapshot and timestamp anew, so that they expire later; targets too, if there is a key for them.
    ///
    /// # Errors
    /// When the keys are not the right ones.
    pub fn refresh(&mut self) -> Result<(), PublishError> {
        let has_targets = self.keys.can_sign(Role::Targets, &self.current.root.signed);
        self.write(if has_targets { Change::Targets } else { Change::Snapshot }, None)
    }

    /// Gives the roles that `assignment` names other keys, `new` among them.
    ///
    /// Metadata are signed by the old keys and the new ones first, and the root that knows the new ones is
    /// written last: a reader finds what its root can verify at every moment.
    ///
    /// # Errors
    /// When the key of the old root is missing, or one of a role that has to sign.
    pub fn rotate_root(
        &mut self,
        assignment: &Assignment,
        new: Vec<SigningKey>,
    ) -> Result<u64, PublishError> {
        self.keys.extend(new);
        let before = self.current.root.signed.clone();
        let root = root::after(&before, assignment, self.expires.root);
        if !self.keys.can_sign(Role::Root, &before) {
            return Err(self.keys.no_key(Role::Root, &before).into());
        }
        let signed = self.keys.sign(root.clone(), &root, Some(&before))?;
        before
            .verify_role(&signed.signed)
            .map_err(|source| SignError::TooFew { role: Role::Root, source: Box::new(source) })?;
        self.current.root = signed.signed;
        self.write(Change::Targets, Some(&before))?;
        let version = self.current.root.signed.version.get();
        put(&self.tree.metadata(&versioned(Role::Root, version)), &signed.bytes)?;
        Ok(version)
    }

    /// Copies a bundle into the tree and into `targets`. The copy is what is verified.
    fn add(
        &self,
        path: &Path,
        requires: &BTreeMap<ElementName, VersionReq>,
        targets: &mut Targets,
    ) -> Result<Publication, PublishError> {
        let copy = |source| PublishError::Copy { path: path.to_owned(), source };
        let mut aside = self.tree.aside()?;
        let copied = File::open(path).and_then(|mut file| io::copy(&mut file, aside.as_file_mut()));
        let _bytes = copied.map_err(copy)?;
        let bundle = Bundle::open(aside.path(), &Limits::default()).map_err(|error| {
            PublishError::Bundle(Box::new(ReadError { path: path.to_owned(), ..error }))
        })?;
        let release = Release::of(&bundle, requires);
        let name = target_name(&release.element, &release.version);
        let outcome = match targets.targets.get(&name) {
            Some(there) if there.hashes == hashes(bundle.digest()) => Outcome::AlreadyThere,
            Some(there) => return Err(taken(release, there, bundle.digest())),
            None => {
                let place_at = self.tree.target(&release.target_path(), bundle.digest());
                place(aside, &place_at).map_err(copy)?;
                targets.targets.insert(name, target_of(&bundle, &release));
                Outcome::Added
            }
        };
        let Release { element, version, .. } = release;
        Ok(Publication { element, version, digest: bundle.digest(), outcome })
    }

    fn note(
        &mut self,
        element: &ElementName,
        version: &Version,
        member: &str,
        why: &Withdrawal,
    ) -> Result<(), PublishError> {
        let targets = &mut self.current.targets.signed.targets;
        let Some(target) = targets.get_mut(&target_name(element, version)) else {
            let releases = targets.values().filter_map(|target| Release::read(&target.custom));
            let mut others: Vec<_> = releases
                .filter_map(|release| (release.element == *element).then_some(release.version))
                .collect();
            others.sort();
            let (element, version) = (element.clone(), version.clone());
            return Err(PublishError::NoVersion { element, version, others });
        };
        why.note(member, &mut target.custom);
        self.write(Change::Targets, None)
    }

    /// Refuses before anything is copied, if what is copied could not be signed.
    fn check_keys(&self) -> Result<(), SignError> {
        let root = &self.current.root.signed;
        let missing = [Role::Targets, Role::Snapshot, Role::Timestamp]
            .into_iter()
            .find(|role| !self.keys.can_sign(*role, root));
        missing.map_or(Ok(()), |role| Err(self.keys.no_key(role, root)))
    }

    /// Signs and writes what changed, and what is above it. Readers may have the root `before` still.
    fn write(&mut self, change: Change, before: Option<&Root>) -> Result<(), PublishError> {
        let Self { tree, keys, expires, current } = self;
        let root = &current.root.signed;
        let mut files = Vec::new();
        if change == Change::Targets {
            let targets = &mut current.targets.signed;
            // A version that no snapshot speaks of may be used again: nobody was shown it.
            let listed = current.snapshot.signed.meta.get("targets.json");
            targets.version = listed.map_or(NonZeroU64::MIN, |listed| next(listed.version));
            targets.expires = expires.targets;
            let file = keys.sign(targets.clone(), root, before)?;
            let meta = &mut current.snapshot.signed.meta;
            meta.insert("targets.json".to_owned(), file.metafile());
            files.push((versioned(Role::Targets, targets.version.get()), file.bytes));
        }
        let (snapshot, timestamp) = (&mut current.snapshot.signed, &mut current.timestamp.signed);
        let listed = timestamp.meta.get("snapshot.json");
        snapshot.version = listed.map_or(NonZeroU64::MIN, |listed| next(listed.version));
        snapshot.expires = expires.snapshot;
        let file = keys.sign(snapshot.clone(), root, before)?;
        // A timestamp without a snapshot was never written.
        timestamp.version = listed.map_or(NonZeroU64::MIN, |_| next(timestamp.version));
        timestamp.expires = expires.timestamp;
        timestamp.meta = HashMap::from([("snapshot.json".to_owned(), file.metafile())]);
        files.push((versioned(Role::Snapshot, snapshot.version.get()), file.bytes));
        let file = keys.sign(timestamp.clone(), root, before)?;
        files.push((versioned(Role::Timestamp, timestamp.version.get()), file.bytes));
        // The timestamp is the last of them.
        files.iter().try_for_each(|(name, bytes)| put(&tree.metadata(name), bytes))?;
        Ok(())
    }
}

impl Current {
    /// What a repository without bundles has, not signed yet.
    fn empty(root: Signed<Root>, expires: &Expires) -> Self {
        let (spec, one) = (|| SPEC_VERSION.to_owned(), NonZeroU64::MIN);
        let Expires { root: _, targets, snapshot, timestamp } = *expires;
        let targets = Targets { delegations: None, ..Targets::new(spec(), one, targets) };
        let snapshot = Snapshot::new(spec(), one, snapshot);
        let timestamp = Timestamp::new(spec(), one, timestamp);
        Self {
            root,
            targets: Signed { signed: targets, signatures: Vec::new() },
            snapshot: Signed { signed: snapshot, signatures: Vec::new() },
            timestamp: Signed { signed: timestamp, signatures: Vec::new() },
        }
    }
}

fn target_of(bundle: &Bundle, release: &Release) -> Target {
    Target {
        length: bundle.bytes(),
        hashes: hashes(bundle.digest()),
        custom: release.write(),
        _extra: HashMap::new(),
    }
}

fn target_name(element: &ElementName, version: &Version) -> TargetName {
    TargetName::new(target_path(element, version))
        .expect("names and versions have no odd components")
}

fn taken(release: Release, there: &Target, given: Digest) -> PublishError {
    let published = <[u8; 32]>::try_from(&*there.hashes.sha256).unwrap_or_default().into();
    let Release { element, version, .. } = release;
    PublishError::Taken(Box::new(Taken { element, version, published, given }))
}

fn known(versions: &[Version]) -> String {
    if versions.is_empty() {
        return "it has no version of that element".to_owned();
    }
    let versions: Vec<_> = versions.iter().map(Version::to_string).collect();
    format!("it has {}", versions.join(", "))
}

//! Reading a repository: what somebody does who installs from it.
//!
//! [`Repository::open`] reads nothing but what is trusted already, [`Repository::refresh`] looks for what is
//! newer, and what either knows stays usable when the other side is away. Guarantees: what a [`Repository`]
//! says was signed, and is a set that belongs together; an update that fails changes neither that nor what is
//! on the disk.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tough::schema::{Root, Signed, Snapshot, Target as Entry, Targets, Timestamp as Stamp};
use tough::{RepositoryLoader, TargetName};

use super::download::{self, VerifiedFile};
use super::error::{Detail, Error};
use super::layout::{named_by_digest, versioned};
use super::location::Location;
use super::metadata::{Fetched, Files, LIMITS};
use super::release::Release;
use super::role::Role;
use super::trusted::{Trusted, version_of};
use crate::bundle::{Digest, ElementName, quote};

/// A repository that somebody reads.
#[derive(Debug)]
pub struct Repository {
    location: Location,
    trusted: Trusted,
    view: Option<View>,
}

/// A file that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it is, below the targets.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// What its digest is.
    pub digest: Digest,
}

/// A version of an element that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What is said of it.
    pub release: Release,
    /// Its bundle.
    pub target: Target,
}

/// Whether somebody gets what was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yanked {
    /// It is refused, as for whoever installs.
    Refused,
    /// It is not, as for whoever has it already, or copies everything.
    Allowed,
}

/// What an update that fails leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What was there before it.
    Before,
    /// What it had verified when it failed, one role after the other, as the TUF specification has it. What is
    /// on the disk need not belong together then.
    Verified,
}

/// What is known of a repository.
#[derive(Debug)]
struct View {
    root: Root,
    targets: Targets,
    /// What expires first, and when.
    expires: (Role, Timestamp),
}

impl Repository {
    /// Opens the repository at `location` for somebody who trusts this root, as it was given to them by hand.
    /// What is trusted is kept in the folder `datastore`, which belongs to this repository alone.
    ///
    /// # Errors
    /// When the root is none, or the folder cannot be used.
    pub fn open(root: &[u8], location: Location, datastore: &Path) -> Result<Self, Error> {
        check_root(root).map_err(|source| Error::Root { at: location.to_string(), source })?;
        let keep = |source| Error::Keep { path: datastore.to_owned(), source };
        let trusted = Trusted::open(datastore, root).map_err(keep)?;
        let view = View::of_trusted(&trusted).map_err(keep)?;
        Ok(Self { location, trusted, view })
    }

    /// Looks for what is newer. On an error everything is as it was.
    ///
    /// # Errors
    /// When the repository cannot be read, or what it shows is not to be believed.
    ///
    /// # Cancellation
    /// As on an error.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        self.refresh_keeping(Keep::Before).await
    }

    /// The same, with a say in what an error leaves behind.
    ///
    /// # Errors
    /// As for [`Repository::refresh`].
    pub async fn refresh_keeping(&mut self, keep: Keep) -> Result<(), Error> {
        self.read_newest(keep).await.map(drop)
    }

    /// The same, and gives the files of metadata that the newest state consists of.
    pub(super) async fn read_newest(&mut self, keep: Keep) -> Result<Files, Error> {
        let at = self.location.to_string();
        let wrong = self.cannot_keep();
        let stage = self.trusted.stage().map_err(&wrong)?;
        let root = self.trusted.role(Role::Root).map_err(&wrong)?.unwrap_or_default();
        let known = self.known().map_err(&wrong)?;
        let fetched = Fetched::new(self.location.metadata.clone(), known);
        let load = RepositoryLoader::new(&root, Fetched::base(), Fetched::base())
            .transport(fetched.clone())
            .limits(LIMITS)
            .datastore(stage.path())
            .load();
        let loaded = Box::pin(load).await;
        let seen = fetched.seen();
        if loaded.is_ok() || keep == Keep::Verified {
            self.trusted.commit(stage.path(), &seen).map_err(&wrong)?;
        }
        let loaded = loaded.map_err(|error| {
            Error::explain(error, &at, self.trusted.time()).with_expiry_in(&seen)
        })?;
        self.view = Some(View::of(&loaded));
        Ok(seen)
    }

    /// Where it is, as it was said.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The versions of an element, in order, yanked ones included.
    ///
    /// # Errors
    /// When nothing is known of the repository yet.
    pub fn versions_of(&self, element: &ElementName) -> Result<Vec<Offer>, Error> {
        let mut offers = self.offers()?;
        offers.retain(|offer| offer.release.element == *element);
        Ok(offers)
    }

    /// Every version of every element, in order. A target that is none is left out.
    ///
    /// # Errors
    /// When nothing is known of the repository yet.
    pub fn offers(&self) -> Result<Vec<Offer>, Error> {
        let targets = self.view()?.targets.targets_iter();
        let mut offers: Vec<_> = targets
            .filter_map(|(name, entry)| {
                let (release, target) = (Release::read(&entry.custom)?, Target::of(name, entry)?);
                // What a release says of itself must be what its place says.
                (release.target_path() == target.path).then_some(Offer { release, target })
            })
            .collect();
        offers.sort_by(|a, b| {
            let (a, b) = (&a.release, &b.release);
            (&a.element, &a.version).cmp(&(&b.element, &b.version))
        });
        Ok(offers)
    }

    /// Everything that can be downloaded, be it a bundle or not.
    ///
    /// # Errors
    /// When nothing is known of the repository yet.
    pub fn targets(&self) -> Result<Vec<Target>, Error> {
        let targets = self.view()?.targets.targets_iter();
        Ok(targets.filter_map(|(name, entry)| Target::of(name, entry)).collect())
    }

    /// The target at `path`, whatever it is.
    ///
    /// # Errors
    /// When there is none, or nothing is known of the repository yet.
    pub fn target(&self, path: &str) -> Result<Target, Error> {
        let none = || Error::NoTarget { at: self.location.to_string(), target: quote(path) };
        let targets = &self.view()?.targets;
        let name = TargetName::new(path).ok().ok_or_else(none)?;
        let entry = targets.find_target(&name, false).ok();
        entry.and_then(|entry| Target::of(&name, entry)).ok_or_else(none)
    }

    /// Downloads the bundle of a version to the file `to`.
    ///
    /// # Errors
    /// As for [`Repository::download`], and when it was yanked and that counts.
    pub async fn fetch(
        &self,
        offer: &Offer,
        yanked: Yanked,
        to: &Path,
    ) -> Result<VerifiedFile, Error> {
        let Release { element, version, yanked: withdrawal, .. } = &offer.release;
        match withdrawal {
            Some(withdrawal) if yanked == Yanked::Refused => Err(Error::Yanked {
                at: self.location.to_string(),
                element: element.clone(),
                version: version.clone(),
                reason: withdrawal.reason.clone(),
            }),
            Some(_) | None => self.download(&offer.target, to).await,
        }
    }

    /// Downloads a target to the file `to`. What of it is there already is not fetched again, be it the whole
    /// file or the part that an earlier download got before it broke off.
    ///
    /// # Errors
    /// When what is known has expired, the file cannot be had, or is not the one that was signed.
    ///
    /// # Cancellation
    /// What came is kept for the next download.
    pub async fn download(&self, target: &Target, to: &Path) -> Result<VerifiedFile, Error> {
        let view = self.view()?;
        let (role, expires) = view.expires;
        if expires < Timestamp::now() {
            let at = self.location.to_string();
            return Err(Error::Expired { at, role, expired: Some(expires) });
        }
        let file = if view.root.consistent_snapshot {
            named_by_digest(&target.path, target.digest)
        } else {
            target.path.clone()
        };
        download::download(&self.location, &file, target, to).await
    }

    /// What need not be fetched again, by the name that it has in the tree.
    fn known(&self) -> io::Result<Files> {
        let mut known = Files::new();
        // Without a whole set there is nothing whose keys are known to be the right ones.
        if self.view.is_some() {
            for role in [Role::Snapshot, Role::Targets] {
                let bytes = self.trusted.role(role)?.unwrap_or_default();
                known.extend(version_of(&bytes).map(|version| (versioned(role, version), bytes)));
            }
        }
        Ok(known)
    }

    fn view(&self) -> Result<&View, Error> {
        self.view.as_ref().ok_or_else(|| Error::NotRefreshed { at: self.location.to_string() })
    }

    fn cannot_keep(&self) -> impl Fn(io::Error) -> Error + use<> {
        let path = self.trusted.dir().to_owned();
        move |source| Error::Keep { path: path.clone(), source }
    }
}

impl View {
    fn of(loaded: &tough::Repository) -> Self {
        let (root, targets) = (&loaded.root().signed, &loaded.targets().signed);
        let (snapshot, timestamp) = (&loaded.snapshot().signed, &loaded.timestamp().signed);
        Self::expiring(root, targets, snapshot, timestamp)
    }

    fn expiring(root: &Root, targets: &Targets, snapshot: &Snapshot, timestamp: &Stamp) -> Self {
        let expires = [
            (Role::Root, root.expires),
            (Role::Targets, targets.expires),
            (Role::Snapshot, snapshot.expires),
            (Role::Timestamp, timestamp.expires),
        ];
        let first = expires.into_iter().min_by_key(|(_role, expires)| *expires);
        let expires = first.expect("there are four roles");
        Self { root: root.clone(), targets: targets.clone(), expires }
    }

    /// What was verified by an earlier process. Nothing, if that is not a whole set any more.
    fn of_trusted(trusted: &Trusted) -> io::Result<Option<Self>> {
        let mut files = Vec::new();
        for role in Role::ALL {
            let Some(bytes) = trusted.role(role)? else { return Ok(None) };
            files.push((role, bytes));
        }
        Ok(Self::of_files(&files))
    }

    fn of_files(files: &[(Role, Vec<u8>)]) -> Option<Self> {
        let bytes = |role| files.iter().find(|file| file.0 == role).map(|file| &*file.1);
        let root: Signed<Root> = serde_json::from_slice(bytes(Role::Root)?).ok()?;
        let targets: Signed<Targets> = verified(&root.signed, bytes(Role::Targets)?)?;
        let snapshot: Signed<Snapshot> = verified(&root.signed, bytes(Role::Snapshot)?)?;
        let timestamp: Signed<Stamp> = verified(&root.signed, bytes(Role::Timestamp)?)?;
        let listed = snapshot.signed.meta.get("targets.json")?;
        if listed.version != targets.signed.version {
            return None;
        }
        Some(Self::expiring(&root.signed, &targets.signed, &snapshot.signed, &timestamp.signed))
    }
}

impl Target {
    fn of(name: &TargetName, entry: &Entry) -> Option<Self> {
        let digest = <[u8; 32]>::try_from(&*entry.hashes.sha256).ok()?.into();
        Some(Self { path: name.resolved().to_owned(), bytes: entry.length, digest })
    }
}

fn verified<T>(root: &Root, bytes: &[u8]) -> Option<Signed<T>>
where
    T: tough::schema::Role + DeserializeOwned,
{
    let signed: Signed<T> = serde_json::from_slice(bytes).ok()?;
    root.verify_role(&signed).ok()?;
    Some(signed)
}

/// Whether the bytes are a root that is signed by its own keys.
fn check_root(bytes: &[u8]) -> Result<(), Detail> {
    let root: Signed<Root> = serde_json::from_slice(bytes).map_err(|error| Detail::of(&error))?;
    root.signed.verify_role(&root).map_err(|error| Detail::of(&error))
}

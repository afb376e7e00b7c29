//! `metapaas repository …`: a signed tree of elements, for its owner and for whoever serves or copies it.
//!
//! Works on folders alone and speaks to no daemon. What it does is in `packer::repository`; here are its words.
//! Whoever installs from a repository needs its first root, which is printed when it is made.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use packer::bundle::ElementName;
use packer::repository::{
    Error, Expires, InvalidSpan, KeyError, Location, MirrorError, Outcome, Publication,
    PublishError, Publisher, SourceError, TreeError, Withdrawal, init, mirror,
};
use semver::{Version, VersionReq};
use tokio::runtime::Builder;

use self::keys::KeyFile;
use super::exit::{Exit, Failure};

mod keys;
mod serve;
#[cfg(test)]
mod tests;

/// What to do with a repository.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a repository without elements, and the keys that it is signed with.
    Init(Init),
    /// Add bundles, all of them or none.
    Publish(Publish),
    /// Take a version back: nobody may install it any more.
    Yank(Withdraw),
    /// Say of a version that another is recommended.
    Deprecate(Withdraw),
    /// Sign anew, so that what is there expires later.
    Refresh(Owner),
    /// Give roles other keys. Signed by the old root's key and the new one's.
    RotateRoot(Rotate),
    /// Serve a repository over http. Any web server can.
    Serve(serve::Flags),
    /// Copy a repository, verified, or bring a copy up to date.
    Mirror(Mirror),
}

/// Who changes which repository.
#[derive(Debug, Args)]
pub(crate) struct Owner {
    /// The repository.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// A file of keys, or several; without it METAPAAS_REPOSITORY_KEY holds the keys themselves. The passphrase is
    /// in METAPAAS_REPOSITORY_PASSPHRASE, or is asked for.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    until: Until,
}

/// Until when what is signed is believed.
#[derive(Debug, Args)]
struct Until {
    /// After which time nobody believes any more that they see the newest, unless it was signed anew: `30d`, `12h`
    /// [default: 1 year].
    #[arg(long, value_name = "SPAN")]
    expires: Option<String>,
}

/// The flags of `repository init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder, which is made if need be.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// A file of keys, made if it is not there. One is for all roles, two are for root and for the others, four for
    /// root, targets, snapshot and timestamp; or say it: `root=FILE`, `snapshot,timestamp=FILE`.
    #[arg(long = "key", value_name = "[ROLES=]FILE")]
    keys: Vec<KeyFile>,
    #[command(flatten)]
    until: Until,
}

/// The flags of `repository publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    owner: Owner,
    /// The bundles, as `plugin pack` makes them.
    #[arg(value_name = "BUNDLE", required = true)]
    bundles: Vec<PathBuf>,
    /// Another element that they need, with its versions: `core=>=1.2, <3`.
    #[arg(long, value_name = "NAME=VERSIONS", value_parser = requirement)]
    requires: Vec<(ElementName, VersionReq)>,
}

/// The flags of `repository yank` and `deprecate`.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    owner: Owner,
    /// The version.
    #[arg(value_name = "NAME@VERSION", value_parser = release)]
    release: (ElementName, Version),
    /// Why, for those who are refused it.
    #[arg(long)]
    reason: Option<String>,
}

/// The flags of `repository rotate-root`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    owner: Owner,
    /// A file of new keys, made if it is not there; as for `init`. Roles that are not named keep their keys.
    #[arg(long = "new-key", value_name = "[ROLES=]FILE", required = true)]
    new_keys: Vec<KeyFile>,
}

/// The flags of `repository mirror`.
#[derive(Debug, Args)]
pub(crate) struct Mirror {
    /// The original.
    #[arg(value_name = "URL|DIR")]
    from: String,
    /// The folder of the copy.
    #[arg(value_name = "DEST")]
    to: PathBuf,
    /// The original's root, as its owner gave it to you: the first one, `metadata/1.root.json`, or a later one.
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
}

/// Does what was asked.
pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    let said = match command {
        Command::Init(flags) => make(flags),
        Command::Publish(flags) => publish(flags),
        Command::Yank(flags) => yank(flags),
        Command::Deprecate(flags) => deprecate(flags),
        Command::Refresh(owner) => refresh(owner),
        Command::RotateRoot(flags) => rotate(flags),
        Command::Serve(flags) => return serve::run(flags),
        Command::Mirror(flags) => copy(flags),
    }?;
    write!(io::stdout(), "{said}").map_err(|source| Failure::new(Exit::Failed, source))?;
    Ok(Exit::Ok)
}

fn make(flags: &Init) -> Result<String, Failure> {
    let Init { dir, keys, until } = flags;
    let expires = until.expires()?;
    let ring = keys::assign(keys)?;
    let said = ring.said.clone();
    init(dir, &ring.assignment, ring.keys, expires)?;
    let root = dir.join("metadata/1.root.json");
    let root = root.display();
    Ok(format!("{said}{root}: give this file to whoever installs from here\n"))
}

fn publish(flags: &Publish) -> Result<String, Failure> {
    let Publish { owner, bundles, requires } = flags;
    let requires = requires.iter().cloned().collect();
    let published = owner.publisher()?.publish(bundles, &requires)?;
    Ok(published.iter().map(line).collect())
}

fn line(publication: &Publication) -> String {
    let Publication { element, version, digest, outcome } = publication;
    let outcome = match outcome {
        Outcome::Added => "published",
        Outcome::AlreadyThere => "is already there",
    };
    format!("{element} {version} {outcome}: {digest}\n")
}

fn yank(flags: &Withdraw) -> Result<String, Failure> {
    let Withdraw { owner, release: (element, version), reason } = flags;
    let why = Withdrawal { reason: reason.clone() };
    owner.publisher()?.yank(element, version, &why)?;
    Ok(format!("{element} {version} is yanked\n"))
}

fn deprecate(flags: &Withdraw) -> Result<String, Failure> {
    let Withdraw { owner, release: (element, version), reason } = flags;
    let why = Withdrawal { reason: reason.clone() };
    owner.publisher()?.deprecate(element, version, &why)?;
    Ok(format!("{element} {version} is deprecated\n"))
}

fn refresh(owner: &Owner) -> Result<String, Failure> {
    let expires = owner.until.expires()?;
    owner.publisher()?.refresh()?;
    Ok(format!("{}: believed until {}\n", owner.dir.display(), expires.timestamp))
}

fn rotate(flags: &Rotate) -> Result<String, Failure> {
    let Rotate { owner, new_keys } = flags;
    let mut publisher = owner.publisher()?;
    let ring = keys::assign(new_keys)?;
    let said = ring.said.clone();
    let version = publisher.rotate_root(&ring.assignment, ring.keys)?;
    let root = owner.dir.join(format!("metadata/{version}.root.json"));
    Ok(format!("{said}{}: whoever has an older root follows by itself\n", root.display()))
}

fn copy(flags: &Mirror) -> Result<String, Failure> {
    let Mirror { from, to, root } = flags;
    let trusted = std::fs::read(root).map_err(|source| {
        let path = root.clone();
        Failure::from(TreeError::Read { path, source })
    })?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::new(Exit::Failed, source))?;
    let mirrored = runtime.block_on(mirror(&trusted, Location::parse(from)?, to))?;
    let (n, bytes) = (mirrored.n_targets, mirrored.bytes);
    Ok(format!("{}: {n} bundles, {bytes} bytes, all verified\n", to.display()))
}

impl Owner {
    fn publisher(&self) -> Result<Publisher, Failure> {
        let Self { dir, keys, until } = self;
        Ok(Publisher::open(dir, keys::read(keys)?, until.expires()?)?)
    }
}

impl Until {
    fn expires(&self) -> Result<Expires, InvalidSpan> {
        let expires = Expires::from_now();
        self.expires.as_ref().map_or(Ok(expires), |span| expires.with_timestamp_after(span))
    }
}

fn release(text: &str) -> Result<(ElementName, Version), String> {
    let (name, version) = text.split_once('@').ok_or("wanted NAME@VERSION")?;
    let name = name.parse().map_err(|error| format!("{error}"))?;
    Ok((name, version.parse().map_err(|error| format!("`{version}` is no version: {error}"))?))
}

fn requirement(text: &str) -> Result<(ElementName, VersionReq), String> {
    let (name, versions) = text.split_once('=').ok_or("wanted NAME=VERSIONS")?;
    let name = name.parse().map_err(|error| format!("{error}"))?;
    let wrong = |error| format!("`{versions}` are no versions: {error}");
    Ok((name, versions.parse().map_err(wrong)?))
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let exit = match &error {
            PublishError::Tree(error) => exit_of_tree(error),
            PublishError::Copy { .. } => Exit::Failed,
            PublishError::Sign(_)
            | PublishError::Bundle(_)
            | PublishError::Taken(_)
            | PublishError::NoVersion { .. }
            | PublishError::Unassigned { .. } => Exit::Refused,
        };
        Self::new(exit, error)
    }
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Self {
        Self::new(exit_of_tree(&error), error)
    }
}

impl From<MirrorError> for Failure {
    fn from(error: MirrorError) -> Self {
        let exit = match &error {
            MirrorError::Write(error) => exit_of_tree(error),
            MirrorError::Read(error) => exit_of_reading(error),
        };
        Self::new(exit, error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::new(Exit::Refused, error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::new(Exit::Refused, error)
    }
}

impl From<InvalidSpan> for Failure {
    fn from(error: InvalidSpan) -> Self {
        Self::new(Exit::Refused, error)
    }
}

fn exit_of_tree(error: &TreeError) -> Exit {
    match error {
        TreeError::Read { .. } | TreeError::Write { .. } => Exit::Failed,
        TreeError::None { .. }
        | TreeError::Exists { .. }
        | TreeError::Busy { .. }
        | TreeError::Malformed { .. }
        | TreeError::Unsigned { .. }
        | TreeError::Mixed { .. } => Exit::Refused,
    }
}

fn exit_of_reading(error: &Error) -> Exit {
    match error {
        Error::Unreachable { .. } | Error::BrokenOff { .. } => Exit::Unreachable,
        Error::Keep { .. } | Error::NotRefreshed { .. } | Error::Clock { .. } => Exit::Failed,
        Error::Rollback { .. }
        | Error::Expired { .. }
        | Error::Mixed { .. }
        | Error::Endless { .. }
        | Error::Unsigned { .. }
        | Error::Root { .. }
        | Error::Malformed { .. }
        | Error::Absent { .. }
        | Error::WrongHash { .. }
        | Error::Yanked { .. }
        | Error::NoTarget { .. } => Exit::Refused,
    }
}

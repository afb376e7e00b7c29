//! A repository: a signed tree of files that elements come from.
//!
//! It is a TUF repository (<https://theupdateframework.io>) that any static web server can serve. Its owner
//! makes it by [`init`] and changes it by a [`Publisher`]; whoever installs from it has a [`Repository`], and
//! copies all of it by [`mirror`]. What is where in the tree is told in `layout`.
//!
//! # Invariants
//!
//! - A published version never changes: the same version with another digest is refused.
//! - A reader in the middle of a change sees the repository before it or after it.
//! - Private keys are in memory and in files of keys, never in the tree.

mod download;
mod error;
mod expires;
mod key;
mod layout;
mod location;
mod metadata;
mod mirror;
mod publish;
mod read;
mod release;
mod role;
mod root;
mod sign;
mod source;
mod tree;
mod trusted;

#[cfg(test)]
mod tests;

pub use self::download::VerifiedFile;
pub use self::error::{Detail, Error};
pub use self::expires::{Expires, InvalidSpan};
pub use self::key::{
    EnvelopeError, KeyError, Passphrase, PemError, PublicKey, SigningKey, create as create_keys,
    parse as parse_keys, read as read_keys, seal as seal_keys,
};
pub use self::location::Location;
pub use self::mirror::{MirrorError, Mirrored, mirror};
pub use self::publish::{Outcome, Publication, PublishError, Publisher, Taken, init};
pub use self::read::{Keep, Offer, Repository, Target, Yanked};
pub use self::release::{Kind, Release, Withdrawal};
pub use self::role::{InvalidRole, Role};
pub use self::root::Assignment;
pub use self::sign::SignError;
pub use self::source::SourceError;
pub use self::tree::TreeError;

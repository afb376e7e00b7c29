//! The admin token: the way in that needs no store.
//!
//! Guarantees: the token exists in clear text only where the first start or a reset prints it; the disk holds its
//! hash, comparisons take constant time, and no log or error holds what a caller presented. A reset counts from
//! the next request on, in the daemon that runs too.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use subtle::ConstantTimeEq;

pub(super) use self::kept::FILE;
use self::kept::{Known, Stamp};
use super::token::{Digest, Token, digest};
use crate::data::{self, DataDir};
use crate::log;

mod kept;

/// Knows the admin token.
#[derive(Debug)]
pub(super) struct AdminToken {
    path: PathBuf,
    /// As the file at `path` says; replaced by whoever first finds that it is another file.
    known: ArcSwap<Known>,
}

/// What came of a reset.
#[derive(Debug)]
pub(crate) struct Reset {
    /// The token that counts from now on.
    pub(crate) token: Token,
    /// The id of the one that counted before; nothing if that was not readable.
    pub(crate) replaced: Option<String>,
}

/// Why it is not known which token is the admin's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file is there and cannot be read.
    #[error("`{}` cannot be read: restore it, or remove it to get a new admin token", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this version writes.
    #[error("`{}` is damaged or from another version: restore it, or remove it to get a new admin token", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The directory is not a daemon's.
    #[error("`{}` is no data directory, it has no `{FILE}`: name the daemon's with `--data`", path.display())]
    NoData {
        /// The directory.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("the new admin token cannot be kept, so it does not count")]
    Keep(#[source] data::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for the admin token")]
    Random(#[source] getrandom::Error),
    /// The new token could not be shown to anybody.
    #[error("the new admin token cannot be printed: it needs a stdout; nothing is changed")]
    Show(#[source] io::Error),
}

impl AdminToken {
    /// Reads which it is; on the first start makes it and hands it to `show`, once.
    pub(super) fn open(
        data: &DataDir,
        show: impl FnOnce(&Token) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let path = data.join(FILE);
        let known = match kept::read(&path)? {
            Some(known) => known,
            None => Self::first(data, &path, show)?,
        };
        Ok(Self { path, known: ArcSwap::from_pointee(known) })
    }

    /// Whether what was presented is the admin token; if it is, the part of it that may be shown.
    pub(super) fn recognize(&self, presented: &[u8]) -> Option<String> {
        self.refresh();
        let known = self.known.load();
        let is_admin = bool::from(digest(presented).ct_eq(&known.admin));
        is_admin.then(|| known.id.clone())
    }

    /// The public part of the admin token.
    pub(super) fn id(&self) -> String {
        self.known.load().id.clone()
    }

    /// Takes up what a reset has written.
    ///
    /// Looking at the file each time costs about a microsecond and needs neither a signal nor a task: no
    /// request that comes after a reset is ever measured by the old token. A file that is damaged or gone
    /// changes nothing, because it must not lock out whoever could mend it.
    pub(super) fn refresh(&self) {
        let known = self.known.load();
        let stamp = Stamp::of(&self.path);
        if stamp == known.stamp {
            return;
        }
        match kept::read(&self.path) {
            Ok(Some(new)) => {
                tracing::info!(token = new.id, "the admin token was reset");
                self.known.store(Arc::new(new));
            }
            Ok(None) => self.keep(&known, stamp, "it is gone"),
            Err(error) => self.keep(&known, stamp, log::chain(&error)),
        }
    }

    /// Goes on with what is known; remembers the file, so as to say this once.
    fn keep(&self, known: &Known, stamp: Option<Stamp>, why: impl std::fmt::Display) {
        let path = self.path.display();
        tracing::warn!(%path, %why, "the file of who may call cannot be used: the last token counts");
        self.known.store(Arc::new(Known { stamp, ..known.clone() }));
    }

    /// Shows before it keeps: a token that nobody saw must not be the one that counts.
    fn first(
        data: &DataDir,
        path: &Path,
        show: impl FnOnce(&Token) -> io::Result<()>,
    ) -> Result<Known, Error> {
        let token = Token::random().map_err(Error::Random)?;
        show(&token).map_err(Error::Show)?;
        data.replace(FILE, &kept::document(&token)).map_err(Error::Keep)?;
        let (admin, id) = (digest(token.reveal().as_bytes()), token.id().to_owned());
        Ok(Known { admin, id, stamp: Stamp::of(path) })
    }
}

/// Replaces the admin token of a data directory, whether or not a daemon holds it, and hands it to `show`.
///
/// # Errors
/// When the directory is not a daemon's, or the new token can be neither shown nor kept; then the old one counts.
pub(crate) fn reset(
    directory: &Path,
    show: impl FnOnce(&Token) -> io::Result<()>,
) -> Result<Reset, Error> {
    let replaced = match kept::read(&directory.join(FILE)) {
        Ok(Some(known)) => Some(known.id),
        Ok(None) => return Err(Error::NoData { path: directory.to_owned() }),
        // A new token is the remedy for that.
        Err(Error::Parse { .. }) => None,
        Err(other) => return Err(other),
    };
    let token = Token::random().map_err(Error::Random)?;
    show(&token).map_err(Error::Show)?;
    data::replace(directory, FILE, &kept::document(&token)).map_err(Error::Keep)?;
    Ok(Reset { token, replaced })
}

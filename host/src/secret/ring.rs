//! The daemon's own keys: the newest seals, the older ones open what they sealed.
//!
//! Guarantees: without a file the first start makes one that only the daemon's user can read; a file that cannot be
//! understood ends the start, because a new key would not open what is there. A backup of the store is worth nothing
//! without it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::config::Config;
use crate::data::{self, DataDir};

/// The file in the data directory.
const FILE: &str = "secret.keys";
/// The id of the key that the first start makes.
const FIRST_ID: &str = "1";
const ID_CHARS_MAX: usize = 32;

pub(super) const KEY_BYTES: usize = 32;

/// A key with its id.
#[derive(Clone)]
pub(super) struct Key {
    id: String,
    bytes: [u8; KEY_BYTES],
}

/// All of them, the newest first; there is one at least.
#[derive(Debug)]
pub(super) struct Ring(Vec<Key>);

/// Why secrets can be neither sealed nor opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("the keys of secrets cannot be read from `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is no key.
    #[error(
        "line {line} of {origin} is not `ID BASE64` with {KEY_BYTES} bytes and an id of its own: secrets stay closed without it, so bring back what was there"
    )]
    Line {
        /// Where the keys come from.
        origin: String,
        /// Which line, from 1.
        line: usize,
    },
    /// There is none.
    #[error(
        "{origin} holds no key: bring back what was there, or remove it if there are no secrets yet"
    )]
    Empty {
        /// Where the keys come from.
        origin: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for the key of secrets")]
    Random(#[source] getrandom::Error),
    /// The first key cannot be kept.
    #[error("the new key of secrets cannot be kept")]
    Keep(#[source] data::Error),
}

impl Key {
    pub(super) fn new(id: &str, bytes: [u8; KEY_BYTES]) -> Self {
        Self { id: id.to_owned(), bytes }
    }

    pub(super) fn random(id: &str) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self::new(id, bytes))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    fn line(&self) -> String {
        format!("{} {}\n", self.id, STANDARD.encode(self.bytes))
    }

    fn parse(line: &str) -> Option<Self> {
        let (id, bytes) = line.trim().split_once(' ')?;
        let is_id = !id.is_empty()
            && id.len() <= ID_CHARS_MAX
            && id.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
        let bytes = STANDARD.decode(bytes.trim()).ok()?.try_into().ok()?;
        is_id.then(|| Self::new(id, bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ***)", self.id)
    }
}

impl Ring {
    /// A ring of these.
    #[cfg(test)]
    pub(super) fn of(keys: impl Into<Vec<Key>>) -> Self {
        Self(keys.into())
    }

    /// The keys that `config` names, or those in the data directory; made there when there are none.
    pub(super) fn open(config: &Config, data: &DataDir) -> Result<Self, Error> {
        let Config { key_file, keys } = config;
        if let Some(keys) = keys {
            return Self::parse(keys.reveal(), "the setting `secret.keys`");
        }
        let path = key_file.clone().unwrap_or_else(|| data.join(FILE));
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &format!("`{}`", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && key_file.is_none() => {
                Self::first(data, &path)
            }
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    fn first(data: &DataDir, path: &Path) -> Result<Self, Error> {
        let key = Key::random(FIRST_ID).map_err(Error::Random)?;
        data.replace(FILE, key.line().as_bytes()).map_err(Error::Keep)?;
        tracing::info!(path = %path.display(), "made the key that secrets are sealed with; a backup needs it");
        Ok(Self(vec![key]))
    }

    fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        let mut keys: Vec<Key> = Vec::new();
        let lines = text.lines().zip(1..).filter(|(line, _number)| !line.trim().is_empty());
        for (text, line) in lines {
            let key = Key::parse(text).filter(|key| keys.iter().all(|other| other.id != key.id));
            keys.push(key.ok_or_else(|| Error::Line { origin: origin.to_owned(), line })?);
        }
        if keys.is_empty() {
            Err(Error::Empty { origin: origin.to_owned() })
        } else {
            Ok(Self(keys))
        }
    }

    pub(super) fn newest(&self) -> &Key {
        &self.0[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_makes_a_private_key_and_the_next_one_finds_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let first = Ring::open(&Config::default(), &data).unwrap();
        let again = Ring::open(&Config::default(), &data).unwrap();
        assert_eq!(first.newest().bytes(), again.newest().bytes());
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn keys_that_cannot_be_understood_are_told_without_being_shown() {
        let good = Key::random("a").unwrap().line();
        let twice = format!("{good}{good}");
        for (text, told) in [
            (
                "",
                "x holds no key: bring back what was there, or remove it if there are no secrets yet",
            ),
            (
                "a c2hvcnQ=",
                "line 1 of x is not `ID BASE64` with 32 bytes and an id of its own: secrets stay closed without it, so bring back what was there",
            ),
            (
                &*twice,
                "line 2 of x is not `ID BASE64` with 32 bytes and an id of its own: secrets stay closed without it, so bring back what was there",
            ),
        ] {
            assert_eq!(Ring::parse(text, "x").unwrap_err().to_string(), told);
        }
        assert!(format!("{:?}", Ring::parse(&good, "x").unwrap()).contains("Key(a, ***)"));
    }
}

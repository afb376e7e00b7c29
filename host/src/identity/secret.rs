//! The secret of a data directory: keys are hashed by it, access tokens are signed by what follows of it.
//!
//! Guarantees: who reads the store alone can neither use a key nor try guesses against its hash. Without the file
//! no key counts any more, which is why a backup holds it.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::data::{self, DataDir};

/// The file in the data directory.
const FILE: &str = "identity.key";
const BYTES: usize = 32;

/// See the module.
pub(super) struct Secret([u8; BYTES]);

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file is there and cannot be read, or is none of ours.
    #[error("`{}` is not a key of {BYTES} bytes: restore it, or remove it and make the API keys anew", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said, if it said anything.
        source: Option<io::Error>,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for the key of API keys")]
    Random(#[source] getrandom::Error),
    /// It cannot be written.
    #[error("the new key of API keys cannot be kept")]
    Keep(#[source] data::Error),
}

impl Secret {
    /// Reads it, or makes it.
    pub(super) fn open(data: &DataDir) -> Result<Self, Error> {
        let path = data.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => match bytes.try_into() {
                Ok(secret) => Ok(Self(secret)),
                Err(_other_length) => Err(Error::Read { path, source: None }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::first(data),
            Err(source) => Err(Error::Read { path, source: Some(source) }),
        }
    }

    fn first(data: &DataDir) -> Result<Self, Error> {
        let mut secret = [0; BYTES];
        getrandom::fill(&mut secret).map_err(Error::Random)?;
        data.replace(FILE, &secret).map_err(Error::Keep)?;
        Ok(Self(secret))
    }

    /// The hash of a key.
    pub(super) fn hash(&self, key: &[u8]) -> [u8; 32] {
        self.mac("api key", key)
    }

    /// What the key that signs access tokens is made of.
    pub(super) fn seed(&self) -> [u8; 32] {
        self.mac("access token", b"")
    }

    /// What a password is remembered by while it need not be hashed again.
    pub(super) fn fingerprint(&self, user: &[u8], password: &[u8]) -> [u8; 32] {
        let mut pair = (user.len() as u64).to_be_bytes().to_vec();
        pair.extend_from_slice(user);
        pair.extend_from_slice(password);
        self.mac("password", &pair)
    }

    /// What follows of the secret and `data` for one purpose, and says nothing about what follows for another.
    fn mac(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length makes a MAC");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

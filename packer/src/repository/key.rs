//! Keys that sign a repository: ed25519, as PEM (PKCS#8), encrypted where they lie in a file.
//!
//! A file of keys is what [`seal`] makes of their PEM, or the PEM itself, as `openssl genpkey -algorithm
//! ed25519` writes it. Guarantees: files are made for their owner alone and are refused when others may
//! read them; a file of keys is never overwritten; neither `Debug` nor an error shows anything of a key but
//! its id.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::Ed25519KeyPair;
use thiserror::Error;
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::Key;
use tough::sign::Sign;

mod envelope;
mod pem;

pub use self::envelope::{EnvelopeError, Passphrase, seal};
pub use self::pem::PemError;

/// The bits of a mode that let somebody else in.
const OTHERS: u32 = 0o077;

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// What everybody may know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) id: Decoded<Hex>,
    pub(super) key: Key,
}

/// There is no key to sign with.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The machine gave no randomness.
    #[error("a key cannot be made: the system gives no random numbers")]
    Generate,
    /// The text holds no keys.
    #[error("keys cannot be read")]
    Pem(#[from] PemError),
    /// The text is encrypted, and cannot be opened.
    #[error("keys cannot be decrypted")]
    Envelope(#[from] EnvelopeError),
    /// What is in the file.
    #[error("file of keys `{}` cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<KeyError>,
    },
    /// The file cannot be read.
    #[error("file of keys `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("file of keys `{}` has mode {mode:o}, so others may read it: make other keys if they could have, else `chmod 600 {}`", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file cannot be made.
    #[error("file of keys `{}` cannot be made", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self::of(Ed25519KeyPair::generate().or(Err(KeyError::Generate))?))
    }

    fn of(pair: Ed25519KeyPair) -> Self {
        let key = pair.tuf_key();
        let id = key.key_id().expect("a public key can be written as JSON");
        Self { pair, public: PublicKey { id, key } }
    }

    /// What everybody may know of it.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public.id()).finish()
    }
}

impl PublicKey {
    /// What the key is known by: the digest of its public part, in hex.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(&self.id)
    }
}

/// The keys in a text: PEM, or an envelope that `passphrase` opens.
///
/// # Errors
/// When the text is neither, holds no keys, or is opened by another passphrase.
pub fn parse(text: &str, passphrase: Option<&Passphrase>) -> Result<Vec<SigningKey>, KeyError> {
    if text.trim_start().starts_with('{') {
        return Ok(pem::parse(&envelope::open(text, passphrase)?)?);
    }
    Ok(pem::parse(text)?)
}

/// The keys in a file.
///
/// # Errors
/// When it cannot be read, may be read by others, or holds no keys that `passphrase` opens.
pub fn read(path: &Path, passphrase: Option<&Passphrase>) -> Result<Vec<SigningKey>, KeyError> {
    let cannot = |source| KeyError::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(cannot)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    parse(&text, passphrase)
        .map_err(|source| KeyError::File { path: path.to_owned(), source: Box::new(source) })
}

/// Makes a file with these keys, encrypted, for this user alone.
///
/// # Errors
/// When there is such a file already, or it cannot be written.
pub fn create(path: &Path, keys: &[SigningKey], passphrase: &Passphrase) -> Result<(), KeyError> {
    let text = seal(&pem::write(keys)?, passphrase)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|file| write(file, &text))
        .map_err(|source| KeyError::Write { path: path.to_owned(), source })
}

fn write(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Keys in clear text, for tests.
#[cfg(test)]
pub(super) fn pem_of(keys: &[SigningKey]) -> String {
    pem::write(keys).unwrap()
}

#[cfg(test)]
mod tests;

//! The SHA-256 of some bytes, as a value with one spelling.
//!
//! A [`Digest`] is written `sha256:<64 lowercase hex digits>` everywhere but in file names, where
//! the colon becomes a hyphen. [`Measured`] is a digest with the number of bytes it was taken of.
//! Whether a digest is the wanted one is the business of whoever compares it.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::quote::quote;

const PREFIX: &str = "sha256:";
const BUFFER_BYTES: usize = 64 * 1024;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// How many bytes there were and what their digest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// The digest of all the bytes.
    pub digest: Digest,
    /// How many they were.
    pub bytes: u64,
}

/// The text is not a digest.
#[derive(Debug, Error)]
#[error("`{0}` is not a digest: wanted `sha256:` and 64 lowercase hex digits")]
pub struct InvalidDigest(String);

/// Takes bytes piece by piece and measures them.
#[derive(Default)]
pub(crate) struct Measuring {
    sha: Sha256,
    bytes: u64,
}

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of everything that `reader` still gives, in bounded memory.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn of_reader(reader: impl Read) -> io::Result<Self> {
        Ok(Measured::of_reader(reader)?.digest)
    }

    /// The 64 hex digits alone, as other formats write them.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest as one path component: `sha256-<hex>`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("sha256-{}", hex::encode(self.0))
    }
}

impl Measured {
    /// Measures everything that `reader` still gives, in bounded memory.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut measuring = Measuring::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(measuring.finish()),
                Ok(n) => measuring.update(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Measuring {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Measured {
        Measured { digest: Digest(self.sha.finalize().into()), bytes: self.bytes }
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 32];
        let digits = text.strip_prefix(PREFIX).filter(|hex| !hex.contains(char::is_uppercase));
        match digits.map(|hex| hex::decode_to_slice(hex, &mut bytes)) {
            Some(Ok(())) => Ok(Self(bytes)),
            Some(Err(_)) | None => Err(InvalidDigest(quote(text))),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn text_and_value_go_both_ways() {
        let digest = Digest::of_bytes(b"");
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(EMPTY.parse::<Digest>().unwrap(), digest);
        assert_eq!(digest.file_name(), EMPTY.replace(':', "-"));
    }

    #[test]
    fn streaming_gives_the_digest_of_the_whole() {
        let bytes = vec![7; 3 * super::BUFFER_BYTES + 1];
        assert_eq!(Digest::of_reader(bytes.as_slice()).unwrap(), Digest::of_bytes(&bytes));
    }

    #[test]
    fn other_spellings_are_refused() {
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        let short = &EMPTY[..EMPTY.len() - 2];
        for text in ["", "sha256:", &EMPTY[7..], short, &upper, &format!("{EMPTY}00")] {
            text.parse::<Digest>().expect_err(text);
        }
    }
}

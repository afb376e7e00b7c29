//! A token: `metapaas_<id>_<secret>`.
//!
//! The id may be shown and logged, the secret is 256 random bits. `Debug` shows the id only.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The hash by which a token is recognized. The secret is random, so nothing slower is needed.
pub(super) type Digest = [u8; 32];

/// A token in clear text.
pub(crate) struct Token {
    text: String,
}

const PREFIX: &str = "metapaas_";
const ID_BYTES: usize = 4;
const SECRET_BYTES: usize = 32;

/// Hashes what was presented as a token.
pub(super) fn digest(presented: &[u8]) -> Digest {
    Sha256::digest(presented).into()
}

/// The part that may be shown of what was presented; nothing if that is no token of ours.
pub(super) fn id_of(presented: &[u8]) -> Option<&str> {
    let rest = presented.strip_prefix(PREFIX.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'_')?;
    str::from_utf8(&rest[..end]).ok()
}

impl Token {
    /// A new one.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        let (id, secret) = bytes.split_at(ID_BYTES);
        Ok(Self { text: format!("{PREFIX}{}_{}", hex::encode(id), hex::encode(secret)) })
    }

    /// The whole of it, for the one place that shows it.
    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }

    /// The part that may be shown.
    pub(crate) fn id(&self) -> &str {
        &self.text[PREFIX.len()..PREFIX.len() + 2 * ID_BYTES]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_***", self.id())
    }
}

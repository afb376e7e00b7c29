//! A secret text under a passphrase: a versioned JSON document.
//!
//! ```json
//! {
//!   "format": "metapaas-repository-keys", "version": 1,
//!   "kdf": {"name": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 1, "salt": "…"},
//!   "cipher": {"name": "aes-256-gcm", "nonce": "…"},
//!   "ciphertext": "…"
//! }
//! ```
//!
//! Everything before the ciphertext is authenticated with it, so a document that was changed anywhere does
//! not open. What a document may ask of this machine to derive its key is bounded. Salt and nonce are made
//! anew each time, so a nonce never meets the same key again.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const FORMAT: &str = "metapaas-repository-keys";
const VERSION: u32 = 1;
const SALT_BYTES: usize = 16;

/// What deriving a key costs: a third of a second, for whoever guesses too.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// What a document may ask for at most.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

/// What opens an envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// An envelope cannot be made or opened.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// Nothing to open it with.
    #[error("keys are encrypted: give the passphrase in `METAPAAS_REPOSITORY_PASSPHRASE`")]
    NoPassphrase,
    /// A passphrase of no characters.
    #[error("passphrase is empty")]
    EmptyPassphrase,
    /// It is some other document.
    #[error("document is not an envelope of keys")]
    Json(#[source] serde_json::Error),
    /// It was made by another version.
    #[error(
        "envelope has format `{format}` version {version}; this build reads `{FORMAT}` version {VERSION}"
    )]
    Version {
        /// The format it names.
        format: String,
        /// Its version.
        version: u32,
    },
    /// It asks for another algorithm, or for more than is reasonable.
    #[error("envelope asks for what no MetaPaaS writes: {0}")]
    Parameters(&'static str),
    /// The passphrase is another one, or the document was changed; which of the two cannot be told.
    #[error(
        "passphrase is not the one the keys were encrypted with, or the file was changed since"
    )]
    DoesNotOpen,
    /// The system gave no randomness, or not the memory.
    #[error(
        "keys cannot be encrypted or decrypted: the system gives no random numbers or no memory"
    )]
    System,
}

/// How dear it is to try a passphrase.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(flatten)]
    header: Header,
    ciphertext: String,
}

/// What is authenticated though it is not encrypted.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    kdf: Kdf,
    cipher: Cipher,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    #[serde(flatten)]
    cost: Cost,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

impl Passphrase {
    /// A passphrase.
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(text: impl Into<String>) -> Result<Self, EnvelopeError> {
        let text = text.into();
        if text.is_empty() { Err(EnvelopeError::EmptyPassphrase) } else { Ok(Self(text)) }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(***)")
    }
}

/// Puts a text into an envelope.
///
/// # Errors
/// When the system gives neither random numbers nor memory.
pub fn seal(text: &str, passphrase: &Passphrase) -> Result<String, EnvelopeError> {
    seal_at(COST, text, passphrase)
}

fn seal_at(cost: Cost, text: &str, passphrase: &Passphrase) -> Result<String, EnvelopeError> {
    let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_LEN>()?);
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        kdf: Kdf { name: "argon2id".to_owned(), cost, salt: STANDARD.encode(salt) },
        cipher: Cipher { name: "aes-256-gcm".to_owned(), nonce: STANDARD.encode(nonce) },
    };
    let mut bytes = text.as_bytes().to_vec();
    key(cost, &salt, passphrase)?
        .seal_in_place_append_tag(Nonce::from(&nonce), header.authenticated(), &mut bytes)
        .or(Err(EnvelopeError::System))?;
    let document = Document { header, ciphertext: STANDARD.encode(bytes) };
    let json = serde_json::to_string_pretty(&document).expect("it holds text and numbers only");
    Ok(json + "\n")
}

/// Takes a text out of its envelope.
pub(super) fn open(json: &str, passphrase: Option<&Passphrase>) -> Result<String, EnvelopeError> {
    let document: Document = serde_json::from_str(json).map_err(EnvelopeError::Json)?;
    let Document { header, ciphertext } = document;
    header.check()?;
    let passphrase = passphrase.ok_or(EnvelopeError::NoPassphrase)?;
    let salt = decode(&header.kdf.salt)?;
    let nonce = Nonce::try_assume_unique_for_key(&decode(&header.cipher.nonce)?)
        .or(Err(EnvelopeError::Parameters("a nonce of another length")))?;
    let mut bytes = decode(&ciphertext)?;
    let opened = key(header.kdf.cost, &salt, passphrase)?
        .open_in_place(nonce, header.authenticated(), &mut bytes)
        .or(Err(EnvelopeError::DoesNotOpen))?;
    String::from_utf8(opened.to_vec()).or(Err(EnvelopeError::DoesNotOpen))
}

impl Header {
    fn authenticated(&self) -> Aad<Vec<u8>> {
        Aad::from(serde_json::to_vec(self).expect("it holds text and numbers only"))
    }

    fn check(&self) -> Result<(), EnvelopeError> {
        let Self { format, version, kdf, cipher } = self;
        if format != FORMAT || *version != VERSION {
            return Err(EnvelopeError::Version { format: format.clone(), version: *version });
        }
        let Cost { memory_kib, passes, lanes } = kdf.cost;
        if memory_kib > COST_MAX.memory_kib || passes > COST_MAX.passes || lanes > COST_MAX.lanes {
            return Err(EnvelopeError::Parameters("more work than is reasonable"));
        }
        match (kdf.name.as_str(), cipher.name.as_str()) {
            ("argon2id", "aes-256-gcm") => Ok(()),
            _ => Err(EnvelopeError::Parameters("another algorithm")),
        }
    }
}

fn key(cost: Cost, salt: &[u8], passphrase: &Passphrase) -> Result<LessSafeKey, EnvelopeError> {
    let Cost { memory_kib, passes, lanes } = cost;
    let params = Params::new(memory_kib, passes, lanes, Some(AES_256_GCM.key_len()))
        .or(Err(EnvelopeError::Parameters("an impossible cost")))?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.0.as_bytes(), salt, &mut key)
        .or(Err(EnvelopeError::System))?;
    let key = UnboundKey::new(&AES_256_GCM, &key).expect("the key has the length it asks for");
    Ok(LessSafeKey::new(key))
}

fn random<const N: usize>() -> Result<[u8; N], EnvelopeError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).or(Err(EnvelopeError::System))?;
    Ok(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, EnvelopeError> {
    STANDARD.decode(text).or(Err(EnvelopeError::Parameters("something that is not base64")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As little as argon2 allows: what is tested is the envelope, not how dear it is.
    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_with_its_passphrase_alone(
            text in ".{0,200}", right in ".{1,30}", wrong in ".{1,30}",
        ) {
            let sealed = seal_at(CHEAP, &text, &passphrase(&right)).unwrap();
            prop_assert_eq!(open(&sealed, Some(&passphrase(&right))).unwrap(), text);
            if wrong != right {
                open(&sealed, Some(&passphrase(&wrong))).unwrap_err();
            }
        }

        #[test]
        fn a_changed_character_does_not_open(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let sealed = seal_at(CHEAP, "a secret", &passphrase("word")).unwrap();
            let mut changed = sealed.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = to;
            let Ok(changed) = String::from_utf8(changed) else { return Ok(()) };
            let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            if same(&changed) != same(&sealed) {
                open(&changed, Some(&passphrase("word"))).unwrap_err();
            }
        }
    }

    #[test]
    fn two_envelopes_of_one_text_have_nothing_in_common() {
        let sealed = || seal_at(CHEAP, "a secret", &passphrase("word")).unwrap();
        let (one, other): (Document, Document) =
            (serde_json::from_str(&sealed()).unwrap(), serde_json::from_str(&sealed()).unwrap());
        assert_ne!(one.header.kdf.salt, other.header.kdf.salt);
        assert_ne!(one.header.cipher.nonce, other.header.cipher.nonce);
        assert_ne!(one.ciphertext, other.ciphertext);
    }

    #[test]
    fn an_envelope_cannot_ask_for_all_memory() {
        let sealed = seal_at(CHEAP, "a secret", &passphrase("word")).unwrap();
        let greedy = sealed.replace("\"memory_kib\": 8", "\"memory_kib\": 4294967295");
        let error = open(&greedy, Some(&passphrase("word"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "envelope asks for what no MetaPaaS writes: more work than is reasonable"
        );
    }
}

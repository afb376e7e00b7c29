//! Secrets at rest: text that is kept encrypted, and opened for whoever may see it.
//!
//! Each text is sealed with a key of its own (AES-256-GCM), and that key with the newest of the [`ring`], so that a
//! new key of the daemon's needs no secret to be written again. Guarantees: what is sealed for one place opens
//! nowhere else, so a row that was copied over another tells nothing; no error, log or `Debug` holds a secret or a
//! key; a text that was changed does not open. Not here: who may see a secret.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

pub(crate) mod config;
mod ring;

pub(crate) use config::Config;
pub(crate) use ring::Error as RingError;
use ring::{KEY_BYTES, Key, Ring};

/// How a sealed text begins: what follows is the id of the daemon's key, the sealed key, the sealed text.
const VERSION: &str = "v1";

/// Seals and opens. Clones have the same keys.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    ring: Arc<Ring>,
}

/// Where a secret is kept: the only place where it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The table.
    pub(crate) table: &'a str,
    /// The row.
    pub(crate) row: &'a str,
    /// The column.
    pub(crate) column: &'a str,
}

/// A secret in clear. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretText(String);

/// Why a secret does not open.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    /// Its key is not there.
    #[error(
        "a secret is sealed with key `{id}`, which is not among the daemon's; bring it back as `secret.keys` says"
    )]
    UnknownKey {
        /// The id of the key.
        id: String,
    },
    /// It is not what was sealed there.
    #[error("what is kept as a secret is not what was sealed there; somebody changed the row")]
    Changed,
}

impl Secrets {
    /// The daemon's secrets, with the keys that `config` names.
    ///
    /// # Errors
    /// There are no usable keys.
    pub(crate) fn open(config: &Config, data: &crate::data::DataDir) -> Result<Self, RingError> {
        Ok(Self { ring: Arc::new(Ring::open(config, data)?) })
    }

    /// Secrets with a key that nobody else has.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self { ring: Arc::new(Ring::of([Key::random("test").unwrap()])) }
    }

    /// The text, sealed for `place`.
    pub(crate) fn seal(&self, text: &SecretText, place: Place<'_>) -> String {
        let newest = self.ring.newest();
        let own = Key::random("own").expect("the system gave random bytes when the daemon began");
        let bound = place.bytes();
        let key = encrypt(newest, own.bytes(), &bound);
        let text = encrypt(&own, text.0.as_bytes(), &bound);
        format!("{VERSION}.{}.{}.{}", newest.id(), encoded(&key), encoded(&text))
    }

    /// What was sealed for `place`.
    ///
    /// # Errors
    /// It is something else, or its key is not there.
    pub(crate) fn unseal(&self, sealed: &str, place: Place<'_>) -> Result<SecretText, OpenError> {
        let mut parts = sealed.split('.');
        let (Some(VERSION), Some(id), Some(key), Some(text), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(OpenError::Changed);
        };
        let Some(outer) = self.ring.find(id) else {
            return Err(OpenError::UnknownKey { id: id.to_owned() });
        };
        let bound = place.bytes();
        let key = decrypt(outer, &decoded(key)?, &bound)?;
        let key: [u8; KEY_BYTES] = key.try_into().map_err(|_other_length| OpenError::Changed)?;
        let text = decrypt(&Key::new("own", key), &decoded(text)?, &bound)?;
        String::from_utf8(text).map(SecretText).map_err(|_no_text| OpenError::Changed)
    }
}

impl Place<'_> {
    /// It as bytes: each part says its length, so that no two places are the same.
    fn bytes(self) -> Vec<u8> {
        let Self { table, row, column } = self;
        let mut bytes = Vec::new();
        for part in [table, row, column] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

impl SecretText {
    /// A text that nobody may print.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever may see it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(***)")
    }
}

/// The nonce, then what `key` makes of `plain`; it opens with the same `bound` only.
fn encrypt(key: &Key, plain: &[u8], bound: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    let nonce = cipher(key)
        .seal_in_place_append_tag(Aad::from(bound), &mut sealed)
        .expect("a secret is far below what one nonce may encrypt");
    let mut whole = nonce.as_ref().to_vec();
    whole.append(&mut sealed);
    whole
}

fn decrypt(key: &Key, whole: &[u8], bound: &[u8]) -> Result<Vec<u8>, OpenError> {
    let changed = |_unspecified| OpenError::Changed;
    let (nonce, sealed) = whole.split_at_checked(NONCE_BYTES).ok_or(OpenError::Changed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(changed)?;
    let mut sealed = sealed.to_vec();
    let plain = cipher(key).open_in_place(nonce, Aad::from(bound), &mut sealed).map_err(changed)?;
    Ok(plain.to_vec())
}

const NONCE_BYTES: usize = 12;

fn cipher(key: &Key) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, key.bytes()).expect("a key has the cipher's length")
}

fn encoded(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

fn decoded(text: &str) -> Result<Vec<u8>, OpenError> {
    STANDARD_NO_PAD.decode(text).map_err(|_no_base64| OpenError::Changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { table: "s3_instances", row: "1", column: "root_secret" };

    #[test]
    fn a_secret_opens_where_it_was_sealed_and_nowhere_else() {
        let secrets = Secrets::for_tests();
        for text in ["", "hunter2", "grüße\n"] {
            let text = SecretText::new(text);
            let sealed = secrets.seal(&text, PLACE);
            assert_eq!(secrets.unseal(&sealed, PLACE), Ok(text));
            for other in [
                Place { table: "s3_instances1", row: "", ..PLACE },
                Place { row: "2", ..PLACE },
                Place { column: "name", ..PLACE },
            ] {
                assert_eq!(secrets.unseal(&sealed, other), Err(OpenError::Changed));
            }
        }
    }

    #[test]
    fn the_same_text_never_looks_the_same() {
        let secrets = Secrets::for_tests();
        let text = SecretText::new("hunter2");
        let sealed = secrets.seal(&text, PLACE);
        assert_ne!(sealed, secrets.seal(&text, PLACE));
        assert!(!sealed.contains("hunter2"));
        assert_eq!(format!("{text:?}"), "SecretText(***)");
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let secrets = Secrets::for_tests();
        let sealed = secrets.seal(&SecretText::new("hunter2"), PLACE);
        for position in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(secrets.unseal(&changed, PLACE).is_err(), "{position}");
        }
        assert_eq!(secrets.unseal("", PLACE), Err(OpenError::Changed));
    }

    #[test]
    fn an_older_key_still_opens_and_a_lost_one_is_named() {
        let (old, new) = (Key::random("old").unwrap(), Key::random("new").unwrap());
        let before = Secrets { ring: Arc::new(Ring::of([old.clone()])) };
        let after = Secrets { ring: Arc::new(Ring::of([new.clone(), old])) };
        let without = Secrets { ring: Arc::new(Ring::of([new])) };
        let text = SecretText::new("hunter2");
        let sealed = before.seal(&text, PLACE);
        assert_eq!(after.unseal(&sealed, PLACE), Ok(text.clone()));
        let lost = OpenError::UnknownKey { id: "old".to_owned() };
        assert_eq!(without.unseal(&sealed, PLACE), Err(lost));
        let sealed = after.seal(&text, PLACE);
        assert_eq!(without.unseal(&sealed, PLACE), Ok(text));
    }
}

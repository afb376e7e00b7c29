//! The LOGIN role of an element on PostgreSQL: what it is called and how it proves itself.
//!
//! Guarantees: a password is made when a daemon first needs it and is nowhere but in its memory; the server is told
//! only what verifies it, so it is in no log of the server either. Names fit PostgreSQL's 63 bytes and differ for
//! different elements and databases.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use packer::bundle::ElementName;
use sha2::{Digest as _, Sha256};

/// The most bytes of a name; PostgreSQL cuts longer ones off.
const NAME_BYTES_MAX: usize = 63;

/// The name of a role. Roles belong to the whole server, so the database is part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoleName(String);

impl RoleName {
    /// That of `element` in the database of this name.
    pub(super) fn new(database: &str, element: &ElementName) -> Self {
        let whole = format!("mp_{}_{element}", short_hash(database));
        if whole.len() <= NAME_BYTES_MAX {
            return Self(whole);
        }
        // Names of elements have no underscores, so what is cut never looks like one that is not.
        let tail = format!("_{}", short_hash(element.as_str()));
        let kept = &whole[..NAME_BYTES_MAX - tail.len()];
        Self(format!("{kept}{tail}"))
    }

    /// As text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As SQL has it.
    pub(super) fn quoted(&self) -> String {
        quoted(&self.0)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The first 32 bits of a hash.
fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..4])
}

/// A password that is in this process's memory only.
#[derive(Clone)]
pub(super) struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How often the password is stretched. Stretching makes guessing slow, and nobody guesses 256 random bits; every
/// connection would wait for it.
const ITERATIONS: u32 = 1;

impl Password {
    /// A new one.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes)))
    }

    /// For connecting only.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// What the server is told (RFC 5803): it can verify the password with it and not log in.
    pub(super) fn verifier(&self) -> Result<String, getrandom::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        Ok(self.verifier_with(&salt))
    }

    fn verifier_with(&self, salt: &[u8]) -> String {
        let mut first_block = salt.to_vec();
        first_block.extend(1u32.to_be_bytes());
        // PBKDF2 of one iteration is this.
        let salted = keyed_hash(self.0.as_bytes(), &first_block);
        let stored_key = Sha256::digest(keyed_hash(&salted, b"Client Key"));
        let server_key = keyed_hash(&salted, b"Server Key");
        format!(
            "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
            STANDARD.encode(salt),
            STANDARD.encode(stored_key),
            STANDARD.encode(server_key)
        )
    }
}

fn keyed_hash(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(element: &str) -> RoleName {
        RoleName::new("metapaas", &element.parse().unwrap())
    }

    #[test]
    fn roles_are_called_after_database_and_element() {
        assert_eq!(name("s3aas").as_str(), "mp_7368dc50_s3aas");
        assert_ne!(RoleName::new("other", &"s3aas".parse().unwrap()), name("s3aas"));
    }

    #[test]
    fn the_longest_names_fit_and_differ() {
        let (a, b) = (name(&"a".repeat(63)), name(&format!("{}b", "a".repeat(62))));
        assert_eq!((a.as_str().len(), b.as_str().len()), (NAME_BYTES_MAX, NAME_BYTES_MAX));
        assert_ne!(a, b);
        let longest_whole = name(&"a".repeat(51));
        assert!(
            longest_whole
                .as_str()
                .ends_with("_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
        );
    }

    #[test]
    fn a_verifier_holds_no_password() {
        let password = Password::random().unwrap();
        let verifier = password.verifier().unwrap();
        assert!(verifier.starts_with("SCRAM-SHA-256$1:"), "{verifier}");
        assert!(
            !verifier.contains(password.reveal())
                && !format!("{password:?}").contains(password.reveal())
        );
        assert_ne!(password.verifier_with(b"a"), password.verifier_with(b"b"));
    }
}

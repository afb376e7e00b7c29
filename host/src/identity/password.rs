//! Passwords of users.
//!
//! Guarantees: kept as argon2id hashes with a salt each; `Debug` shows nothing; hashing one, which takes long and
//! much memory on purpose, never runs on a thread that answers others.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// A password in clear text, on its way to its hash.
pub(crate) struct Password(String);

/// A text that is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password has {BYTES_MIN} to {BYTES_MAX} bytes")]
pub(crate) struct NoPassword;

const BYTES_MIN: usize = 12;
const BYTES_MAX: usize = 1024;

/// What a name that nobody has is measured by, so that it takes as long as one that somebody has.
static NOBODYS: LazyLock<String> = LazyLock::new(|| hash(b"nobody's password").unwrap_or_default());

impl Password {
    /// Its hash.
    pub(super) async fn hash(self) -> Result<String, String> {
        let hashing = tokio::task::spawn_blocking(move || hash(self.0.as_bytes()));
        hashing.await.map_err(|error| error.to_string())?
    }
}

fn hash(password: &[u8]) -> Result<String, String> {
    let hashed = Argon2::default().hash_password(password);
    hashed.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Whether `presented` is the password whose hash is `hash`; without one it takes as long. Blocks.
pub(super) fn is(hash: Option<&str>, presented: &[u8]) -> bool {
    let measure = hash.unwrap_or(NOBODYS.as_str());
    let Ok(parsed) = PasswordHash::new(measure) else { return false };
    let is_it = Argon2::default().verify_password(presented, &parsed).is_ok();
    is_it && hash.is_some()
}

impl FromStr for Password {
    type Err = NoPassword;

    fn from_str(text: &str) -> Result<Self, NoPassword> {
        let fits = (BYTES_MIN..=BYTES_MAX).contains(&text.len());
        fits.then(|| Self(text.to_owned())).ok_or(NoPassword)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_a_hash_of_its_own() {
        let text = "correct horse";
        let of = |text: &str| text.parse::<Password>().unwrap().hash();
        let (one, other) = (of(text).await.unwrap(), of(text).await.unwrap());
        assert!(one.starts_with("$argon2id$") && !one.contains("horse"), "{one}");
        assert_ne!(one, other, "each has its own salt");
        assert!(is(Some(&one), text.as_bytes()));
        assert!(!is(Some(&one), b"correct horsf"));
        assert!(!is(None, text.as_bytes()) && !is(Some("damaged"), text.as_bytes()));
        assert!(!is(None, b"nobody's password"));
    }

    #[test]
    fn a_short_or_endless_password_is_refused() {
        assert_eq!("elevenbytes".parse::<Password>().unwrap_err(), NoPassword);
        assert!("a".repeat(BYTES_MAX + 1).parse::<Password>().is_err());
        assert_eq!(format!("{:?}", "twelve bytes".parse::<Password>().unwrap()), "Password");
    }
}

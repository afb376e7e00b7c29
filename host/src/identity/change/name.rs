//! A name: a DNS label that does not look like an id.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The name of anything in identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

/// A text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no name: it has 1 to 63 of `a-z`, `0-9` and `-`, begins and ends with a letter or digit, and is no UUID"
)]
pub(crate) struct NoName(String);

const CHARS_MAX: usize = 63;

impl Name {
    /// It as it is.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let is_label = bytes.len() <= CHARS_MAX
            && bytes.first().is_some_and(is_alphanumeric)
            && bytes.last().is_some_and(is_alphanumeric)
            && bytes.iter().all(|byte| is_alphanumeric(byte) || *byte == b'-');
        if is_label && text.parse::<Uuid>().is_err() {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoName(text.to_owned()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_label_and_no_id() {
        for good in ["a", "7", "team-1", &"a".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        let id = Uuid::now_v7();
        let hidden = [id.to_string(), id.simple().to_string()];
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(64), &hidden[0], &hidden[1]]
        {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}

//! The two names a bundle is made of: which element it is, and which target a library is for.
//!
//! Both are valid by construction and safe as one path component: they hold no slash and do not
//! begin with a dot. Whether an element or a target of that name exists is not known here.

use std::env::consts::ARCH;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::quote::quote;

const ELEMENT_BYTES_MAX: usize = 63;
const TRIPLE_BYTES_MAX: usize = 63;

/// The name of an element, such as `s3aas` or `metapaas-demo`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ElementName(String);

/// What a library was built for, such as `x86_64-unknown-linux-gnu`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetTriple(String);

/// The text is not the name of an element.
#[derive(Debug, Error)]
#[error(
    "`{0}` is not an element name: wanted 1 to {ELEMENT_BYTES_MAX} of a-z, 0-9 and single \
     hyphens, a letter first, no hyphen last"
)]
pub struct InvalidElementName(String);

/// The text is not a target triple.
#[derive(Debug, Error)]
#[error(
    "`{0}` is not a target triple: wanted 3 or 4 parts of a-z, 0-9, `_` and `.` joined by \
     hyphens, as in `x86_64-unknown-linux-gnu`"
)]
pub struct InvalidTargetTriple(String);

impl ElementName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TargetTriple {
    /// The target that this process was built for.
    ///
    /// MetaPaaS runs on Linux with glibc alone, so only the architecture varies.
    #[must_use]
    pub fn host() -> Self {
        Self(format!("{ARCH}-unknown-linux-gnu"))
    }

    /// The triple as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_element_name(text: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= ELEMENT_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.split('-').all(|word| !word.is_empty() && word.chars().all(known))
}

fn is_target_triple(text: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(known);
    text.len() <= TRIPLE_BYTES_MAX
        && (3..=4).contains(&text.split('-').count())
        && text.split('-').all(is_part)
}

impl FromStr for ElementName {
    type Err = InvalidElementName;

    fn from_str(text: &str) -> Result<Self, InvalidElementName> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for ElementName {
    type Error = InvalidElementName;

    fn try_from(text: String) -> Result<Self, InvalidElementName> {
        if is_element_name(&text) { Ok(Self(text)) } else { Err(InvalidElementName(quote(&text))) }
    }
}

impl From<ElementName> for String {
    fn from(name: ElementName) -> Self {
        name.0
    }
}

impl fmt::Display for ElementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TargetTriple {
    type Err = InvalidTargetTriple;

    fn from_str(text: &str) -> Result<Self, InvalidTargetTriple> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for TargetTriple {
    type Error = InvalidTargetTriple;

    fn try_from(text: String) -> Result<Self, InvalidTargetTriple> {
        if is_target_triple(&text) {
            Ok(Self(text))
        } else {
            Err(InvalidTargetTriple(quote(&text)))
        }
    }
}

impl From<TargetTriple> for String {
    fn from(triple: TargetTriple) -> Self {
        triple.0
    }
}

impl fmt::Display for TargetTriple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ElementName, TargetTriple};

    #[test]
    fn element_names() {
        let longest = "a".repeat(63);
        for good in ["a", "s3aas", "metapaas-demo", "a-1-b", &longest] {
            assert_eq!(good.parse::<ElementName>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-", "a-", "-a", "a--b", "3a", "A", "a_b", "a.b", "a/b", "é", &too_long] {
            bad.parse::<ElementName>().expect_err(bad);
        }
    }

    #[test]
    fn target_triples() {
        for good in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu.2.31", "a-b-c"] {
            assert_eq!(good.parse::<TargetTriple>().unwrap().as_str(), good);
        }
        for bad in ["", "x86_64", "a-b", "a-b-c-d-e", "a--b-c", "a-..-c", "a-b/-c", "A-b-c"] {
            bad.parse::<TargetTriple>().expect_err(bad);
        }
    }

    #[test]
    fn the_host_is_a_valid_triple() {
        let host = TargetTriple::host();
        assert_eq!(host.as_str().parse::<TargetTriple>().unwrap(), host);
    }
}

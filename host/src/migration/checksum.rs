//! What a migration was when it was applied, in one line: a digest of what it does to a database.
//!
//! Two migrations have one checksum when name, phase, dependencies and the statements for this database are
//! the same, byte for byte. The other database's statements are not part of it, nor is the backfill's name:
//! the ledger of one database says what was done to that one.

use std::fmt;

use plugin_abi::descriptor::Phase;
use sha2::{Digest, Sha256};

/// See the module. Written `sha256:` and 64 digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksum(String);

/// What goes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    /// A few words.
    pub(super) name: &'a str,
    /// When it is run.
    pub(super) phase: Phase,
    /// What comes before it.
    pub(super) depends_on: &'a [super::chain::MigrationId],
    /// What it does.
    pub(super) up: &'a [String],
    /// What undoes it.
    pub(super) down: Option<&'a [String]>,
}

/// Changes when what goes in, or how it goes in, does.
const FORMAT: &str = "migration 1";

impl Checksum {
    /// The checksum of a migration.
    pub(super) fn of(content: Content<'_>) -> Self {
        let Content { name, phase, depends_on, up, down } = content;
        let mut hash = Sha256::new();
        part(&mut hash, FORMAT);
        part(&mut hash, name);
        part(&mut hash, super::phase_word(phase));
        parts(&mut hash, depends_on.iter().map(ToString::to_string));
        parts(&mut hash, up.iter());
        match down {
            None => part(&mut hash, "no down"),
            Some(down) => parts(&mut hash, down.iter()),
        }
        Self(format!("sha256:{}", hex::encode(hash.finalize())))
    }

    /// What the ledger holds; compared, and never made up.
    pub(super) fn from_ledger(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Lengths come first, so that no two lists run together into the same bytes.
fn parts<T: AsRef<str>>(hash: &mut Sha256, all: impl ExactSizeIterator<Item = T>) {
    hash.update((all.len() as u64).to_le_bytes());
    all.for_each(|text| part(hash, text.as_ref()));
}

fn part(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> (Vec<String>, Vec<String>) {
        (vec!["CREATE TABLE a (b int)".to_owned()], vec!["DROP TABLE a".to_owned()])
    }

    fn checksum(name: &str, phase: Phase, up: &[String], down: Option<&[String]>) -> Checksum {
        Checksum::of(Content { name, phase, depends_on: &[], up, down })
    }

    #[test]
    fn whatever_a_migration_does_is_in_its_checksum() {
        let (up, down) = base();
        let first = checksum("a", Phase::Expand, &up, Some(&down));
        assert_eq!(first, checksum("a", Phase::Expand, &up, Some(&down)));
        assert!(first.to_string().starts_with("sha256:"), "{first}");
        let split = vec!["CREATE TABLE ".to_owned(), "a (b int)".to_owned()];
        let spaced = vec!["CREATE TABLE a  (b int)".to_owned()];
        let others = [
            checksum("b", Phase::Expand, &up, Some(&down)),
            checksum("a", Phase::Contract, &up, Some(&down)),
            checksum("a", Phase::Expand, &split, Some(&down)),
            checksum("a", Phase::Expand, &spaced, Some(&down)),
            checksum("a", Phase::Expand, &up, Some(&[])),
            checksum("a", Phase::Expand, &up, None),
        ];
        for (position, other) in others.iter().enumerate() {
            assert_ne!(&first, other, "change {position}");
        }
    }
}

//! Names: how they are spelled, and which are the host's.

use super::error::Wrong;

/// What is served under every resource, so that no collection can have the name.
pub(crate) use plugin_abi::resource::RESERVED_COLLECTIONS as WORDS_BELOW;

/// The collection that hangs under the type itself and nowhere else.
pub(crate) const INSTANCES: &str = "instances";

/// Columns that PostgreSQL has in every table.
pub(super) const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// Actions that the host has for every resource, and what else a permission says of one.
pub(super) use plugin_abi::resource::RESERVED_VERBS as VERBS;

/// The longest table whose indexes still have names of their own: PostgreSQL cuts names at 63 bytes.
pub(super) const TABLE_BYTES_MAX: usize = 63 - "_of_project".len();

/// How a name is spelled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling {
    what: &'static str,
    pattern: &'static str,
    n_max: usize,
    also: u8,
}

/// A segment of a path.
pub(super) const COLLECTION: Spelling =
    Spelling { what: "the name", pattern: "[a-z][a-z0-9-]{0,30}", n_max: 31, also: b'-' };
/// One of a collection, in permissions.
pub(super) const ONE: Spelling = Spelling {
    what: "the name of one of them,",
    pattern: "[a-z][a-z0-9_]{0,30}",
    n_max: 31,
    also: b'_',
};
/// A field and its column.
pub(super) const FIELD: Spelling =
    Spelling { what: "the name", pattern: "[a-z][a-z0-9_]{0,62}", n_max: 63, also: b'_' };
/// A verb.
pub(super) const VERB: Spelling = COLLECTION;

impl Spelling {
    pub(super) fn check(self, name: &str) -> Result<(), Wrong> {
        let Self { what, pattern, n_max, also } = self;
        let is_spelled = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= n_max
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == also);
        if is_spelled {
            return Ok(());
        }
        Err(Wrong::Pattern { what, name: name.to_owned(), pattern })
    }
}

//! Where a resource stands in the order of age, as page tokens have it.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::timestamp::Timestamp;

/// When it was made, and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PageKey {
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// Its id.
    pub(crate) id: Uuid,
}

/// A text that is no key of a page.
#[derive(Debug, thiserror::Error)]
#[error("it is no key of a page")]
pub(crate) struct NoPageKey;

/// As the query's own keys of this order are written.
impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[\"{}\",\"{}\"]", self.created_at, self.id)
    }
}

impl FromStr for PageKey {
    type Err = NoPageKey;

    fn from_str(text: &str) -> Result<Self, NoPageKey> {
        let (created_at, id): (Timestamp, Uuid) =
            serde_json::from_str(text).map_err(|_other| NoPageKey)?;
        Ok(Self { created_at, id })
    }
}

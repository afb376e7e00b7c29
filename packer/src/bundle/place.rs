//! The places inside a bundle: which paths exist, and in which order they come.
//!
//! There are five kinds of place and nothing else, so reading never has to decide what an unknown
//! file might mean. A place also knows its tar header: there is exactly one for a place and a size.
//! Nothing here touches the file system.

use std::fmt;
use std::io;

use tar::{EntryType, Header};
use thiserror::Error;

use super::TargetTriple;

/// A place in the archive. The order of the variants is the order of the entries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// `bundle.json`: first, so that a reader can refuse or list without inflating the rest.
    Head,
    /// `LICENSE`
    License,
    /// `descriptor.json`
    Descriptor,
    /// `docs/…`
    Doc(String),
    /// `lib/<target>/plugin.so`: last, because it is the largest.
    Library(TargetTriple),
}

/// A path in a bundle is not one of its places.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// Not text.
    #[error("path is not UTF-8")]
    NotUtf8,
    /// Longer than allowed.
    #[error("path has {bytes} bytes, more than the {max} allowed (`path_bytes_max`)")]
    TooLong {
        /// Length seen.
        bytes: usize,
        /// Length allowed.
        max: usize,
    },
    /// Begins with a slash.
    #[error("path is absolute; wanted one relative to the bundle")]
    Absolute,
    /// Has a component such as `..`, `.` or nothing.
    #[error("path has the component `{0}`; wanted plain names between single slashes")]
    Component(String),
    /// Has a control character.
    #[error("path has a control character")]
    Control,
    /// Not among the known places.
    #[error(
        "path is unknown; wanted `bundle.json`, `descriptor.json`, `LICENSE`, `docs/…` or \
         `lib/<target>/plugin.so`"
    )]
    Unknown,
}

impl Place {
    /// The place that `path` names, if it is plain, short and known.
    pub(super) fn parse(path: &[u8], path_bytes_max: usize) -> Result<Self, PlaceError> {
        if path.len() > path_bytes_max {
            return Err(PlaceError::TooLong { bytes: path.len(), max: path_bytes_max });
        }
        let path = str::from_utf8(path).or(Err(PlaceError::NotUtf8))?;
        if path.starts_with('/') {
            return Err(PlaceError::Absolute);
        }
        if path.contains(char::is_control) {
            return Err(PlaceError::Control);
        }
        if let Some(odd) = path.split('/').find(|name| matches!(*name, "" | "." | "..")) {
            return Err(PlaceError::Component(odd.to_owned()));
        }
        Self::known(path).ok_or(PlaceError::Unknown)
    }

    fn known(path: &str) -> Option<Self> {
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["bundle.json"] => Some(Self::Head),
            ["LICENSE"] => Some(Self::License),
            ["descriptor.json"] => Some(Self::Descriptor),
            ["docs", rest @ ..] if !rest.is_empty() => Some(Self::Doc(rest.join("/"))),
            ["lib", target, "plugin.so"] => target.parse().ok().map(Self::Library),
            _ => None,
        }
    }

    /// The one header that an entry of this size has here: no owner, no time, a fixed mode.
    ///
    /// # Errors
    ///
    /// When the path does not fit into a tar header.
    pub(super) fn header(&self, bytes: u64) -> io::Result<Header> {
        let mut header = Header::new_ustar();
        header.set_path(self.to_string())?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes);
        header.set_mode(if matches!(self, Self::Library(_)) { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        Ok(header)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("bundle.json"),
            Self::License => f.write_str("LICENSE"),
            Self::Descriptor => f.write_str("descriptor.json"),
            Self::Doc(path) => write!(f, "docs/{path}"),
            Self::Library(target) => write!(f, "lib/{target}/plugin.so"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_spelled_one_way() {
        for path in [
            "bundle.json",
            "LICENSE",
            "descriptor.json",
            "docs/a/b.md",
            "lib/x86_64-unknown-linux-gnu/plugin.so",
        ] {
            let place = Place::parse(path.as_bytes(), 200).unwrap();
            assert_eq!(place.to_string(), path);
            assert_eq!(&*place.header(3).unwrap().path_bytes(), path.as_bytes());
        }
    }
}

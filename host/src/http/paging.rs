//! Lists in pages: which part of a list is asked for, and how it is told where the next part begins.
//!
//! Guarantees: pages follow the keys of their items, so that items which come or go in between make nothing
//! repeat or get lost; a page token is signed and belongs to one path with one filter and order. The older way,
//! `page_limit` and `page_marker`, gives the same pages; its markers are the bare keys, as its clients send them.
//! Not here: what a list holds.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use ::http::header::LINK;
use ::http::{HeaderName, HeaderValue, Response, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::problem::{Code, Problem};
use super::query::Query;
use super::route::without_slash;
use super::{Body, respond};
use crate::data::{self, DataDir};

/// Whether to count the items of a list that has many; `true` or `false`.
pub(crate) const TOTAL_SIZE: &str = "total_size";

/// What a list may be asked, whatever it holds.
pub(crate) const PARAMETERS: [&str; 4] = [SIZE, TOKEN, OLDER_SIZE, OLDER_MARKER];

const SIZE: &str = "page_size";
const TOKEN: &str = "page_token";
const OLDER_SIZE: &str = "page_limit";
const OLDER_MARKER: &str = "page_marker";

const X_LIMIT: HeaderName = HeaderName::from_static("x-pagination-limit");
const X_MARKER: HeaderName = HeaderName::from_static("x-pagination-marker");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How a page begins, up to its first item.
const EMPTY_LIST: &[u8] = br#"{"items":["#;

/// The items of a page that was asked for without a size.
const SIZE_DEFAULT: u64 = 50;

/// The most items of a page; who asks for more gets so many.
const SIZE_MAX: u64 = 1_000;

/// The file of the key in the data directory.
const KEY_FILE: &str = "paging.key";
const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 16;

/// Signs page tokens. Kept on disk, so that a token outlives a restart.
pub(crate) struct Key([u8; KEY_BYTES]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file is there and cannot be read, or is none of ours.
    #[error("`{}` is not a key of {KEY_BYTES} bytes: remove it, page tokens from before are refused then", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said, if it said anything.
        source: Option<io::Error>,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for the key of page tokens")]
    Random(#[source] getrandom::Error),
    /// It cannot be written.
    #[error("the new key of page tokens cannot be kept")]
    Keep(#[source] data::Error),
}

/// The part of a list that a request asks for.
#[derive(Debug)]
pub(crate) struct Paging<'r> {
    uri: &'r Uri,
    query: &'r Query,
    key: &'r Key,
    size: u64,
    /// The key of the item that the page comes behind, and the parameter that said so.
    after: Option<(&'static str, String)>,
}

/// What a page comes behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind<'p> {
    /// The item with these keys, as a token of ours holds them.
    Keys(&'p str),
    /// The item that this names, as an older client sent it.
    Marker(&'p str),
}

/// The last item of a page that has more behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last<'a> {
    /// Its keys in the order of the list.
    pub(crate) keys: &'a str,
    /// What names it for older clients.
    pub(crate) marker: &'a str,
}

/// A page, as it is sent.
#[derive(Serialize)]
struct Envelope<'a, T> {
    items: &'a [T],
    next_page_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_size: Option<u64>,
}

impl Key {
    /// Reads the key, or makes it.
    pub(crate) fn open(data: &DataDir) -> Result<Self, Error> {
        let path = data.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) => match bytes.try_into() {
                Ok(key) => Ok(Self(key)),
                Err(_other_length) => Err(Error::Read { path, source: None }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::first(data),
            Err(source) => Err(Error::Read { path, source: Some(source) }),
        }
    }

    fn first(data: &DataDir) -> Result<Self, Error> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(Error::Random)?;
        data.replace(KEY_FILE, &key).map_err(Error::Keep)?;
        Ok(Self(key))
    }

    fn mac(&self, uri: &Uri, query: &Query, after: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length makes a MAC");
        // No part may run into the next: each says its length first.
        let mut part = |text: &str| {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        };
        part(without_slash(uri.path()));
        for (name, value) in query.sorted_without(&PARAMETERS) {
            part(name);
            part(value);
        }
        part(after);
        mac
    }

    fn token(&self, uri: &Uri, query: &Query, after: &str) -> String {
        let signature = self.mac(uri, query, after).finalize().into_bytes();
        let mut token = signature[..SIGNATURE_BYTES].to_vec();
        token.extend_from_slice(after.as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    fn read(&self, uri: &Uri, query: &Query, token: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signature, after) = bytes.split_at_checked(SIGNATURE_BYTES)?;
        let after = str::from_utf8(after).ok()?;
        self.mac(uri, query, after).verify_truncated_left(signature).ok()?;
        Some(after.to_owned())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl<'r> Paging<'r> {
    /// What a request for `uri`, which has this query, asks for.
    ///
    /// # Errors
    /// The size is none, or the token is of another list.
    pub(crate) fn of(uri: &'r Uri, query: &'r Query, key: &'r Key) -> Result<Self, Problem> {
        let size = match (query.get(SIZE), query.get(OLDER_SIZE)) {
            (Some(text), _) => size(SIZE, text)?,
            (None, Some(text)) => size(OLDER_SIZE, text)?,
            (None, None) => SIZE_DEFAULT,
        };
        let after = match (query.get(TOKEN), query.get(OLDER_MARKER)) {
            (Some(token), _) if !token.is_empty() => {
                Some((TOKEN, key.read(uri, query, token).ok_or_else(mismatch)?))
            }
            (_, Some(marker)) if !marker.is_empty() => Some((OLDER_MARKER, marker.to_owned())),
            (_, _) => None,
        };
        Ok(Self { uri, query, key, size, after })
    }

    /// The most items of the page.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The key of the item that the page comes behind; none: it is the first page.
    ///
    /// # Errors
    /// It is no key of this list.
    pub(crate) fn after<K: FromStr>(&self) -> Result<Option<K>, Problem> {
        let Some((parameter, text)) = &self.after else { return Ok(None) };
        match text.parse() {
            Ok(key) => Ok(Some(key)),
            Err(_no_key) => Err(Query::refused(parameter, text, "the key of an item of this list")),
        }
    }

    /// What the page comes behind, in a list whose items have several keys; none: it is the first page.
    pub(crate) fn behind(&self) -> Option<Behind<'_>> {
        let (parameter, text) = self.after.as_ref()?;
        Some(if *parameter == TOKEN { Behind::Keys(text) } else { Behind::Marker(text) })
    }

    /// The answer with these items, the last of which has the key `more_after` if there are more behind it.
    pub(crate) fn answer<T: Serialize>(
        &self,
        items: &[T],
        more_after: Option<&str>,
    ) -> Response<Body> {
        self.answer_page(items, more_after.map(|key| Last { keys: key, marker: key }), None)
    }

    /// The answer with these items, and with the last of them if there are more behind it; and how many there are in
    /// all, if that was counted.
    pub(crate) fn answer_page<T: Serialize>(
        &self,
        items: &[T],
        last: Option<Last<'_>>,
        total_size: Option<u64>,
    ) -> Response<Body> {
        let next_page_token = self.token(last);
        let token = next_page_token.clone();
        let response = respond::json(&Envelope { items, next_page_token, total_size });
        self.with_headers(response, last, token.as_deref())
    }

    /// As [`Self::answer_page`], of items that are written already, with commas between.
    pub(crate) fn answer_written(
        &self,
        items: &[u8],
        last: Option<Last<'_>>,
        total_size: Option<u64>,
    ) -> Response<Body> {
        let token = self.token(last);
        // The envelope of an empty list, opened between its brackets.
        let none: [(); 0] = [];
        let envelope = Envelope { items: &none, next_page_token: token.clone(), total_size };
        let envelope = serde_json::to_vec(&envelope).expect("it is a struct of texts and numbers");
        let (open, close) = envelope.split_at(EMPTY_LIST.len());
        debug_assert_eq!(open, EMPTY_LIST, "the items come first");
        let text = [open, items, close].concat();
        self.with_headers(respond::with_type(JSON, text), last, token.as_deref())
    }

    fn token(&self, last: Option<Last<'_>>) -> Option<String> {
        last.map(|last| self.key.token(self.uri, self.query, last.keys))
    }

    fn with_headers(
        &self,
        mut response: Response<Body>,
        last: Option<Last<'_>>,
        token: Option<&str>,
    ) -> Response<Body> {
        let link = token.map(|token| self.link(token));
        let headers = response.headers_mut();
        if let Some(link) = link {
            headers.insert(LINK, link);
        }
        if self.query.get(OLDER_SIZE).or(self.query.get(OLDER_MARKER)).is_some() {
            headers.insert(X_LIMIT, self.size.into());
            if let Some(marker) = last.and_then(|last| HeaderValue::from_str(last.marker).ok()) {
                headers.insert(X_MARKER, marker);
            }
        }
        response
    }

    fn link(&self, token: &str) -> HeaderValue {
        let query = self.query.with(TOKEN, token, &[OLDER_MARKER]);
        let link = format!("<{}?{query}>; rel=\"next\"", self.uri.path());
        HeaderValue::from_str(&link).expect("a path and an encoded query are visible ASCII")
    }
}

/// A size, with 0 for the default.
fn size(parameter: &str, text: &str) -> Result<u64, Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(Query::refused(parameter, text, "a number that is not negative"));
    }
    match text.parse() {
        Ok(0) => Ok(SIZE_DEFAULT),
        Ok(size) => Ok(SIZE_MAX.min(size)),
        Err(_beyond_numbers) => Ok(SIZE_MAX),
    }
}

/// A token that was not made for this list.
pub(crate) fn mismatch() -> Problem {
    let detail = "The page token is of a list with another path, filter or order, or is damaged.";
    Problem::new(Code::PageTokenMismatch, detail).with("parameter", TOKEN)
}

#[cfg(test)]
mod tests;

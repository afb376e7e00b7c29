//! The id of a request: the client's own, or one made here.
//!
//! Guarantees: 1 to 128 visible ASCII characters, whoever made it; ids made here are `UUIDv7` and unique. Making
//! one asks the system for nothing but the time.

use std::cell::Cell;
use std::fmt;
use std::time::SystemTime;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

/// The header that carries it, both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LENGTH_MAX: usize = 128;

/// The id of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The client's id if it sent a valid one, else a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(REQUEST_ID) {
            Some(sent) if is_valid(sent.as_bytes()) => Self(sent.clone()),
            Some(_) | None => Self::make(),
        }
    }

    /// It as text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("only visible ASCII becomes a request id")
    }

    /// It as the value of [`REQUEST_ID`].
    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }

    fn make() -> Self {
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or_default();
        let id = Builder::from_unix_timestamp_millis(millis, &next_tail()).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        id.hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_bytes(&text).expect("hexadecimal digits are visible ASCII"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_valid(id: &[u8]) -> bool {
    (1..=LENGTH_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// The part of an id that tells apart those of one millisecond: a random start per thread, then counted.
fn next_tail() -> [u8; 10] {
    thread_local! {
        static TAIL: Cell<u128> = Cell::new(random_tail());
    }
    let tail = TAIL.get();
    TAIL.set(tail.wrapping_add(1));
    let [_, _, _, _, _, _, tail @ ..] = tail.to_be_bytes();
    tail
}

fn random_tail() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gave random bytes when the daemon started");
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::{Uuid, Version};

    use super::*;

    fn sent(id: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(id).unwrap())])
    }

    #[test]
    fn a_valid_id_of_the_client_is_kept() {
        for id in ["a", "req-1/x:y", &"x".repeat(LENGTH_MAX)] {
            assert_eq!(RequestId::of(&sent(id.as_bytes())).as_str(), id);
        }
    }

    #[test]
    fn any_other_is_replaced() {
        let long = [b'x'; LENGTH_MAX + 1];
        for id in [b"".as_slice(), b"a b", b"a\tb", "é".as_bytes(), &long] {
            let id = RequestId::of(&sent(id));
            let version = Uuid::parse_str(id.as_str()).unwrap().get_version();
            assert_eq!(version, Some(Version::SortRand), "{id}");
        }
    }

    #[test]
    fn ids_made_here_differ_also_between_threads() {
        const N: usize = 5_000;
        let make = || (0..N).map(|_| RequestId::make().as_str().to_owned()).collect::<Vec<_>>();
        let threads = [(); 4].map(|()| std::thread::spawn(make));
        let ids: HashSet<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(ids.len(), 4 * N);
    }
}

//! How a watch is written: server-sent events, and the tokens by which one is gone on with.

use std::fmt::Write;

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::event::Change;
use crate::http::problem::Problem;

/// What a heartbeat is.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b": still there\n\n");

/// Ties a token to the list that it is of, and to the rights with which it was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seal(String);

impl Seal {
    /// That of a list with these parameters, seen with these rights.
    pub(super) fn of(path: &str, parameters: &[(&str, &str)], rights: &str) -> Self {
        let mut hash = Sha256::new();
        let pairs = parameters.iter().flat_map(|(name, value)| [*name, *value]);
        for part in [path, rights].into_iter().chain(pairs) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hex::encode(&hash.finalize()[..4]))
    }

    /// The token of what comes behind event `number`.
    pub(super) fn token(&self, number: i64) -> String {
        format!("{number}.{}", self.0)
    }

    /// The number in a token of this list.
    pub(super) fn number(&self, token: &str) -> Option<i64> {
        let (number, seal) = token.split_once('.')?;
        (seal == self.0).then(|| number.parse().ok())?
    }
}

/// A change of an object; without a token the client cannot go on from there.
pub(super) fn change(
    out: &mut String,
    change: Change,
    object: &str,
    number: i64,
    token: Option<&str>,
) {
    if let Some(token) = token {
        let _infallible = writeln!(out, "id: {token}");
    }
    let _infallible = write!(
        out,
        "event: {change}\ndata: {{\"object\":{object},\"resource_version\":\"{number}\"}}\n\n"
    );
}

/// That the client has all there was up to `number`.
pub(super) fn bookmark(number: i64, token: &str) -> String {
    let data = json!({"bookmark": "snapshot_complete", "resource_version": number.to_string()});
    format!("id: {token}\nevent: BOOKMARK\ndata: {data}\n\n")
}

/// Why it ends.
pub(super) fn error(problem: &Problem, path: &str) -> String {
    let data = json!({"object": problem.value(path, None)});
    format!("event: ERROR\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_list_and_one_set_of_rights() {
        let seal = Seal::of("/v1/operations", &[("state", "RUNNING")], "all");
        assert_eq!(seal.number(&seal.token(17)), Some(17));
        for other in [
            Seal::of("/v1/operations", &[("state", "FAILED")], "all"),
            Seal::of("/v1/operations", &[], "all"),
            Seal::of("/v1/operations", &[("state", "RUNNING")], "some"),
        ] {
            assert_eq!(other.number(&seal.token(17)), None);
        }
        for nonsense in ["", "17", ".", "x.y", "-.1"] {
            assert_eq!(seal.number(nonsense), None, "{nonsense}");
        }
    }
}

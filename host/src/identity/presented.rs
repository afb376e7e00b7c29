//! What a request presents of itself.
//!
//! `Authorization: Bearer`, `X-API-Key`, or HTTP Basic. `Authorization` wins when both headers are there. Nothing is
//! judged here.

use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Unauthenticated;

const API_KEY: &str = "x-api-key";

/// What was presented. Whatever is secret in it is never shown.
pub(super) enum Presented<'h> {
    /// A token or key.
    Bearer(&'h [u8]),
    /// A key in a header of its own.
    Key(&'h [u8]),
    /// A name with a password, or with a key in its place.
    Basic(Pair),
}

/// A name and a password.
pub(super) struct Pair {
    text: Vec<u8>,
    colon: usize,
}

impl<'h> Presented<'h> {
    /// What these headers present.
    pub(super) fn of(headers: &'h HeaderMap) -> Result<Self, Unauthenticated> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            return authorization(value.as_bytes()).ok_or(Unauthenticated::Invalid);
        }
        let key = headers.get(API_KEY).ok_or(Unauthenticated::Absent)?;
        Ok(Self::Key(key.as_bytes()))
    }
}

impl Pair {
    /// Who it is said to be.
    pub(super) fn user(&self) -> &[u8] {
        &self.text[..self.colon]
    }

    /// What is to prove that.
    pub(super) fn password(&self) -> &[u8] {
        &self.text[self.colon + 1..]
    }
}

fn authorization(value: &[u8]) -> Option<Presented<'_>> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    let credentials = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Presented::Bearer(credentials));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let text = STANDARD.decode(credentials).ok()?;
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some(Presented::Basic(Pair { text, colon }))
}

//! What a request presents as its token.
//!
//! `Authorization: Bearer`, `X-API-Key`, or HTTP Basic with user `admin` and the token as the password. Nothing
//! is judged here.

use std::borrow::Cow;

use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Unauthenticated;

/// The user whose password is the admin token.
const BASIC_PREFIX: &[u8] = b"admin:";
const API_KEY: &str = "x-api-key";

/// The bytes that the request presents. `Authorization` wins when both headers are there.
pub(super) fn token(headers: &HeaderMap) -> Result<Cow<'_, [u8]>, Unauthenticated> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        return authorization(value.as_bytes()).ok_or(Unauthenticated::Invalid);
    }
    let key = headers.get(API_KEY).ok_or(Unauthenticated::Absent)?;
    Ok(Cow::Borrowed(key.as_bytes()))
}

fn authorization(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    let credentials = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Cow::Borrowed(credentials));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = STANDARD.decode(credentials).ok()?;
    pair.strip_prefix(BASIC_PREFIX).map(|password| Cow::Owned(password.to_owned()))
}

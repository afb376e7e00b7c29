//! Private keys as PEM: any number of `PRIVATE KEY` blocks, each a PKCS#8 document with an ed25519 key.
//!
//! What stands between the blocks is a comment, as tools write it.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::{KeyError, SigningKey};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
const LINE_CHARS: usize = 64;

/// The text holds no keys.
#[derive(Debug, Error)]
pub enum PemError {
    /// There is no block.
    #[error(
        "text has no `{BEGIN}`: wanted ed25519 keys as PEM, or the JSON that `repository init` writes"
    )]
    NoKey,
    /// A block has no end.
    #[error("key {0} has no `{END}`")]
    Unfinished(usize),
    /// A block is not base64.
    #[error("key {0} is not base64")]
    Base64(usize),
    /// A block is some other kind of key.
    #[error("key {0} is not an ed25519 key; make one with `openssl genpkey -algorithm ed25519`")]
    NotEd25519(usize),
}

pub(super) fn parse(text: &str) -> Result<Vec<SigningKey>, PemError> {
    let blocks = text.split(BEGIN).skip(1).enumerate();
    let keys: Vec<_> =
        blocks.map(|(at, block)| parse_block(at + 1, block)).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(PemError::NoKey) } else { Ok(keys) }
}

fn parse_block(number: usize, block: &str) -> Result<SigningKey, PemError> {
    let (body, _after) = block.split_once(END).ok_or(PemError::Unfinished(number))?;
    let body: String = body.split_whitespace().collect();
    let document = STANDARD.decode(body).or(Err(PemError::Base64(number)))?;
    // Documents with and without the public key: openssl leaves it out.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document);
    Ok(SigningKey::of(pair.or(Err(PemError::NotEd25519(number)))?))
}

pub(super) fn write(keys: &[SigningKey]) -> Result<String, KeyError> {
    keys.iter().map(write_block).collect()
}

fn write_block(key: &SigningKey) -> Result<String, KeyError> {
    let document = key.pair.to_pkcs8v1().or(Err(KeyError::Generate))?;
    let body = STANDARD.encode(document.as_ref());
    let lines = body.as_bytes().chunks(LINE_CHARS).map(String::from_utf8_lossy);
    Ok(format!("{BEGIN}\n{}\n{END}\n", lines.collect::<Vec<_>>().join("\n")))
}

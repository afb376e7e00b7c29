//! Access tokens: short-lived JWTs that the daemon signs and verifies itself (EdDSA, Ed25519).
//!
//! A token says who was authenticated, by what, and what it is narrowed to; what its holder may is looked up when
//! it is used, so a role that is taken away is gone at once. Guarantees: one algorithm, one issuer, and a header
//! that is compared and not interpreted, so there is nothing to confuse. Not here: who gets one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::ProjectId;
use super::permission::Pattern;
use super::record::{PrincipalKind, PrincipalRef};
use super::token::digest;
use crate::timestamp::Timestamp;

/// Who signs.
const ISSUER: &str = "metapaas";
/// So many bytes of the public key's hash tell keys apart.
const KID_BYTES: usize = 8;

/// Signs and verifies.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    kid: String,
    /// The first part of every token, encoded.
    header: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(super) principal: PrincipalRef,
    /// The key or admin token that it was exchanged for; nothing: a password.
    pub(crate) key: Option<String>,
    pub(super) scopes: Option<Arc<[Pattern]>>,
    pub(super) project: Option<ProjectId>,
    /// In seconds since 1970.
    pub(super) issued_at: i64,
    pub(crate) expires_at: i64,
}

/// The claims as the token has them.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    iss: String,
    /// The name, for whoever reads the token.
    sub: String,
    kind: String,
    id: Uuid,
    iat: i64,
    exp: i64,
    jti: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<Pattern>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<Uuid>,
}

impl Signer {
    /// The one whose private key is made of `seed`.
    pub(super) fn of(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are a seed");
        let kid = hex::encode(&digest(pair.public_key().as_ref())[..KID_BYTES]);
        let header = json!({"alg": "EdDSA", "kid": kid, "typ": "JWT"});
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Self { pair, kid, header }
    }

    /// The token that says this of the principal called `name`.
    pub(super) fn sign(&self, name: &str, claims: &Claims) -> String {
        let Claims { principal, key, scopes, project, issued_at, expires_at } = claims;
        let document = Document {
            iss: ISSUER.to_owned(),
            sub: name.to_owned(),
            kind: principal.kind.word().to_owned(),
            id: principal.id,
            iat: *issued_at,
            exp: *expires_at,
            jti: Uuid::now_v7(),
            key: key.clone(),
            scopes: scopes.as_deref().map(<[Pattern]>::to_vec),
            project: project.map(ProjectId::uuid),
        };
        let document = serde_json::to_vec(&document).expect("claims are strings and numbers");
        let signed = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(document));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// What a token says, if it is one of ours. Whether it is over is for the caller to see.
    pub(super) fn verify(&self, token: &[u8]) -> Option<Claims> {
        let token = str::from_utf8(token).ok()?;
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, document) = signed.split_once('.')?;
        if header != self.header {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref());
        key.verify(signed.as_bytes(), &signature).ok()?;
        let document = URL_SAFE_NO_PAD.decode(document).ok()?;
        let document: Document = serde_json::from_slice(&document).ok()?;
        let Document { iss, sub: _, kind, id, iat, exp, jti: _, key, scopes, project } = document;
        let kind: PrincipalKind = kind.parse().ok()?;
        (iss == ISSUER).then_some(Claims {
            principal: PrincipalRef { kind, id },
            key,
            scopes: scopes.map(Arc::from),
            project: project.map(ProjectId::of),
            issued_at: iat,
            expires_at: exp,
        })
    }

    /// The public key, for whoever wants to verify tokens elsewhere.
    pub(super) fn key_set(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x},
        ]})
    }
}

impl Claims {
    /// Those of a token that counts from now on for `lifetime`.
    pub(super) fn lasting(lifetime: Duration, principal: PrincipalRef) -> Self {
        let issued_at = Timestamp::now().into_inner().unix_timestamp();
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Self {
            principal,
            key: None,
            scopes: None,
            project: None,
            issued_at,
            expires_at: issued_at.saturating_add(lifetime),
        }
    }

    /// It ends then, if it would not end earlier.
    pub(super) fn end_with(&mut self, at: Option<i64>) {
        self.expires_at = at.map_or(self.expires_at, |at| at.min(self.expires_at));
    }

    /// Whether it is not over.
    pub(super) fn counts_at(&self, now: Timestamp) -> bool {
        now.into_inner().unix_timestamp() < self.expires_at
    }
}

/// Whether this looks like a token and not like a key.
pub(super) fn looks_like_one(presented: &[u8]) -> bool {
    presented.iter().filter(|byte| **byte == b'.').count() == 2
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let principal = PrincipalRef { kind: PrincipalKind::ServiceAccount, id: Uuid::now_v7() };
        let scopes = ["s3.*.read".parse().unwrap()];
        Claims {
            key: Some("0badcafe".to_owned()),
            scopes: Some(scopes.into()),
            project: Some(ProjectId::of(Uuid::now_v7())),
            ..Claims::lasting(Duration::from_secs(60), principal)
        }
    }

    #[test]
    fn what_was_signed_is_what_is_read() {
        let (signer, claims) = (Signer::of(&[7; 32]), claims());
        let token = signer.sign("service-account:ci", &claims);
        assert!(looks_like_one(token.as_bytes()));
        assert_eq!(signer.verify(token.as_bytes()), Some(claims));
        assert_eq!(Signer::of(&[8; 32]).verify(token.as_bytes()), None, "another daemon's");
    }

    #[test]
    fn a_token_that_was_touched_anywhere_is_none() {
        let signer = Signer::of(&[7; 32]);
        let token = signer.sign("service-account:ci", &claims()).into_bytes();
        for position in 0..token.len() {
            let mut touched = token.clone();
            // Another digit, and one whose bits are not merely left over at the end of a part.
            touched[position] = if touched[position] == b'A' { b'g' } else { b'A' };
            if touched[position] != token[position] {
                assert_eq!(signer.verify(&touched), None, "at {position}");
            }
        }
    }

    #[test]
    fn another_algorithm_or_none_is_not_listened_to() {
        let signer = Signer::of(&[7; 32]);
        let token = signer.sign("user:admin", &claims());
        let (_, rest) = token.split_once('.').unwrap();
        for alg in ["none", "HS256", "EdDSA"] {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "JWT"}).to_string());
            assert_eq!(signer.verify(format!("{header}.{rest}").as_bytes()), None, "{alg}");
        }
        let unsigned = &token[..=token.rfind('.').unwrap()];
        assert_eq!(signer.verify(unsigned.as_bytes()), None);
    }

    #[test]
    fn the_public_key_is_there_for_others() {
        let set = Signer::of(&[7; 32]).key_set();
        let key = &set["keys"][0];
        assert_eq!((key["kty"].as_str(), key["crv"].as_str()), (Some("OKP"), Some("Ed25519")));
        let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
        assert_eq!(x.len(), 32);
        assert!(key.get("d").is_none());
    }
}

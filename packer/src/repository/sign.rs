//! Signing metadata, and what of signed metadata other metadata say.
//!
//! What is signed is the canonical form of a role, which crate `tough` gives and also verifies; this module
//! never says that something is verified, only `tough` does. A file that comes out of here satisfies the
//! root it was signed for.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;

use serde::Serialize;
use thiserror::Error;
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::{Hashes, Metafile, Root, Signature, Signed};

use super::key::SigningKey;
use super::role::Role;
use crate::bundle::Digest;

/// The version of the TUF specification that is written.
pub(super) const SPEC_VERSION: &str = "1.0.0";

/// Keys to sign with, by their ids: a key that was given twice signs once.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<Vec<u8>, SigningKey>);

/// Metadata that were signed, with the very bytes that are their file.
#[derive(Debug)]
pub(super) struct SignedFile<T> {
    pub(super) signed: Signed<T>,
    pub(super) bytes: Vec<u8>,
}

/// Metadata cannot be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The keys at hand are not those of the role.
    #[error(
        "`{role}` cannot be signed: of its keys {wanted} none is among those given ({given}); give the file of keys that has one with `--key`"
    )]
    NoKey {
        /// The role.
        role: Role,
        /// The ids of the keys it has.
        wanted: String,
        /// The ids of the keys that were given.
        given: String,
    },
    /// They are its keys, but too few.
    #[error("`{role}` cannot be signed by the keys given alone")]
    TooFew {
        /// The role.
        role: Role,
        /// How many are wanted.
        #[source]
        source: Box<tough::schema::Error>,
    },
    /// It has no canonical form.
    #[error("`{role}` cannot be written")]
    Write {
        /// The role.
        role: Role,
        /// Why.
        #[source]
        source: Box<tough::schema::Error>,
    },
}

impl Keys {
    pub(super) fn of(keys: Vec<SigningKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.public().id.to_vec(), key)).collect())
    }

    pub(super) fn extend(&mut self, keys: Vec<SigningKey>) {
        self.0.extend(Self::of(keys).0);
    }

    /// Whether one of them is a key of `role`.
    pub(super) fn can_sign(&self, role: Role, root: &Root) -> bool {
        ids_of(role, root).iter().any(|id| self.0.contains_key(&**id))
    }

    /// Signs for `root`, and for those who still have the root `before`, as far as there are keys for it.
    pub(super) fn sign<T>(
        &self,
        content: T,
        root: &Root,
        before: Option<&Root>,
    ) -> Result<SignedFile<T>, SignError>
    where
        T: tough::schema::Role + Serialize,
    {
        let role = Role::from(T::TYPE);
        let wrong = |source| SignError::Write { role, source: Box::new(source) };
        let message = content.canonical_form().map_err(wrong)?;
        let mut ids = ids_of(role, root);
        ids.extend(before.into_iter().flat_map(|root| ids_of(role, root)));
        let signers: BTreeMap<_, _> =
            ids.iter().filter_map(|id| Some((id.to_vec(), self.0.get(&**id)?))).collect();
        let sign = |key: &SigningKey| Signature {
            keyid: key.public().id.clone(),
            sig: key.sign(&message).into(),
        };
        let signatures = signers.into_values().map(sign).collect();
        let signed = Signed { signed: content, signatures };
        if !self.can_sign(role, root) {
            return Err(self.no_key(role, root));
        }
        root.verify_role(&signed)
            .map_err(|source| SignError::TooFew { role, source: Box::new(source) })?;
        let mut bytes = serde_json::to_vec_pretty(&signed).expect("it has a canonical form");
        bytes.push(b'\n');
        Ok(SignedFile { signed, bytes })
    }

    pub(super) fn no_key(&self, role: Role, root: &Root) -> SignError {
        let listed = |ids: Vec<String>| ids.join(", ");
        let wanted = listed(ids_of(role, root).iter().map(hex::encode).collect());
        let given = listed(self.0.keys().map(hex::encode).collect());
        SignError::NoKey { role, wanted, given }
    }
}

impl<T: tough::schema::Role> SignedFile<T> {
    /// What metadata above this one say of it.
    pub(super) fn metafile(&self) -> Metafile {
        Metafile {
            length: Some(self.bytes.len() as u64),
            hashes: Some(hashes(Digest::of_bytes(&self.bytes))),
            version: self.signed.signed.version(),
            _extra: HashMap::new(),
        }
    }
}

/// A digest, as the format has it.
pub(super) fn hashes(digest: Digest) -> Hashes {
    Hashes { sha256: digest.as_bytes().to_vec().into(), _extra: HashMap::new() }
}

/// The version after this one.
pub(super) fn next(version: NonZeroU64) -> NonZeroU64 {
    version.saturating_add(1)
}

fn ids_of(role: Role, root: &Root) -> Vec<Decoded<Hex>> {
    root.roles.get(&role.kind()).map(|keys| keys.keyids.clone()).unwrap_or_default()
}

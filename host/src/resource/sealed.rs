//! Fields that are secrets: sealed for their row, and never anywhere in clear.
//!
//! A plugin sees a reference in the place of each: where the secret is kept, and a digest of it as it is kept, so
//! that a reference leads to that value or to nothing. A value that a hook is asked about and that is not written
//! yet is [`Pending`] as long as the hook is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin_abi::descriptor::Kind;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::row::Row;
use crate::model::ResourceModel;
use crate::secret::{Place, SecretText, Secrets};

/// So much of a digest tells values of one field apart.
const DIGEST_BYTES: usize = 8;

/// Seals what is secret among `fields` of the resource `id`.
pub(crate) fn seal(
    secrets: &Secrets,
    model: &ResourceModel,
    id: Uuid,
    fields: &mut Map<String, Value>,
) {
    let row = id.to_string();
    for column in columns(model) {
        if let Some(Value::String(text)) = fields.get_mut(column) {
            let place = Place { table: model.table(), row: &row, column };
            *text = secrets.seal(&SecretText::new(&**text), place);
        }
    }
}

fn columns(model: &ResourceModel) -> impl Iterator<Item = &str> {
    let secret = model.fields().iter().filter(|field| field.declared.kind == Kind::Secret);
    secret.map(|field| field.declared.name.as_str())
}

/// What a secret is called between host and plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference<'r> {
    /// Where it is kept.
    pub(crate) table: &'r str,
    /// In which row.
    pub(crate) id: Uuid,
    /// In which column.
    pub(crate) column: &'r str,
    /// Of what is kept.
    pub(crate) digest: &'r str,
}

/// The reference to what `row` has in `column`, sealed.
pub(crate) fn reference(model: &ResourceModel, row: &Row, column: &str, sealed: &str) -> String {
    format!("{}/{}/{column}/{}", model.table(), row.id, digest(sealed))
}

/// Of a secret as it is kept.
pub(crate) fn digest(sealed: &str) -> String {
    hex::encode(&Sha256::digest(sealed)[..DIGEST_BYTES])
}

impl<'r> Reference<'r> {
    /// Reads what [`reference()`] wrote.
    pub(crate) fn parse(text: &'r str) -> Option<Self> {
        let mut parts = text.split('/');
        let (table, id, column) = (parts.next()?, parts.next()?, parts.next()?);
        let digest = parts.next()?;
        let id = id.parse().ok()?;
        parts.next().is_none().then_some(Self { table, id, column, digest })
    }
}

/// Secrets that hooks are asked about and that are not written yet. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending(Arc<Mutex<HashMap<String, String>>>);

/// Keeps secrets pending until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pending: Pending,
    references: Vec<String>,
}

impl Pending {
    /// Those of `row`, which may not be written.
    pub(crate) fn hold(&self, model: &ResourceModel, row: &Row) -> Held {
        let mut references = Vec::new();
        for column in columns(model) {
            if let Some(sealed) = row.fields.get(column).and_then(Value::as_str) {
                let reference = reference(model, row, column, sealed);
                self.lock().insert(reference.clone(), sealed.to_owned());
                references.push(reference);
            }
        }
        Held { pending: self.clone(), references }
    }

    /// What is referred to, sealed, if it is pending.
    pub(crate) fn of(&self, reference: &str) -> Option<String> {
        self.lock().get(reference).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut pending = self.pending.lock();
        self.references.iter().for_each(|reference| drop(pending.remove(reference)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::resource;
    use crate::resource::testing::row;

    #[test]
    fn a_reference_leads_to_one_value() {
        let (model, row) = (resource("instances"), row(&resource("instances")));
        let text = reference(&model, &row, "password", "sealed");
        let read = Reference::parse(&text).unwrap();
        assert_eq!((read.table, read.id, read.column), ("demo_instances", row.id, "password"));
        assert_eq!(read.digest, digest("sealed"));
        assert_ne!(read.digest, digest("sealed anew"));
        for other in ["", "a/b/c/d", "demo_instances", &format!("{text}/x")] {
            assert_eq!(Reference::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_pending_is_known_as_long_as_it_is_held() {
        let model = resource("instances");
        let mut row = row(&model);
        row.fields.insert("password".to_owned(), "sealed".into());
        let (pending, text) = (Pending::default(), reference(&model, &row, "password", "sealed"));
        let held = pending.hold(&model, &row);
        assert_eq!(pending.of(&text).as_deref(), Some("sealed"));
        drop(held);
        assert_eq!(pending.of(&text), None);
    }
}

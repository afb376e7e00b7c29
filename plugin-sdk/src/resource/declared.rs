//! What a struct declares, as its derive writes it down, and its fields as they are read and written.

use plugin_abi::descriptor::Policy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::collection::Collection;
use super::field::FieldDeclaration;

/// A struct whose fields the host stores and serves: made by `#[derive(Resource)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a resource",
    note = "write `#[derive(Resource)]` above the struct"
)]
pub trait Resource: Sized + Send + Sync + 'static {
    /// What it hangs under; [`Root`]: its type itself.
    type Parent: Place;
    /// Its segment in paths: `buckets`.
    const COLLECTION: &'static str;
    /// One of them: `bucket`.
    const NAME: &'static str;
    #[doc(hidden)]
    const DESCRIPTION: &'static str;
    #[doc(hidden)]
    const DEMANDS_IF_MATCH: bool;
    #[doc(hidden)]
    const POLICIES: &'static [(&'static str, Policy)];

    #[doc(hidden)]
    fn fields() -> Vec<FieldDeclaration>;

    #[doc(hidden)]
    fn read(fields: &mut FieldReader) -> Result<Self, Unreadable>;

    #[doc(hidden)]
    fn write(&self, fields: &mut FieldWriter);

    /// The collection of these resources, served without hooks until some are added.
    #[must_use]
    fn collection<P>() -> Collection<P, Self> {
        Collection::new()
    }
}

/// The parent of what hangs under its type itself.
#[derive(Debug)]
pub enum Root {}

/// Where a resource may hang: under another one, or under its type ([`Root`]).
pub trait Place {
    #[doc(hidden)]
    const COLLECTION: Option<&'static str>;
}

impl Place for Root {
    const COLLECTION: Option<&'static str> = None;
}

impl<R: Resource> Place for R {
    const COLLECTION: Option<&'static str> = Some(R::COLLECTION);
}

/// A field whose stored value does not fit the struct.
#[doc(hidden)]
#[derive(Debug, thiserror::Error)]
#[error("field `{field}` does not fit: {reason}")]
pub struct Unreadable {
    field: &'static str,
    reason: String,
}

/// The fields of a document on their way into a struct.
#[doc(hidden)]
#[derive(Debug)]
pub struct FieldReader {
    fields: Map<String, Value>,
}

impl FieldReader {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self { fields }
    }

    pub fn take<T: DeserializeOwned>(&mut self, field: &'static str) -> Result<T, Unreadable> {
        let value = self.fields.remove(field).unwrap_or_default();
        T::deserialize(value).map_err(|error| Unreadable { field, reason: error.to_string() })
    }

    /// A field with a default, which it has too while its column was not filled in yet.
    pub fn take_or<T: DeserializeOwned>(
        &mut self,
        field: &'static str,
        initial: fn() -> T,
    ) -> Result<T, Unreadable> {
        let is_null = self.fields.get(field).is_none_or(Value::is_null);
        let taken = self.take(field);
        if is_null { taken.or_else(|_not_nullable| Ok(initial())) } else { taken }
    }
}

/// The fields of a struct on their way into a document.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct FieldWriter {
    pub(super) fields: Map<String, Value>,
    /// The first that cannot be written.
    pub(super) fault: Option<String>,
}

impl FieldWriter {
    pub fn put<T: Serialize>(&mut self, field: &'static str, value: &T) {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.fields.insert(field.to_owned(), value);
            }
            Err(error) => {
                self.fault.get_or_insert_with(|| format!("field `{field}`: {error}"));
            }
        }
    }
}

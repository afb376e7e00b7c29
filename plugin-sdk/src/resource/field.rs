//! A field as the derive says it, and what the descriptor has of it.

use std::fmt;

use plugin_abi::descriptor::{Field, Kind, Policy, Reference, Unique};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

use super::schema::{self, Bounds};

/// What the derive says of a field.
#[doc(hidden)]
pub struct FieldDeclaration {
    pub(super) name: &'static str,
    description: &'static str,
    policy: Policy,
    schema: fn(&mut SchemaGenerator) -> Schema,
    bounds: Bounds,
    default: Option<Result<Value, serde_json::Error>>,
    unique: Option<Unique>,
    is_indexed: bool,
    references: Option<References>,
}

/// What a field's value names.
#[derive(Debug, Clone, Copy)]
enum References {
    /// A collection of the same type.
    Own(&'static str),
    /// A collection of another one.
    Other { slug: &'static str, collection: &'static str },
}

impl FieldDeclaration {
    #[must_use]
    pub fn of<T: JsonSchema>(
        name: &'static str,
        description: &'static str,
        policy: Policy,
    ) -> Self {
        Self {
            name,
            description,
            policy,
            schema: SchemaGenerator::subschema_for::<T>,
            bounds: Bounds::default(),
            default: None,
            unique: None,
            is_indexed: false,
            references: None,
        }
    }

    #[must_use]
    pub fn default<T: Serialize>(self, initial: fn() -> T) -> Self {
        Self { default: Some(serde_json::to_value(initial())), ..self }
    }

    #[must_use]
    pub fn unique(self, scope: Unique) -> Self {
        Self { unique: Some(scope), ..self }
    }

    #[must_use]
    pub fn indexed(self) -> Self {
        Self { is_indexed: true, ..self }
    }

    #[must_use]
    pub fn references_own(self, collection: &'static str) -> Self {
        Self { references: Some(References::Own(collection)), ..self }
    }

    #[must_use]
    pub fn references(self, slug: &'static str, collection: &'static str) -> Self {
        Self { references: Some(References::Other { slug, collection }), ..self }
    }

    #[must_use]
    pub fn length_min(mut self, n: u64) -> Self {
        self.bounds.length.0 = Some(n);
        self
    }

    #[must_use]
    pub fn length_max(mut self, n: u64) -> Self {
        self.bounds.length.1 = Some(n);
        self
    }

    #[must_use]
    pub fn range_min(mut self, bound: impl Into<Value>) -> Self {
        self.bounds.range.0 = Some(bound.into());
        self
    }

    #[must_use]
    pub fn range_max(mut self, bound: impl Into<Value>) -> Self {
        self.bounds.range.1 = Some(bound.into());
        self
    }

    #[must_use]
    pub fn pattern(mut self, pattern: &'static str) -> Self {
        self.bounds.pattern = Some(pattern);
        self
    }

    #[must_use]
    pub fn format(mut self, format: &'static str) -> Self {
        self.bounds.format = Some(format);
        self
    }
}

impl FieldDeclaration {
    /// What the descriptor of type `slug` has of it.
    ///
    /// # Errors
    /// What is wrong with it, to go after its name.
    pub(super) fn describe(self, slug: &str) -> Result<Field, String> {
        let Self { name, description, policy, schema, bounds, default, unique, .. } = self;
        let default = default.transpose().map_err(|error| format!("its default: {error}"))?;
        let schema = schema::Described::of(schema, &bounds)?;
        let kind = schema.kind;
        let is_the_plugins = is_said_by_plugin(policy);
        if kind == Kind::Secret && matches!(policy, Policy::Rw | Policy::Ro | Policy::WriteOnce) {
            return Err("it is a secret that clients could read back: say `write_only`, \
                        `shown_once` or `hidden`"
                .to_owned());
        }
        if kind != Kind::Secret && policy == Policy::ShownOnce {
            return Err("what is shown once must be stored as a `Secret`".to_owned());
        }
        if is_the_plugins && !schema.is_nullable && default.is_none() {
            return Err(
                "only the plugin says it, so it is nothing at first: make it an `Option`, \
                        or give it a `default`"
                    .to_owned(),
            );
        }
        if matches!(kind, Kind::Json | Kind::Secret) && (unique.is_some() || self.is_indexed) {
            return Err(
                "only text, numbers, booleans and timestamps can be unique or indexed".to_owned()
            );
        }
        let reference = self.references.map(|references| match references {
            References::Own(collection) => {
                Reference { slug: slug.to_owned(), collection: collection.to_owned() }
            }
            References::Other { slug, collection } => {
                Reference { slug: slug.to_owned(), collection: collection.to_owned() }
            }
        });
        if reference.is_some() && kind != Kind::Text {
            return Err("it names another resource, so it must be text".to_owned());
        }
        Ok(Field {
            name: name.to_owned(),
            kind,
            required: !is_the_plugins && !schema.is_nullable && default.is_none(),
            schema: schema.finish(description, default.as_ref()),
            policy,
            default: default.filter(|value| !value.is_null()),
            unique,
            indexed: self.is_indexed,
            reference,
        })
    }
}

/// Whether it is the plugin that says fields of this policy.
pub(crate) fn is_said_by_plugin(policy: Policy) -> bool {
    match policy {
        Policy::Ro | Policy::ShownOnce | Policy::Hidden => true,
        Policy::Rw | Policy::WriteOnce | Policy::WriteOnly => false,
    }
}

impl fmt::Debug for FieldDeclaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

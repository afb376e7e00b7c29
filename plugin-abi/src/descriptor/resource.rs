//! Declared resources: what an author says of a collection, for the host to store and serve it.
//!
//! All that a client sees of a declared resource follows from these documents and from nothing else: the
//! API, its validation and its permissions, OpenAPI, the client's verbs. Not here: the columns that every
//! resource has ([`crate::resource::columns`]), and any check of what is declared.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A collection of resources that the host stores and serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its segment in paths: `instances`, `buckets`, `access-keys`. `[a-z][a-z0-9-]{0,30}`.
    pub collection: String,
    /// One of them, in permissions: `instance`, `bucket`, `access_key`. `[a-z][a-z0-9_]{0,30}`.
    pub name: String,
    /// The collection that it hangs under: `instances` for `buckets`. None: under the type itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where its rows are: `<slug>_<collection>`, with `_` for `-`.
    pub table: String,
    /// What the plugin adds to the members that every resource has, in the order in which they are shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// What can be done to one of them, beyond changing its fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// Where the plugin wants to be asked. A resource without hooks is served by the host alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// Whether a change must name the state that it was made for (`If-Match`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub demands_if_match: bool,
}

/// A member of a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name, and that of its column: `[a-z][a-z0-9_]{0,62}`.
    pub name: String,
    /// How it is stored.
    pub kind: Kind,
    /// Its JSON Schema (2020-12): type, bounds, default, description. It stands alone, without `$ref`.
    pub schema: Value,
    /// Who may say and see it.
    #[serde(default)]
    pub policy: Policy,
    /// Whether a create must say it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What it is when a create does not say it. None: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Among which resources no two may have the same value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Unique>,
    /// Whether lists are often filtered by it, so that its column has an index.
    #[serde(default, skip_serializing_if = "is_false")]
    pub indexed: bool,
    /// What its value names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// How a field is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `text`.
    Text,
    /// `bigint`.
    Integer,
    /// `double precision`.
    Number,
    /// `boolean`.
    Boolean,
    /// RFC 3339 in UTC with milliseconds; `timestamptz`.
    Timestamp,
    /// Any JSON value, as text.
    Json,
    /// Text that the host encrypts; the plugin sees a reference to it.
    Secret,
}

/// Who may say and see a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Clients say it and see it.
    #[default]
    Rw,
    /// Clients see it; the plugin says it.
    Ro,
    /// Clients say it once, when they create the resource, and see it.
    WriteOnce,
    /// Clients say it and never see it again.
    WriteOnly,
    /// Clients see it once, in the answer to the request that made it; the plugin says it.
    ShownOnce,
    /// It is the plugin's own.
    Hidden,
}

/// Among which resources of a collection a value is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unique {
    /// Those under the same parent.
    Parent,
    /// Those of the same project.
    Project,
    /// All of them.
    Type,
}

/// What a field's value names: the id or the name of another resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The slug of its type.
    pub slug: String,
    /// Its collection; one with the same parent, if it has a parent.
    pub collection: String,
}

/// Something that can be done to a resource: `POST …/actions/<verb>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `[a-z][a-z0-9-]{0,30}`.
    pub verb: String,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it changes nothing: then its answer is the result itself, and no operation.
    #[serde(default, skip_serializing_if = "is_false")]
    pub safe: bool,
    /// The JSON Schema of what is sent with it; null when nothing is.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub input: Value,
    /// The JSON Schema of what it comes to; null when it is anything.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// How long it may take; none: the host's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u32>,
}

/// Where the plugin wants to be asked; see [`crate::resource`] for what is asked and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Before a create or a change is written.
    Validate,
    /// What a create or a change would come to, for a dry run.
    Plan,
    /// Again and again, until what is there is what is wanted; also to take it down.
    Reconcile,
}

/// A version of what a type's instances run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeVersion {
    /// The version.
    pub version: String,
    /// `available`, `deprecated`, …
    pub status: String,
    /// What an upgrade to it means, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The versions from which an instance can come to it; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upgrade_from: Vec<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

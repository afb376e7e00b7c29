//! The descriptor: the JSON document that lists all a plugin declares, and the one it is started with.
//!
//! Plain serde on purpose: these are cold documents with a schema version of their own, outside the layout
//! snapshot. The plugin prints its descriptor, the bundle carries the same bytes, and the probe compares
//! the two byte for byte; so it depends on the code alone. [`Resource`] is what a type declares.
//! Not here: any check of what is declared.

use serde::{Deserialize, Serialize};

use crate::database::Backend;

mod resource;

pub use resource::{Action, Field, Hook, Kind, Policy, Reference, Resource, TypeVersion, Unique};

/// The schema version that this crate writes.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything a plugin declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The element this plugin is the code of.
    pub element: String,
    /// The element's version.
    pub version: String,
    /// How the code was built.
    pub build: Build,
    /// What is served under `/v1/types/<slug>`.
    pub types: Vec<TypeDescriptor>,
    /// Every route. A request names its route by its position here.
    pub routes: Vec<Route>,
    /// Root prefixes that the plugin asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Ports that the plugin asks the host to listen on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
    /// How the schema of the plugin's tables comes to be; their order is in `depends_on`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<Migration>,
    /// The JSON Schema of the element's settings.
    pub settings_schema: serde_json::Value,
}

/// How the code was built: what the probe checks before it believes anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// [`crate::root::ABI_REVISION`].
    pub abi_revision: u32,
    /// The target triple.
    pub target: String,
    /// What a panic does.
    pub panic: PanicStrategy,
}

impl Build {
    /// The stamp of the build that this very crate is part of.
    #[must_use]
    pub fn own() -> Self {
        Self {
            abi_revision: crate::root::ABI_REVISION,
            target: env!("METAPAAS_TARGET").to_owned(),
            panic: if cfg!(panic = "unwind") {
                PanicStrategy::Unwind
            } else {
                PanicStrategy::Abort
            },
        }
    }
}

/// What a panic does in a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanicStrategy {
    /// It unwinds to the SDK and costs one request.
    Unwind,
    /// It ends the process; the probe refuses such a plugin.
    Abort,
}

/// A type that the plugin serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDescriptor {
    /// `[a-z][a-z0-9]{0,30}`.
    pub slug: String,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What the host stores and serves of it; nothing of a type that is routes alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// What its instances can run; nothing when they have no versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<TypeVersion>,
}

impl TypeDescriptor {
    /// A type that declares nothing yet.
    #[must_use]
    pub fn new(slug: impl Into<String>) -> Self {
        let (description, resources, versions) = (String::new(), Vec::new(), Vec::new());
        Self { slug: slug.into(), description, resources, versions }
    }
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What `path` is relative to.
    pub base: RouteBase,
    /// The method, or `None` for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A template: `/greet/{name}`, `/files/{*rest}`. Begins with a slash.
    pub path: String,
    /// The largest request body, or `None` for the host's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<u64>,
    /// How long the head of the answer may take, or `None` for the host's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u32>,
    /// Who may use it.
    #[serde(default, skip_serializing_if = "Access::is_default")]
    pub access: Access,
}

/// Who may use a route. The host sees to it before the plugin hears of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Whoever the host knows and who has `<slug>.route.read` for the methods that change nothing, or
    /// `<slug>.route.update` for the others.
    #[default]
    Authenticated,
    /// Everybody; the host does not look who it is, and passes on what they present.
    Public,
    /// Whoever the host knows and who has this permission: `s3.bucket.create`.
    Permission(String),
}

impl Access {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a route hangs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteBase {
    /// Under `/v1/types/<slug>`.
    Type(String),
    /// Under a mount's prefix.
    Mount(String),
}

/// A root prefix that the plugin asks for; the operator grants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// `/git`, `/api/releases`: begins with a slash and does not end with one.
    pub prefix: String,
}

/// A port that the plugin asks the host to listen on; the operator grants it with an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Its name, by which the operator grants it and connections are told apart.
    pub name: String,
}

/// One step of a plugin's schema. It is data: the host plans, shows and runs it without running the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// A UUID, fixed for ever.
    pub id: String,
    /// A few words, for people.
    pub name: String,
    /// The ids of the steps that come before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// When it is run.
    pub phase: Phase,
    /// What it does.
    pub up: Statements,
    /// What undoes it; an expand step has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Statements>,
    /// The hook that fills in what the step added, called until it says that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<String>,
}

/// When a migration is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the switch, while the old code still serves: it must suit both.
    Expand,
    /// When there is no way back to the old code: at `finalize`, or before the next version's rollout.
    Contract,
}

/// SQL for each database, one statement each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statements {
    /// For SQLite.
    pub sqlite: Vec<String>,
    /// For PostgreSQL.
    pub postgres: Vec<String>,
}

/// What a generation is started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The element.
    pub element: String,
    /// Its version.
    pub version: String,
    /// The element's settings; the plugin checks them against its own type.
    pub settings: serde_json::Value,
    /// Which database stands behind [`crate::database`]; the host's own, so a plugin cannot choose it.
    #[serde(default)]
    pub database: Backend,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_with_an_unknown_member_is_refused_by_name() {
        let error = serde_json::from_str::<Listener>(r#"{"name":"smtp","port":25}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `port`"), "{error}");
    }

    #[test]
    fn the_build_stamp_tells_how_this_test_was_built() {
        let build = Build::own();
        assert_eq!(build.abi_revision, crate::root::ABI_REVISION);
        assert!(build.target.contains(std::env::consts::ARCH), "{}", build.target);
    }
}

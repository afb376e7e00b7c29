//! How a type looks: all that it declares, and who answers for it now.

use std::collections::BTreeMap;

use plugin_abi::descriptor::{Action, Policy, TypeVersion};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::http::access;
use crate::model::schema::Purpose;
use crate::model::{ResourceModel, TypeModel};
use crate::plugin::table::ServedType;
use crate::resource::status::Status;
use crate::timestamp::Timestamp;

/// The name of the collection that a type is mostly about.
const INSTANCES: &str = "instances";

/// A type, in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TypeSummary")]
pub(crate) struct Summary {
    slug: String,
    description: String,
    /// Who provides it.
    element: String,
    /// The version of that element.
    element_version: String,
    /// The collections that can be asked for.
    collections: Vec<String>,
    /// Who answers for it now; null: nobody, and only its resources can be read.
    plugin: Option<Plugin>,
}

/// A type, whole.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Type")]
pub(crate) struct Document {
    slug: String,
    description: String,
    element: String,
    element_version: String,
    /// Of the descriptor that this is made of.
    schema_version: u32,
    /// What its instances can run.
    versions: Vec<Version>,
    /// Those of its instances; null if it has none.
    schemas: Option<Schemas>,
    /// Who may say and see each field of its instances.
    field_policy: BTreeMap<String, Value>,
    /// What can be done to an instance.
    actions: Vec<ActionDocument>,
    /// All that it declares, its instances too.
    collections: Vec<Collection>,
    /// The words that a status can be; others may come.
    statuses: Vec<&'static str>,
    /// What roles can grant.
    permissions: Vec<String>,
    plugin: Option<Plugin>,
}

/// A declared collection.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TypeCollection")]
pub(crate) struct Collection {
    collection: String,
    /// One of them.
    name: String,
    /// The collection that it hangs under; null: under the type itself.
    parent: Option<String>,
    description: String,
    schemas: Schemas,
    field_policy: BTreeMap<String, Value>,
    actions: Vec<ActionDocument>,
}

/// JSON Schemas (2020-12).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TypeSchemas")]
pub(crate) struct Schemas {
    create: Value,
    update: Value,
    read: Value,
}

/// Something that can be done to a resource.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TypeAction")]
pub(crate) struct ActionDocument {
    verb: String,
    description: String,
    /// Whether it changes nothing.
    safe: bool,
    /// The schema of what is sent with it; null when nothing is.
    input: Value,
    /// The schema of what it comes to; null when it is anything.
    output: Value,
}

/// A version that instances can run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TypeVersion")]
pub(crate) struct Version {
    version: String,
    status: String,
    maintenance_info: MaintenanceInfo,
    /// The versions from which an instance can come to it; empty: any.
    upgrade_from: Vec<String>,
}

/// What an upgrade to a version means.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MaintenanceInfo {
    version: String,
    description: String,
}

/// Who answers for a type.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TypePlugin")]
pub(crate) struct Plugin {
    version: String,
    /// The revision of the ABI that it was built against.
    abi: u32,
    /// The digest of its bundle.
    sha256: String,
    /// Since when somebody answers without a gap.
    loaded_at: Timestamp,
    /// Where its generation is in its life.
    health: &'static str,
}

impl Summary {
    pub(super) fn of(served: &ServedType) -> Self {
        let TypeModel { slug, element, version, declared, .. } = &*served.model;
        let collections = served.model.resources().iter().map(|it| it.collection().to_owned());
        Self {
            slug: slug.clone(),
            description: declared.description.clone(),
            element: element.to_string(),
            element_version: version.to_string(),
            collections: collections.collect(),
            plugin: Plugin::of(served),
        }
    }

    pub(super) fn slug(&self) -> &str {
        &self.slug
    }
}

impl Document {
    pub(super) fn of(served: &ServedType) -> Self {
        let TypeModel { slug, element, version, declared, .. } = &*served.model;
        let instances = served.model.resource(INSTANCES);
        let instances = instances.map(|resource| Collection::of(resource));
        let (schemas, field_policy, actions) = match instances {
            Some(it) => (Some(it.schemas), it.field_policy, it.actions),
            None => (None, BTreeMap::new(), Vec::new()),
        };
        Self {
            slug: slug.clone(),
            description: declared.description.clone(),
            element: element.to_string(),
            element_version: version.to_string(),
            schema_version: plugin_abi::descriptor::SCHEMA_VERSION,
            versions: declared.versions.iter().map(Version::of).collect(),
            schemas,
            field_policy,
            actions,
            collections: served.model.resources().iter().map(|it| Collection::of(it)).collect(),
            statuses: Status::ALL.iter().map(|status| status.word()).collect(),
            permissions: access::permissions_of_type(declared),
            plugin: Plugin::of(served),
        }
    }
}

impl Collection {
    fn of(resource: &ResourceModel) -> Self {
        let declared = &resource.declared;
        let seen = declared.fields.iter().filter(|field| field.policy != Policy::Hidden);
        let policies = seen.map(|field| {
            let policy = serde_json::to_value(field.policy).expect("a policy is a word");
            (field.name.clone(), policy)
        });
        Self {
            collection: declared.collection.clone(),
            name: declared.name.clone(),
            parent: declared.parent.clone(),
            description: declared.description.clone(),
            schemas: Schemas::of(resource),
            field_policy: policies.collect(),
            actions: declared.actions.iter().map(ActionDocument::of).collect(),
        }
    }
}

impl Schemas {
    fn of(resource: &ResourceModel) -> Self {
        let [create, update, read] =
            [Purpose::Create, Purpose::Update, Purpose::Read].map(|it| resource.schema(it));
        Self { create, update, read }
    }
}

impl ActionDocument {
    fn of(declared: &Action) -> Self {
        let Action { verb, description, safe, input, output, deadline_ms: _ } = declared.clone();
        Self { verb, description, safe, input, output }
    }
}

impl Version {
    pub(super) fn of(declared: &TypeVersion) -> Self {
        let TypeVersion { version, status, description, upgrade_from } = declared.clone();
        let maintenance_info = MaintenanceInfo { version: version.clone(), description };
        Self { version, status, maintenance_info, upgrade_from }
    }
}

impl Plugin {
    fn of(served: &ServedType) -> Option<Self> {
        let generation = &served.published()?.generation;
        Some(Self {
            version: generation.identity.version.to_string(),
            abi: generation.descriptor.build.abi_revision,
            sha256: generation.identity.digest.to_string(),
            loaded_at: served.since,
            health: generation.phase().word(),
        })
    }
}

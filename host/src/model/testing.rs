//! A type for the tests: volumes with every kind of field, snapshots under them, and labels of their own.

use std::sync::Arc;

use plugin_abi::descriptor::{
    Action, Build, Descriptor, Field, Hook, Kind, Policy, Resource, TypeDescriptor, Unique,
};
use serde_json::{Value, json};

use super::{ResourceModel, TypeModel};

/// A field with a schema of the right type and nothing else.
pub(crate) fn field(name: &str, kind: Kind) -> Field {
    let schema = match kind {
        Kind::Text | Kind::Secret => json!({"type": "string"}),
        Kind::Timestamp => json!({"type": "string", "format": "date-time"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Number => json!({"type": "number"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Json => json!({}),
    };
    Field {
        name: name.to_owned(),
        kind,
        schema,
        policy: if kind == Kind::Secret { Policy::WriteOnly } else { Policy::Rw },
        required: false,
        default: None,
        unique: None,
        indexed: false,
        reference: None,
    }
}

/// A collection of the type `demo` without fields.
pub(crate) fn collection(collection: &str, name: &str, parent: Option<&str>) -> Resource {
    Resource {
        collection: collection.to_owned(),
        name: name.to_owned(),
        parent: parent.map(str::to_owned),
        description: String::new(),
        table: format!("demo_{}", collection.replace('-', "_")),
        fields: Vec::new(),
        actions: Vec::new(),
        hooks: Vec::new(),
        demands_if_match: false,
    }
}

/// An action without input.
pub(crate) fn action(verb: &str) -> Action {
    Action {
        verb: verb.to_owned(),
        description: String::new(),
        safe: false,
        input: Value::Null,
        output: Value::Null,
        deadline_ms: None,
    }
}

/// What the type `demo` declares.
pub(crate) fn declared() -> TypeDescriptor {
    let instances = Resource {
        fields: vec![
            Field {
                required: true,
                schema: json!({"type": "integer", "minimum": 1, "maximum": 1_000}),
                indexed: true,
                ..field("size", Kind::Integer)
            },
            Field {
                default: Some(json!("hdd")),
                schema: json!({"type": "string", "enum": ["hdd", "ssd"]}),
                policy: Policy::WriteOnce,
                ..field("medium", Kind::Text)
            },
            field("ratio", Kind::Number),
            Field { default: Some(json!(false)), ..field("encrypted", Kind::Boolean) },
            field("expires_at", Kind::Timestamp),
            field("order", Kind::Json),
            field("password", Kind::Secret),
            Field { unique: Some(Unique::Type), ..field("serial", Kind::Text) },
            Field { policy: Policy::Ro, ..field("address", Kind::Text) },
            Field { policy: Policy::Hidden, ..field("handle", Kind::Text) },
        ],
        actions: vec![action("grow"), Action { safe: true, ..action("diagnose") }],
        hooks: vec![Hook::Validate, Hook::Reconcile],
        ..collection("instances", "instance", None)
    };
    let snapshots = Resource {
        fields: vec![field("note", Kind::Text)],
        ..collection("snapshots", "snapshot", Some("instances"))
    };
    TypeDescriptor {
        resources: vec![instances, snapshots, collection("tag-sets", "tag_set", None)],
        ..TypeDescriptor::new("demo")
    }
}

/// A plugin that declares `types`.
pub(crate) fn descriptor(types: Vec<TypeDescriptor>) -> Descriptor {
    Descriptor {
        schema_version: 1,
        element: "demo".to_owned(),
        version: "0.1.0".to_owned(),
        build: Build::own(),
        types,
        routes: Vec::new(),
        mounts: Vec::new(),
        listeners: Vec::new(),
        migrations: Vec::new(),
        settings_schema: json!({}),
    }
}

/// The type `demo`.
pub(crate) fn model() -> Arc<TypeModel> {
    TypeModel::all_of(&descriptor(vec![declared()])).unwrap().remove(0)
}

/// A collection of the type `demo`.
pub(crate) fn resource(collection: &str) -> Arc<ResourceModel> {
    Arc::clone(model().resource(collection).unwrap())
}

/// The statements by which a plugin gives its declared fields columns.
pub(crate) fn own_columns(model: &ResourceModel) -> Vec<String> {
    let column = |field: &super::FieldModel| {
        let sql_type = match field.declared.kind {
            Kind::Text | Kind::Json | Kind::Secret => "text",
            Kind::Integer => "bigint",
            Kind::Number => "double precision",
            Kind::Boolean => "boolean",
            Kind::Timestamp => "timestamptz",
        };
        let name = super::quoted(field.name());
        format!("ALTER TABLE {} ADD COLUMN {name} {sql_type}", model.table())
    };
    model.fields().iter().map(column).collect()
}

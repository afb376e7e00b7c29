//! The JSON Schemas of a resource: what clients may send, and what they get.
//!
//! They follow from what is declared and from nothing else. Guarantees: a field that its policy keeps from clients
//! is in none of them; a create lists what it must say. The schema of a field stands in them as it was declared,
//! but for null, which a field that is not required can be. Not here: any check of a value ([`super::FieldModel`]).

use plugin_abi::descriptor::{Field, Kind, Policy};
use serde_json::{Map, Value, json};

use super::{FieldModel, ResourceModel};

/// For what a schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What a POST sends, and a PUT.
    Create,
    /// What a PATCH sends.
    Update,
    /// What every answer has.
    Read,
}

/// A DNS label that is no UUID.
const NAME: &str = "^(?![0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

impl ResourceModel {
    /// The schema of its documents.
    pub(crate) fn schema(&self, purpose: Purpose) -> Value {
        let mut properties = match purpose {
            Purpose::Create => sent(false),
            Purpose::Update => sent(true),
            Purpose::Read => shown(),
        };
        let mut required: Vec<String> = match purpose {
            Purpose::Create => vec!["name".to_owned()],
            Purpose::Update => Vec::new(),
            Purpose::Read => properties.keys().cloned().collect(),
        };
        for field in self.fields() {
            let Some(schema) = of_field(field, purpose) else { continue };
            let is_required = match purpose {
                Purpose::Create => field.declared.required,
                Purpose::Update => false,
                Purpose::Read => true,
            };
            if is_required {
                required.push(field.name().to_owned());
            }
            properties.insert(field.name().to_owned(), schema);
        }
        if purpose == Purpose::Read && self.declared.parent.is_some() {
            required.push("parent_id".to_owned());
            let parent = json!({"type": "string", "format": "uuid", "readOnly": true,
                "description": "What it hangs under."});
            properties.insert("parent_id".to_owned(), parent);
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if purpose != Purpose::Read {
            // Answers may get more members; what is sent may have no others.
            schema["additionalProperties"] = false.into();
        }
        if !self.declared.description.is_empty() {
            schema["description"] = self.declared.description.as_str().into();
        }
        schema
    }
}

/// The members that every resource has and a client may say.
fn sent(is_update: bool) -> Map<String, Value> {
    let text = |description: &str| json!({"type": "string", "description": description});
    let values =
        if is_update { json!({"type": ["string", "null"]}) } else { json!({"type": "string"}) };
    let map = |description: &str| json!({"type": "object", "additionalProperties": values, "description": description});
    let mut members = Map::new();
    if !is_update {
        members.insert("name".to_owned(), name());
    }
    members.insert("description".to_owned(), text("What it is for."));
    members.insert("labels".to_owned(), map("What it is selected by."));
    members.insert("annotations".to_owned(), map("Notes of its users."));
    let protection = json!({"type": "boolean", "description": "Whether nobody may delete it."});
    members.insert("deletion_protection".to_owned(), protection);
    if is_update {
        let etag = "The state that the change was made for; as If-Match.";
        members.insert("etag".to_owned(), text(etag));
    }
    members
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": NAME,
        "description": "A DNS label, unique in its project under its parent."})
}

/// The members that every answer has.
fn shown() -> Map<String, Value> {
    let uuid = |description: &str| json!({"type": "string", "format": "uuid", "readOnly": true, "description": description});
    let text =
        |description: &str| json!({"type": "string", "readOnly": true, "description": description});
    let moment = |description: &str| json!({"type": "string", "format": "date-time", "readOnly": true, "description": description});
    let count = |description: &str| json!({"type": "integer", "minimum": 0, "readOnly": true, "description": description});
    let status = json!({"type": "string", "readOnly": true, "description":
        "PENDING, CREATING, ACTIVE, ERROR, UPDATING, DELETING, SUSPENDED, DEGRADED; others may come."});
    let operation =
        json!({"anyOf": [{"$ref": "#/components/schemas/LastOperation"}, {"type": "null"}]});
    let conditions = json!({"type": "array", "items": {"$ref": "#/components/schemas/Condition"}, "readOnly": true});
    let members = [
        ("id", uuid("A UUIDv7, fixed for ever.")),
        ("type", text("The slug of its type.")),
        ("project_id", uuid("The project that it belongs to.")),
        ("name", name()),
        ("description", text("What it is for.")),
        ("labels", json!({"type": "object", "additionalProperties": {"type": "string"}})),
        ("annotations", json!({"type": "object", "additionalProperties": {"type": "string"}})),
        ("status", status),
        ("status_message", text("The status in a sentence.")),
        ("generation", count("Counts what was wanted.")),
        ("observed_generation", count("The generation that was seen to.")),
        ("etag", text("As the header ETag.")),
        ("conditions", conditions),
        ("last_operation", operation),
        ("deletion_protection", json!({"type": "boolean"})),
        ("created_at", moment("When it was made.")),
        ("updated_at", moment("When it was changed last.")),
        ("created_by", text("Who made it.")),
    ];
    members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// The schema of a field, if it is there for this purpose.
fn of_field(field: &FieldModel, purpose: Purpose) -> Option<Value> {
    let Field { policy, required, .. } = &field.declared;
    let is_there = match (policy, purpose) {
        (Policy::Rw, _)
        | (Policy::WriteOnce, Purpose::Create | Purpose::Read)
        | (Policy::WriteOnly, Purpose::Create | Purpose::Update)
        | (Policy::Ro, Purpose::Read) => true,
        (Policy::WriteOnce, Purpose::Update)
        | (Policy::WriteOnly, Purpose::Read)
        | (Policy::Ro, Purpose::Create | Purpose::Update)
        // Once, and so not in what every answer has.
        | (Policy::ShownOnce | Policy::Hidden, _) => false,
    };
    is_there.then(|| {
        let mut schema = with_annotations(&field.declared, purpose);
        if !required {
            schema = nullable(schema);
        }
        schema
    })
}

fn with_annotations(declared: &Field, purpose: Purpose) -> Value {
    // `true` is a schema too.
    let mut members = declared.schema.as_object().cloned().unwrap_or_default();
    if purpose == Purpose::Create {
        if let Some(default) = &declared.default {
            members.insert("default".to_owned(), default.clone());
        }
    } else {
        // It is no default for a change, nor for an answer.
        members.remove("default");
    }
    if declared.policy == Policy::Ro {
        members.insert("readOnly".to_owned(), true.into());
    }
    if declared.policy == Policy::WriteOnly || declared.kind == Kind::Secret {
        members.insert("writeOnly".to_owned(), true.into());
    }
    Value::Object(members)
}

/// What the schema takes, and null.
fn nullable(mut schema: Value) -> Value {
    let is_empty = schema.as_object().is_none_or(Map::is_empty);
    let takes_others = ["enum", "const", "anyOf", "oneOf", "allOf", "not", "if"];
    let takes_others = takes_others.iter().any(|keyword| schema.get(keyword).is_some());
    if let Some(one) = schema["type"].as_str().filter(|_| !takes_others).map(str::to_owned) {
        schema["type"] = json!([one, "null"]);
        return schema;
    }
    if is_empty || schema["type"].as_array().is_some_and(|types| types.contains(&json!("null"))) {
        return schema;
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{model, resource};

    fn names(purpose: Purpose) -> Vec<String> {
        let schema = resource("instances").schema(purpose);
        let own =
            ["size", "medium", "ratio", "password", "address", "handle", "name", "etag", "id"];
        let properties = schema["properties"].as_object().unwrap();
        let there = own.iter().filter(|name| properties.contains_key(**name));
        there.map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_policy_says_in_which_schemas_a_field_is() {
        assert_eq!(names(Purpose::Create), ["size", "medium", "ratio", "password", "name"]);
        assert_eq!(names(Purpose::Update), ["size", "ratio", "password", "etag"]);
        assert_eq!(
            names(Purpose::Read),
            ["size", "medium", "ratio", "address", "name", "etag", "id"]
        );
    }

    #[test]
    fn what_is_required_is_never_null() {
        let schema = resource("instances").schema(Purpose::Create);
        assert_eq!(schema["required"], json!(["name", "size"]));
        let properties = &schema["properties"];
        assert_eq!(properties["size"], json!({"type": "integer", "minimum": 1, "maximum": 1_000}));
        assert_eq!(properties["ratio"]["type"], json!(["number", "null"]));
        let medium = json!({"anyOf": [
            {"type": "string", "enum": ["hdd", "ssd"], "default": "hdd"}, {"type": "null"}]});
        assert_eq!(properties["medium"], medium);
        assert_eq!(properties["order"], json!({}));
    }

    #[test]
    fn names_are_dns_labels_and_no_uuids() {
        let validator = jsonschema::options().build(&name()).unwrap();
        for taken in ["a", "0", "s3-data", &"a".repeat(63)] {
            assert!(validator.is_valid(&json!(taken)), "{taken}");
        }
        for refused in
            ["", "A", "-a", "a-", "a.b", &"a".repeat(64), "0199aaaa-0000-7000-8000-000000000000"]
        {
            assert!(!validator.is_valid(&json!(refused)), "{refused}");
        }
    }

    #[test]
    fn every_schema_compiles() {
        for resource in model().resources() {
            for purpose in [Purpose::Create, Purpose::Update] {
                let schema = resource.schema(purpose);
                jsonschema::meta::validate(&schema).unwrap();
            }
        }
    }
}

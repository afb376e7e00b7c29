//! A resource as its plugin sees it: every declared field, secrets as references, what it hangs under.

use plugin_abi::descriptor::Kind;
use plugin_abi::resource::{Condition, ResourceDocument};
use plugin_abi::secret::REFERENCE_MEMBER;
use serde_json::{Map, Value, json};

use super::condition::KeptCondition;
use super::row::Row;
use super::sealed;
use crate::model::ResourceModel;

/// The document of `row`, which hangs under `parent`.
pub(crate) fn of(
    model: &ResourceModel,
    row: &Row,
    parent: Option<ResourceDocument>,
) -> ResourceDocument {
    ResourceDocument {
        id: row.id.to_string(),
        project_id: row.project.to_string(),
        name: row.name.clone(),
        parent: parent.map(Box::new),
        description: row.description.clone(),
        labels: texts(&row.labels),
        annotations: texts(&row.annotations),
        generation: row.generation,
        observed_generation: row.observed_generation,
        deleting: row.deleting_at.is_some(),
        fields: fields(model, row),
        conditions: row.conditions.iter().map(condition).collect(),
        created_at: row.created_at.to_string(),
        updated_at: row.updated_at.to_string(),
    }
}

fn fields(model: &ResourceModel, row: &Row) -> Map<String, Value> {
    let shown = model.fields().iter().map(|field| {
        let name = &field.declared.name;
        let value = row.fields.get(name).cloned().unwrap_or_default();
        let value = match field.declared.kind {
            Kind::Secret if !value.is_null() => {
                let sealed = value.as_str().unwrap_or_default();
                json!({ REFERENCE_MEMBER: sealed::reference(model, row, name, sealed) })
            }
            Kind::Secret
            | Kind::Text
            | Kind::Integer
            | Kind::Number
            | Kind::Boolean
            | Kind::Timestamp
            | Kind::Json => value,
        };
        (name.clone(), value)
    });
    shown.collect()
}

fn texts(pairs: &std::collections::BTreeMap<String, String>) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

fn condition(kept: &KeptCondition) -> Condition {
    let KeptCondition { r#type, status, reason, message, .. } = kept;
    let (r#type, reason, message) = (r#type.clone(), reason.clone(), message.clone());
    Condition { r#type, status: *status, reason, message }
}

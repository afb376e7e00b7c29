//! A resource for the tests.

use serde_json::Value;
use uuid::Uuid;

use super::row::Row;
use super::status::Status;
use crate::identity::ProjectId;
use crate::model::ResourceModel;
use crate::timestamp::Timestamp;

/// A row that was just made, every field of which is null.
pub(crate) fn row(model: &ResourceModel) -> Row {
    let now = Timestamp::now();
    let fields = model.fields().iter();
    Row {
        id: Uuid::now_v7(),
        project: ProjectId::of(Uuid::now_v7()),
        parent: None,
        name: "first".to_owned(),
        description: String::new(),
        labels: [].into(),
        annotations: [].into(),
        generation: 1,
        observed_generation: 0,
        revision: 1,
        status: Status::Creating,
        status_message: String::new(),
        conditions: Vec::new(),
        deletion_protection: false,
        deleting_at: None,
        last_operation: None,
        created_at: now,
        updated_at: now,
        created_by: "user:admin".to_owned(),
        fields: fields.map(|field| (field.declared.name.clone(), Value::Null)).collect(),
    }
}

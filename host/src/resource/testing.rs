//! Rows for the tests, and a table for them.

use plugin_abi::resource::{ConditionStatus, columns};
use serde_json::{Value, json};
use uuid::Uuid;

use super::condition::KeptCondition;
use super::row::Row;
use super::status::Status;
use crate::identity::ProjectId;
use crate::model::testing::own_columns;
use crate::model::{FieldModel, ResourceModel};
use crate::store::Backend;
use crate::store::testing::Database;
use crate::timestamp::Timestamp;

/// What a field may be at the least; the only one that must be something is a number.
fn least(field: &FieldModel) -> Value {
    if field.declared.required { 1.into() } else { Value::Null }
}

/// A row that was just made, with nothing in it that need not be.
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
        fields: fields.map(|field| (field.declared.name.clone(), least(field))).collect(),
    }
}

/// A row of `demo` instances with a value in every column.
pub(crate) fn full_row(name: &str, project: ProjectId) -> Row {
    let fields = json!({
        "size": 5, "medium": "ssd", "ratio": 0.1, "encrypted": true,
        "expires_at": "2026-02-03T04:05:06.123Z", "order": {"a": [1, null, "\u{0}ü"]},
        "password": "sealed", "serial": null, "address": "10.0.0.1", "handle": "h\"1",
    });
    let now = Timestamp::now();
    Row {
        id: Uuid::now_v7(),
        project,
        parent: None,
        name: name.to_owned(),
        description: "a 'quoted' \"text\"".to_owned(),
        labels: [("env".to_owned(), "dev".to_owned())].into(),
        annotations: [].into(),
        generation: 3,
        observed_generation: 2,
        revision: 7,
        status: Status::Updating,
        status_message: "growing".to_owned(),
        conditions: vec![KeptCondition {
            r#type: "Ready".to_owned(),
            status: ConditionStatus::False,
            reason: "Growing".to_owned(),
            message: String::new(),
            last_transition_at: now,
            observed_generation: 3,
        }],
        deletion_protection: true,
        deleting_at: None,
        last_operation: Some(Uuid::now_v7().to_string().parse().unwrap()),
        created_at: now,
        updated_at: now,
        created_by: "user:admin".to_owned(),
        fields: fields.as_object().cloned().unwrap(),
    }
}

/// What makes the table of `model`, with a column for each of its fields.
pub(crate) fn table(model: &ResourceModel, backend: Backend) -> String {
    let statements = columns::create(model.table(), backend.into()).into_iter();
    statements.chain(own_columns(model)).collect::<Vec<_>>().join(";")
}

/// Makes the table of `model` in a database.
pub(crate) async fn make_table(database: &Database, model: &ResourceModel) {
    database.run(&table(model, database.backend())).await;
}

/// A new project.
pub(crate) fn project() -> ProjectId {
    ProjectId::of(Uuid::now_v7())
}

//! A resource as the store keeps it.
//!
//! Guarantees: a row read is the row written, on both databases; labels, annotations, conditions and JSON fields
//! are kept as the JSON text that clients see. Values of fields are in their one form
//! ([`FieldModel::normal`](crate::model::FieldModel::normal)), secrets sealed. Not here: statements.

use std::collections::BTreeMap;

use sea_orm::{DbErr, QueryResult, Value as Sea};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::condition::KeptCondition;
use super::status::Status;
use crate::identity::ProjectId;
use crate::model::ResourceModel;
use crate::operation::OperationId;
use crate::store::Backend;
use crate::timestamp::Timestamp;

mod decode;
mod encode;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Fixed for ever, a UUIDv7.
    pub(crate) id: Uuid,
    /// Fixed for ever.
    pub(crate) project: ProjectId,
    /// What it hangs under.
    pub(crate) parent: Option<Uuid>,
    /// Unique in its project under its parent.
    pub(crate) name: String,
    /// In its maker's words.
    pub(crate) description: String,
    /// What it is selected by.
    pub(crate) labels: BTreeMap<String, String>,
    /// Notes of its users.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Counts what was wanted.
    pub(crate) generation: i64,
    /// The generation that was seen to.
    pub(crate) observed_generation: i64,
    /// Counts every change of the row; whoever writes it raises it by one.
    pub(crate) revision: i64,
    /// How it stands.
    pub(crate) status: Status,
    /// How it stands, in a sentence.
    pub(crate) status_message: String,
    /// What is known of it.
    pub(crate) conditions: Vec<KeptCondition>,
    /// Whether nobody may delete it.
    pub(crate) deletion_protection: bool,
    /// Since when it is being taken down.
    pub(crate) deleting_at: Option<Timestamp>,
    /// What was done with it last.
    pub(crate) last_operation: Option<OperationId>,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it was changed last.
    pub(crate) updated_at: Timestamp,
    /// Who made it: `user:admin`.
    pub(crate) created_by: String,
    /// Every declared field, null where it has no value.
    pub(crate) fields: Map<String, Value>,
}

impl Row {
    /// The row of a result that has the model's columns, in their order.
    pub(super) fn of(
        model: &ResourceModel,
        backend: Backend,
        row: &QueryResult,
    ) -> Result<Self, DbErr> {
        decode::Cells { row, backend, next: 0 }.row(model)
    }

    /// Its values in the order of the model's columns; of an update, those that can change.
    pub(super) fn values(&self, model: &ResourceModel, backend: Backend, part: Part) -> Vec<Sea> {
        encode::values(self, model, backend, part)
    }
}

/// Which columns of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All.
    Whole,
    /// Those that an update writes.
    Changeable,
}

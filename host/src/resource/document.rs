//! How a client sees a resource: one JSON document, written member by member from the cells of its row.
//!
//! Guarantees: there is one way to write it, so lists, single answers, answers to writes and events say the same;
//! what the policy of a field hides is not in it, for nobody; its members have one order. The etag changes whenever
//! the document does. Not here: who may see a resource at all.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::Value;
use uuid::Uuid;

use super::cells::{CellError, Cells, IdText, Kept, MomentText, at};
use super::condition::KeptCondition;
use super::query::FieldMask;
use super::row::Row;
use super::status::{self, Status};
use crate::identity::ProjectId;
use crate::model::{FieldModel, ResourceModel};
use crate::operation::Operation;
use crate::timestamp::Timestamp;

mod write;

use write::Members;

/// A resource on its way to a client.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Its id.
    pub(crate) id: Uuid,
    /// Where it is, which says who may see it.
    pub(crate) project: ProjectId,
    /// Of this document.
    pub(crate) etag: String,
    /// The document.
    pub(crate) text: Vec<u8>,
}

/// What of a document does not lie in the row.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Whether a plugin answers for the type.
    pub(crate) available: Available,
    /// The members that are asked for; none: all.
    pub(crate) fields: Option<Arc<FieldMask>>,
}

/// Whether a plugin answers for a type, and since when it does or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Available {
    /// One does.
    Since(Timestamp),
    /// None does.
    NotSince(Timestamp),
}

/// What a resource's document says of its last operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastOperation<'a> {
    /// `s3.instance.create`.
    pub(crate) kind: &'a str,
    /// `RUNNING`.
    pub(crate) state: &'a str,
    /// 0 to 100.
    pub(crate) percent: i64,
    /// In a sentence.
    pub(crate) description: &'a str,
}

/// The document of a row in memory, as a value.
#[cfg(test)]
pub(crate) fn document(
    model: &ResourceModel,
    row: &Row,
    last_operation: Option<&LastOperation<'_>>,
    seen: &Seen,
) -> Value {
    let (text, _etag) = text(model, row, last_operation, seen);
    serde_json::from_slice(&text).expect("a document is JSON")
}

/// A row in memory as a client sees it.
pub(crate) fn shown(
    model: &ResourceModel,
    row: &Row,
    last_operation: Option<&Operation>,
    seen: &Seen,
) -> Shown {
    let kind = last_operation.map(|last| last.kind.word());
    let last = last_operation.zip(kind.as_deref());
    let last = last.map(|(operation, kind)| LastOperation {
        kind,
        state: operation.state.word(),
        percent: operation.percent,
        description: &operation.description,
    });
    let (text, etag) = text(model, row, last.as_ref(), seen);
    Shown { id: row.id, project: row.project, etag, text }
}

/// The document of a row in memory, and its etag.
fn text(
    model: &ResourceModel,
    row: &Row,
    last_operation: Option<&LastOperation<'_>>,
    seen: &Seen,
) -> (Vec<u8>, String) {
    let operation = last_operation.map(|last| {
        let LastOperation { kind, state, percent, description } = last;
        format!("{kind} {state} {percent} {description}")
    });
    let mut out = Vec::with_capacity(1024);
    let etag = write(&mut out, model, &Kept::of(model, row, operation), seen)
        .expect("the cells of a row in memory are there");
    (out, etag)
}

/// The etag of a row as such: what `If-Match` is compared with is its first part, the generation.
#[cfg(test)]
pub(crate) fn etag(row: &Row) -> String {
    format!("\"{}-{:x}\"", row.generation, row.revision)
}

/// Writes the document, and returns its etag.
pub(crate) fn write(
    out: &mut Vec<u8>,
    model: &ResourceModel,
    cells: &impl Cells,
    seen: &Seen,
) -> Result<String, CellError> {
    let (mut id, mut moment) = (IdText::from([0; 36]), MomentText::from([0; 24]));
    let etag = etag_of(model, cells, seen)?;
    let begin = out.len();
    let mut members = Members::begin(out, seen.fields.as_deref());
    members.text("id", cells.id(at::ID, &mut id)?);
    members.text("type", Some(&model.slug));
    members.text("project_id", cells.id(at::PROJECT, &mut id)?);
    if model.declared.parent.is_some() {
        members.text("parent_id", cells.id(at::PARENT, &mut id)?);
    }
    members.text("name", cells.text(at::NAME)?);
    members.text("description", cells.text(at::DESCRIPTION)?);
    members.json("labels", cells.text(at::LABELS)?);
    members.json("annotations", cells.text(at::ANNOTATIONS)?);
    for (index, field) in (at::FIELDS..).zip(model.fields()) {
        if field.is_shown() {
            write_field(&mut members, field, cells, index)?;
        }
    }
    let status = cells.text(at::STATUS)?;
    members.text("status", status);
    members.text("status_message", cells.text(at::STATUS_MESSAGE)?);
    let conditions = cells.text(at::CONDITIONS)?.unwrap_or("[]");
    let generation = cells.integer(at::GENERATION)?;
    let observed_generation = cells.integer(at::OBSERVED_GENERATION)?;
    if status == Some(Status::Error.word()) {
        write_error_flags(&mut members, conditions, observed_generation.unwrap_or_default());
    }
    members.integer("generation", generation);
    members.integer("observed_generation", observed_generation);
    members.text("etag", Some(&etag));
    members.conditions(conditions, seen.available, generation.unwrap_or_default());
    members.operation(cells.text(at::LAST_OPERATION)?, operation_of(model, cells)?);
    members.boolean("deletion_protection", cells.boolean(at::DELETION_PROTECTION)?);
    members.text("created_at", cells.moment(at::CREATED_AT, &mut moment)?);
    members.text("updated_at", cells.moment(at::UPDATED_AT, &mut moment)?);
    members.text("created_by", cells.text(at::CREATED_BY)?);
    members.end();
    if let Some(mask) = seen.fields.as_deref().filter(|mask| mask.is_deep()) {
        cut(out, begin, mask);
    }
    Ok(etag)
}

/// Takes the parts of members out that are not asked for.
fn cut(out: &mut Vec<u8>, begin: usize, mask: &FieldMask) {
    let mut document: Value = serde_json::from_slice(&out[begin..]).expect("a document is JSON");
    mask.apply(&mut document);
    out.truncate(begin);
    serde_json::to_writer(out, &document).expect("memory takes what is written to it");
}

fn write_field(
    members: &mut Members<'_>,
    field: &FieldModel,
    cells: &impl Cells,
    index: usize,
) -> Result<(), CellError> {
    use plugin_abi::descriptor::Kind;
    let name = field.name();
    match field.declared.kind {
        Kind::Text => members.text(name, cells.text(index)?),
        Kind::Integer => members.integer(name, cells.integer(index)?),
        Kind::Number => members.number(name, cells.number(index)?),
        Kind::Boolean => members.boolean(name, cells.boolean(index)?),
        Kind::Timestamp => {
            members.text(name, cells.moment(index, &mut MomentText::from([0; 24]))?);
        }
        Kind::Json => match cells.text(index)? {
            // A plugin's own statement may have written what is none.
            Some(text) if serde_json::from_str::<IgnoredAny>(text).is_err() => {
                members.text(name, Some(text));
            }
            text => members.json(name, text),
        },
        // No policy that a secret may have shows it.
        Kind::Secret => {}
    }
    Ok(())
}

/// What a failure leaves of a resource.
fn write_error_flags(members: &mut Members<'_>, conditions: &str, observed_generation: i64) {
    let conditions: Vec<KeptCondition> = serde_json::from_str(conditions).unwrap_or_default();
    let is_usable = status::is_usable(Status::Error, observed_generation);
    members.boolean("instance_usable", Some(is_usable));
    members.boolean("retryable", Some(status::is_retried(&conditions)));
}

/// The text of the last operation lies behind the fields.
fn operation_of<'c>(
    model: &ResourceModel,
    cells: &'c impl Cells,
) -> Result<Option<LastOperation<'c>>, CellError> {
    let text = cells.text(at::FIELDS + model.fields().len())?;
    Ok(text.and_then(LastOperation::parse))
}

/// The generation and the revision; and a digest of what else is shown, where any of that is newer than the row.
fn etag_of(model: &ResourceModel, cells: &impl Cells, seen: &Seen) -> Result<String, CellError> {
    let (generation, revision) = (cells.integer(at::GENERATION)?, cells.integer(at::REVISION)?);
    let (generation, revision) = (generation.unwrap_or_default(), revision.unwrap_or_default());
    let mut etag = String::with_capacity(24);
    write!(etag, "\"{generation}-{revision:x}").expect("a string takes what is written to it");
    let operation = operation_of(model, cells)?;
    let mut moment = MomentText::from([0; 24]);
    let updated_at = cells.moment(at::UPDATED_AT, &mut moment)?.unwrap_or_default();
    let mut since = MomentText::from([0; 24]);
    let (is_there, since) = match seen.available {
        Available::Since(at) => (true, at.write(&mut since)),
        Available::NotSince(at) => (false, at.write(&mut since)),
    };
    let is_done = operation.as_ref().is_none_or(LastOperation::is_done);
    if !is_there || !is_done || since > updated_at {
        let mut hasher = DefaultHasher::new();
        let told = operation.as_ref().map(|last| (last.state, last.percent, last.description));
        (is_there, since, told).hash(&mut hasher);
        write!(etag, "-{:x}", hasher.finish()).expect("a string takes what is written to it");
    }
    etag.push('"');
    Ok(etag)
}

impl<'a> LastOperation<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        Some(Self {
            kind: parts.next()?,
            state: parts.next()?,
            percent: parts.next()?.parse().ok()?,
            description: parts.next()?,
        })
    }

    fn is_done(&self) -> bool {
        crate::operation::State::named(self.state).is_none_or(crate::operation::State::is_done)
    }
}

#[cfg(test)]
mod tests;

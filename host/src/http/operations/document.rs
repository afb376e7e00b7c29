//! An operation and a line of its log, as the API shows them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::operation::{Line, Operation, Operations, Requester, Step, Target};
use crate::timestamp::Timestamp;

/// An operation.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    id: String,
    kind: Cow<'static, str>,
    target: OfTarget<'a>,
    state: &'static str,
    done: bool,
    percent: i64,
    cancellable: bool,
    description: &'a str,
    details: &'a Value,
    steps: &'a [Step],
    error: Option<Value>,
    result: Option<&'a Value>,
    requested_by: &'a str,
    request_id: Option<&'a str>,
    traceparent: Option<&'a str>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

/// What an operation is about. An element has neither an id beside its name nor a project.
#[derive(Debug, Serialize)]
struct OfTarget<'a> {
    r#type: &'a str,
    id: Option<Uuid>,
    name: &'a str,
    project_id: Option<Uuid>,
}

/// A line of a log.
#[derive(Debug, Serialize)]
pub(super) struct OfLine<'a> {
    seq: i64,
    at: Timestamp,
    level: &'static str,
    message: &'a str,
}

/// How `operation` is shown.
pub(super) fn of<'a>(operation: &'a Operation, operations: &Operations) -> Document<'a> {
    let Operation {
        id,
        kind,
        target: Target { kind: target_type, name, id: target_id, instance: _, project },
        state,
        percent,
        description,
        details,
        steps,
        failure,
        result,
        requester: Requester { principal, request_id, traceparent },
        created_at,
        started_at,
        finished_at,
    } = operation;
    let request_id = request_id.as_deref();
    let failed = failure.as_ref().map(|_told| super::failed(operation));
    let error = failed.map(|problem| problem.value(&super::path(*id), request_id));
    Document {
        id: id.to_string(),
        kind: kind.word(),
        target: OfTarget { r#type: target_type, id: *target_id, name, project_id: *project },
        state: state.word(),
        done: state.is_done(),
        percent: *percent,
        cancellable: operations.can_be_canceled(operation),
        description,
        details,
        steps,
        error,
        result: result.as_ref(),
        requested_by: principal,
        request_id,
        traceparent: traceparent.as_deref(),
        created_at: *created_at,
        started_at: *started_at,
        finished_at: *finished_at,
    }
}

/// How `line` is shown.
pub(super) fn of_line(line: &Line) -> OfLine<'_> {
    let Line { seq, at, level, message } = line;
    OfLine { seq: *seq, at: *at, level: level.word(), message }
}

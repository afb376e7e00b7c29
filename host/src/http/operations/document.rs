//! An operation and a line of its log, as the API shows them.

use serde::Serialize;
use serde_json::Value;

use crate::operation::{Line, Operation, Step, Target};
use crate::timestamp::Timestamp;

/// An operation.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    id: String,
    kind: &'static str,
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
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

/// What an operation is about. An element has neither an id beside its name nor a project.
#[derive(Debug, Serialize)]
struct OfTarget<'a> {
    r#type: &'a str,
    id: Option<&'a str>,
    name: &'a str,
    project_id: Option<&'a str>,
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
pub(super) fn of(operation: &Operation) -> Document<'_> {
    let Operation {
        id,
        kind,
        target: Target { kind: target_type, name },
        state,
        percent,
        description,
        details,
        steps,
        failure,
        result,
        requested_by,
        request_id,
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
        target: OfTarget { r#type: target_type, id: None, name, project_id: None },
        state: state.word(),
        done: state.is_done(),
        percent: *percent,
        // Nothing that an element does can be left halfway; a newer wish supersedes it.
        cancellable: false,
        description,
        details,
        steps,
        error,
        result: result.as_ref(),
        requested_by,
        request_id,
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

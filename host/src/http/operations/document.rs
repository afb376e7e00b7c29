//! An operation and a line of its log, as the API shows them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operation::{Document, Failure, Line, Operation, OperationId, Operations};
use crate::timestamp::Timestamp;

/// A line of a log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogLine")]
pub(crate) struct OfLine<'a> {
    seq: i64,
    at: Timestamp,
    level: &'static str,
    message: &'a str,
}

/// How `operation` is shown: its failure is the problem that an answer would have been.
pub(super) fn of<'a>(operation: &'a Operation, operations: &Operations) -> Document<'a, Value> {
    let Operation { id, failure, requester, .. } = operation;
    let request_id = requester.request_id.as_deref();
    let error = failure.as_ref().map(|failure| problem(*id, failure, request_id));
    operation.document(operations, error)
}

/// How the operation of an event is shown.
pub(crate) fn of_event(kept: &Value) -> Value {
    let mut shown = kept.clone();
    let id = kept["id"].as_str().and_then(|id| id.parse().ok());
    if let (Some(id), Ok(Some(failure))) = (id, Option::<Failure>::deserialize(&kept["error"])) {
        shown["error"] = problem(id, &failure, kept["request_id"].as_str());
    }
    shown
}

fn problem(id: OperationId, failure: &Failure, request_id: Option<&str>) -> Value {
    super::problem_of(id, failure).value(&super::path(id), request_id)
}

/// How `line` is shown.
pub(super) fn of_line(line: &Line) -> OfLine<'_> {
    let Line { seq, at, level, message } = line;
    OfLine { seq: *seq, at: *at, level: level.word(), message }
}

//! An operation as a client sees it, and the event that tells what became of one.

use std::borrow::Cow;

use schemars::JsonSchema;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Error, Kind, Operation, Operations, Requester, Step, Target};
use crate::event::{Change, Entry, Events};
use crate::identity::ProjectId;
use crate::timestamp::Timestamp;

/// What it takes to see operations of the platform's own.
const READ: &str = "core.operation.read";

/// The document of an operation. Why it failed is told in one way where it is kept, and in another where it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Operation")]
pub(crate) struct Document<'a, F> {
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
    error: Option<F>,
    result: Option<&'a Value>,
    requested_by: &'a str,
    request_id: Option<&'a str>,
    traceparent: Option<&'a str>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

/// What an operation is about. An element has neither an id beside its name nor a project.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OperationTarget")]
struct OfTarget<'a> {
    r#type: &'a str,
    #[schemars(with = "Option<String>")]
    id: Option<Uuid>,
    name: &'a str,
    #[schemars(with = "Option<String>")]
    project_id: Option<Uuid>,
}

impl Operations {
    /// Appends what became of `operation` to the journal, in the transaction that writes it.
    pub(super) async fn tell(
        &self,
        db: &impl ConnectionTrait,
        change: Change,
        operation: &Operation,
    ) -> Result<(), Error> {
        let document = operation.document(self, operation.failure.as_ref());
        let document = serde_json::to_string(&document);
        let document = document.expect("an operation is strings, numbers and JSON values");
        let Operation { id, kind, target, state, requester, revision, .. } = operation;
        let entry = Entry {
            change,
            kind: format!("{kind}.{}", state.word().to_ascii_lowercase()),
            slug: Events::CORE.to_owned(),
            collection: Events::OPERATIONS.to_owned(),
            id: id.to_string(),
            parent: None,
            instance: target.instance,
            project: target.project.map(ProjectId::of),
            permission: operation.permission().into_owned(),
            name: target.name.clone(),
            revision: *revision,
            document,
            requester: requester.clone(),
        };
        Events::append(db, entry).await.map_err(|source| Error::Tell(*id, source))
    }
}

impl Operation {
    /// What it takes to see it: what it takes to see what it is about.
    pub(crate) fn permission(&self) -> Cow<'static, str> {
        match &self.kind {
            Kind::Element(_) => READ.into(),
            Kind::Resource { slug, resource, verb: _ } => format!("{slug}.{resource}.read").into(),
        }
    }

    /// It as a client sees it; `error` tells why it failed.
    pub(crate) fn document<'a, F>(
        &'a self,
        operations: &Operations,
        error: Option<F>,
    ) -> Document<'a, F> {
        let Self {
            id,
            kind,
            target: Target { kind: target_type, name, id: target_id, instance: _, project },
            state,
            percent,
            description,
            details,
            steps,
            failure: _,
            result,
            requester: Requester { principal, request_id, traceparent },
            revision: _,
            created_at,
            started_at,
            finished_at,
        } = self;
        Document {
            id: id.to_string(),
            kind: kind.word(),
            target: OfTarget { r#type: target_type, id: *target_id, name, project_id: *project },
            state: state.word(),
            done: state.is_done(),
            percent: *percent,
            cancellable: operations.can_be_canceled(self),
            description,
            details,
            steps,
            error,
            result: result.as_ref(),
            requested_by: principal,
            request_id: request_id.as_deref(),
            traceparent: traceparent.as_deref(),
            created_at: *created_at,
            started_at: *started_at,
            finished_at: *finished_at,
        }
    }
}

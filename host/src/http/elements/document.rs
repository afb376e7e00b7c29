//! An element, as the API shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use packer::bundle::ElementName;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::http::problem::Problem;
use crate::http::{State, respond};
use crate::operation::Operation;
use crate::plugin::identity::GenerationId;
use crate::plugin::lane::Isolation;
use crate::rollout::conditions::Condition;
use crate::rollout::failure::Failure;
use crate::rollout::report::{Serving, StageTime, Status};
use crate::rollout::wanted::Record;
use crate::rollout::{Available, Report};
use crate::timestamp::Timestamp;

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Element")]
pub(crate) struct Document {
    name: String,
    status: &'static str,
    status_message: String,
    version: Option<String>,
    serving_version: Option<String>,
    available_versions: Vec<String>,
    upgrade_available: Option<String>,
    rollback_version: Option<String>,
    rollback_available: bool,
    rollback_reason: Option<&'static str>,
    managed_by: Option<String>,
    isolation: Option<Isolation>,
    generation: Option<u64>,
    phase: Option<&'static str>,
    settings: Option<Value>,
    mounts: Vec<String>,
    listeners: BTreeMap<String, SocketAddr>,
    conditions: Vec<ConditionDocument>,
    restarts: u64,
    last_operation: Option<LastOperation>,
    last_rollout: Rollout,
    error: Option<Reason>,
    retained: Vec<Retained>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ElementCondition")]
struct ConditionDocument {
    r#type: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
    last_transition_at: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LastOperation {
    id: String,
    kind: Cow<'static, str>,
    state: &'static str,
    percent: i64,
    description: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Rollout {
    stages: Vec<Stage>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RolloutStage")]
struct Stage {
    name: &'static str,
    duration_us: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ElementError")]
struct Reason {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Retained {
    generation: u64,
    version: String,
    bytes: u64,
    reason: String,
}

impl Document {
    /// How the element stands that `report` is about.
    ///
    /// # Errors
    /// When its last operation cannot be read.
    pub(crate) async fn of(state: &State, report: &Report) -> Result<Self, Problem> {
        Self::among(state, report, &state.elements.available().await).await
    }

    /// As [`Self::of`], where what can be installed is known.
    pub(super) async fn among(
        state: &State,
        report: &Report,
        available: &Available,
    ) -> Result<Self, Problem> {
        let available = available.of(&report.name);
        let operation = match report.operation {
            None => None,
            Some(id) => {
                state.operations.get(id).await.map_err(|error| respond::internal(&error))?
            }
        };
        let Report { name, record, serving, failure, conditions, way_back, .. } = report;
        let wanted = record.as_ref().map(|record| &record.wanted);
        let newest = available
            .last()
            .filter(|newest| wanted.is_some_and(|wanted| **newest > wanted.version));
        let previous = record.as_ref().and_then(|record| record.previous.as_ref());
        Ok(Self {
            name: name.to_string(),
            status: word(report.status),
            status_message: message(report),
            version: wanted.map(|wanted| wanted.version.to_string()),
            serving_version: serving.as_ref().map(|Serving { version, .. }| version.to_string()),
            upgrade_available: newest.map(ToString::to_string),
            available_versions: available.iter().map(ToString::to_string).collect(),
            rollback_version: previous.map(|previous| previous.version.to_string()),
            rollback_available: way_back.reason().is_none(),
            rollback_reason: way_back.reason(),
            managed_by: record.as_ref().map(|record| record.managed_by.to_string()),
            isolation: wanted.map(|wanted| wanted.isolation),
            generation: serving.as_ref().map(|serving| serving.generation.number()),
            phase: serving.as_ref().and_then(|serving| phase_of(state, name, serving.generation)),
            settings: wanted.map(|wanted| wanted.settings.clone()),
            mounts: wanted.map(|wanted| wanted.mounts.clone()).unwrap_or_default(),
            listeners: report.listeners.clone(),
            conditions: conditions.iter().map(ConditionDocument::of).collect(),
            restarts: report.n_restarts,
            last_operation: operation.as_ref().map(LastOperation::of),
            last_rollout: Rollout { stages: report.stages.iter().map(Stage::of).collect() },
            error: failure.as_ref().map(Reason::of),
            retained: retained_of(state, name),
            created_at: record.as_ref().map(|Record { created_at, .. }| *created_at),
            updated_at: record.as_ref().map(|Record { updated_at, .. }| *updated_at),
        })
    }
}

/// The words of A-08, which clients of the original know.
fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "PENDING",
        Status::Updating => "UPDATING",
        Status::Active => "ACTIVE",
        Status::Error => "ERROR",
        Status::Deleting | Status::Gone => "DELETING",
    }
}

/// The same in a sentence.
fn message(report: &Report) -> String {
    let serving = match &report.serving {
        None => "nothing of it serves".to_owned(),
        Some(serving) => format!("{} serves", serving.version),
    };
    match (report.status, &report.failure) {
        (_, Some(failure)) => format!("{serving}: {}", failure.reason),
        (Status::Pending, None) => "waiting to begin".to_owned(),
        (Status::Updating, None) => format!("{serving}; now: {}", report.reached.word()),
        (Status::Active | Status::Error, None) => serving,
        (Status::Deleting | Status::Gone, None) => "being uninstalled".to_owned(),
    }
}

fn phase_of(state: &State, name: &ElementName, id: GenerationId) -> Option<&'static str> {
    let table = state.plugins.tables.load();
    let generation = &table.of_element(name)?.generation;
    (generation.identity.id == id).then(|| generation.phase().word())
}

fn retained_of(state: &State, name: &ElementName) -> Vec<Retained> {
    let all = state.plugins.retained.report().into_iter();
    let of_element = all.filter(|report| report.identity.element == *name);
    of_element
        .map(|report| Retained {
            generation: report.identity.id.number(),
            version: report.identity.version.to_string(),
            bytes: report.bytes,
            reason: report.reason,
        })
        .collect()
}

impl ConditionDocument {
    fn of(condition: &Condition) -> Self {
        let Condition { name, holds, reason, message, since } = condition;
        Self {
            r#type: name,
            status: holds.word(),
            reason,
            message: message.clone(),
            last_transition_at: *since,
        }
    }
}

impl LastOperation {
    fn of(operation: &Operation) -> Self {
        Self {
            id: operation.id.to_string(),
            kind: operation.kind.word(),
            state: operation.state.word(),
            percent: operation.percent,
            description: operation.description.clone(),
        }
    }
}

impl Stage {
    fn of(time: &StageTime) -> Self {
        let duration_us = u64::try_from(time.duration.as_micros()).unwrap_or(u64::MAX);
        Self { name: time.name, duration_us }
    }
}

impl Reason {
    fn of(failure: &Failure) -> Self {
        Self { code: failure.code(), message: failure.reason.clone() }
    }
}

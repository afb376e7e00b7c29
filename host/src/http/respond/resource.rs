//! Why a resource was not written, as its client reads it.

use std::borrow::Cow;

use plugin_abi::resource::FieldFault;

use super::capitalized;
use crate::http::State;
use crate::http::problem::{Code, FieldError, Problem};
use crate::log;
use crate::model::Fault;
use crate::plugin::hook::HookError;
use crate::resource::write::input::Unreadable;
use crate::resource::write::objection::{Objection, Why};
use crate::resource::write::patch::PatchError;
use crate::resource::write::precondition::Unmet;
use crate::resource::write::{Collection, Refused};

/// A write that was not made; `missing` says that what it is about is not there.
pub(crate) fn refused(
    state: &State,
    collection: &Collection,
    refused: &Refused,
    missing: impl FnOnce() -> Problem,
) -> Problem {
    let model = &collection.model;
    let problem = |code| Problem::new(code, format!("{}.", capitalized(refused)));
    match refused {
        Refused::Objections(objections) => of_objections(objections),
        Refused::Patch(error) => patch(error),
        Refused::Faults(faults) => of_faults(faults),
        Refused::Hook(error) => hook(state, collection, error),
        Refused::Nonsense(what) => super::nonsense(what),
        Refused::Unmet { unmet, etag } => unmet_by(*unmet, etag.as_deref()),
        Refused::Raced => problem(Code::ChangedMeanwhile),
        Refused::NameTaken(name) => problem(Code::NameTaken).with("name", name.as_str()),
        Refused::ValueTaken(field) => {
            let code = Code::ValueTaken.spec().name.into();
            let message = "another resource has this value".to_owned();
            let error = FieldError { pointer: format!("/{field}"), code, message };
            problem(Code::ValueTaken).with("field", field.as_str()).field(error)
        }
        Refused::Gone => missing(),
        Refused::NoProject => problem(Code::ProjectNotFound),
        Refused::Deleting { name, operation } => {
            let problem = problem(Code::ResourceDeleting).with("name", name.as_str());
            match operation {
                Some(operation) => problem.operation(operation.to_string()),
                None => problem,
            }
        }
        Refused::Protected(name) => problem(Code::DeletionProtected).with("name", name.as_str()),
        Refused::NotEmpty { collection, n } => problem(Code::NotEmpty)
            .hint("Delete them first, or add `?cascade=true`.")
            .with("collection", collection.as_str())
            .with("count", *n),
        Refused::Quota(exceeded) => {
            Problem::new(Code::QuotaExceeded, format!("{}.", capitalized(exceeded)))
                .with("quota", exceeded.measure.word())
                .with("type", model.slug.as_str())
                .with("limit", exceeded.limit)
                .with("used", exceeded.used)
                .with("wanted", exceeded.wanted)
        }
        Refused::Busy(operation) => {
            problem(Code::OperationInProgress).operation(operation.to_string())
        }
        Refused::Rehearsed(_) | Refused::Store(_) | Refused::Tell(_) | Refused::Operation(_) => {
            super::internal(refused)
        }
    }
}

/// A document that cannot be taken.
pub(crate) fn unreadable(error: &Unreadable) -> Problem {
    match error {
        Unreadable::Syntax(error) => super::bad_json(error),
        Unreadable::NoObject => Problem::new(Code::InvalidJson, format!("{}.", capitalized(error))),
        Unreadable::Unkeepable(faults) => {
            let problem = Problem::new(Code::InvalidJson, format!("{}.", capitalized(error)));
            with_faults(problem, Code::InvalidJson, faults)
        }
    }
}

/// What is sent with an action and does not fit.
pub(crate) fn faults(faults: &[Fault]) -> Problem {
    let problem =
        Problem::new(Code::ValidationFailed, "What is sent with the action is not valid.");
    with_faults(problem, Code::ValidationFailed, faults)
}

fn with_faults(problem: Problem, code: Code, faults: &[Fault]) -> Problem {
    faults.iter().fold(problem, |problem, Fault { pointer, message }| {
        let (pointer, message) = (pointer.clone(), message.clone());
        problem.field(FieldError { pointer, code: code.spec().name.into(), message })
    })
}

/// A patch that comes to nothing.
pub(crate) fn patch(error: &PatchError) -> Problem {
    let code = match error {
        PatchError::Malformed(_) | PatchError::TooMany { .. } | PatchError::NoObject => {
            Code::BadRequest
        }
        PatchError::TooLarge { .. } => Code::BodyTooLarge,
        PatchError::Unfit { .. } => Code::PatchUnfit,
    };
    Problem::new(code, format!("{}.", capitalized(error)))
}

/// All that is wrong with a document: the gravest gives the code.
fn of_objections(objections: &[Objection]) -> Problem {
    let code_of = |why: Why| match why {
        Why::Unknown => Code::UnknownField,
        Why::ReadOnly => Code::FieldReadOnly,
        Why::Immutable => Code::FieldImmutable,
        Why::Name => Code::NameInvalid,
        Why::Required => Code::FieldRequired,
        Why::Invalid => Code::ValidationFailed,
    };
    let gravest = objections.iter().map(|objection| objection.why).min().unwrap_or(Why::Invalid);
    let about: Vec<_> = objections.iter().filter(|it| it.why == gravest).collect();
    let named: Vec<_> = about.iter().map(|it| it.pointer.trim_start_matches('/')).collect();
    let named = named.join(", ");
    let (is, their) = if about.len() == 1 { ("is", "its") } else { ("are", "their") };
    let detail = match gravest {
        Why::Unknown => format!("There is no field {named}."),
        Why::ReadOnly => format!("{named} cannot be set by clients."),
        Why::Immutable => format!("{named} cannot be changed any more."),
        Why::Name => format!("What is said as {named} is no name."),
        Why::Required => format!("{named} {is} required."),
        Why::Invalid => format!("{named} {is} not as {their} schema says."),
    };
    objections.iter().fold(Problem::new(code_of(gravest), detail), |problem, objection| {
        let Objection { pointer, why, message } = objection.clone();
        problem.field(FieldError { pointer, code: code_of(why).spec().name.into(), message })
    })
}

/// What the plugin says is wrong.
fn of_faults(faults: &[FieldFault]) -> Problem {
    let said: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    let detail = format!("The plugin does not take it: {}.", said.join("; "));
    faults.iter().fold(Problem::new(Code::ValidationFailed, detail), |problem, fault| {
        let FieldFault { pointer, code, message } = fault.clone();
        problem.field(FieldError { pointer, code: Cow::Owned(code), message })
    })
}

fn unmet_by(unmet: Unmet, etag: Option<&str>) -> Problem {
    let (code, detail) = match unmet {
        Unmet::Changed => (Code::PreconditionFailed, "The resource has another etag by now."),
        Unmet::Exists => (Code::PreconditionFailed, "The resource is there already."),
        Unmet::Absent => (Code::PreconditionFailed, "There is no such resource to match."),
        Unmet::Unnamed => (Code::PreconditionRequired, "It must be said for which state it is."),
    };
    Problem::new(code, detail).with("etag", etag)
}

/// The plugin did not answer a question of the host's.
fn hook(state: &State, collection: &Collection, error: &HookError) -> Problem {
    match error {
        HookError::Closed => super::absent(&collection.r#type),
        HookError::Refused(refused) => super::refused(&state.metrics.http, refused),
        HookError::Failed(fault) => super::fault(&state.metrics.http, fault),
        HookError::Status { status: 400..=499, reason, .. } => {
            let why = reason.trim().trim_start_matches('(').trim_end_matches(')');
            Problem::new(Code::ValidationFailed, format!("The plugin does not take it: {why}."))
        }
        HookError::Status { .. } | HookError::Nonsense { .. } => {
            super::nonsense(&log::chain(error).to_string()).because(error)
        }
    }
}

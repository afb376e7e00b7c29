//! Which failure becomes which problem, and how a success is written.
//!
//! The one place where the two audiences of an error part: the caller gets a code and a safe sentence from here,
//! the log gets the chain.

use std::error::Error;
use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderValue, Response};
use packer::bundle::ElementName;
use serde::Serialize;

use super::Body;
use super::body::BodyError;
use super::problem::{Code, Problem, RateLimit};
use super::readiness::Reason;
use crate::identity::caller::Place;
use crate::identity::change::{ChangeError, Refusal as IdentityRefusal};
use crate::identity::{Empty, Forbidden, ProjectError, Unauthenticated};
use crate::log;
use crate::metrics::{self, HttpMetrics};
use crate::model::TypeModel;
use crate::plugin::conversation::{self as plugin, Fault};
use crate::plugin::identity::Identity;
use crate::resource::query::{self, QueryError};
use crate::rollout::wish::Refusal;
use crate::rollout::{self, WayBack};

pub(crate) mod resource;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("answers are structs with string keys");
    with_type(JSON, text)
}

/// 200 with a body of any other type.
pub(crate) fn with_type(media_type: HeaderValue, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Nothing answers at `path`.
pub(crate) fn no_route(path: &str) -> Problem {
    Problem::new(Code::RouteNotFound, format!("Nothing answers at {path}.")).with("path", path)
}

/// What is asked for cannot be done; these can.
pub(crate) fn no_action(verb: &str, known: &[&str]) -> Problem {
    let detail = format!("There is no action {verb} here; there are {}.", known.join(", "));
    Problem::new(Code::ActionNotFound, detail).with("action", verb).with("actions", known)
}

/// The daemon is not ready, for these reasons.
pub(crate) fn not_ready(reasons: &[Reason]) -> Problem {
    let reasons = serde_json::to_value(reasons).expect("reasons are strings");
    Problem::new(Code::NotReady, "The daemon is not ready.").with("reasons", reasons)
}

/// Something of the host's own failed: the caller learns that it did, the log learns why.
pub(crate) fn internal(error: &(dyn Error + 'static)) -> Problem {
    Problem::new(Code::Internal, "The daemon failed to answer.").because(error)
}

impl From<Unauthenticated> for Problem {
    fn from(unauthenticated: Unauthenticated) -> Self {
        match unauthenticated {
            Unauthenticated::Absent => {
                Self::new(Code::Unauthenticated, "The request carries no credentials.")
            }
            Unauthenticated::Invalid => {
                Self::new(Code::Unauthenticated, "The credentials are not valid.")
            }
            Unauthenticated::LoginThrottled { wait } => {
                let seconds = whole_seconds(wait);
                let detail = format!("The next login is looked at in {seconds} s.");
                Self::new(Code::LoginThrottled, detail).retry_after(seconds)
            }
            Unauthenticated::Throttled(Empty { rate, wait }) => {
                let seconds = whole_seconds(wait);
                let detail = format!("There are more than {} requests a second.", rate.per_s);
                Self::new(Code::RateLimited, detail)
                    .retry_after(seconds)
                    .rate_limit(RateLimit { requests_max: rate.burst, reset_s: seconds })
                    .with("requests_per_s", rate.per_s)
            }
        }
    }
}

impl From<Forbidden> for Problem {
    fn from(forbidden: Forbidden) -> Self {
        let Forbidden { permission, place, role } = forbidden;
        let (organization, project) = match &place {
            Place::Platform => (None, None),
            Place::Organization(name) => (Some(name.clone()), None),
            Place::Project(name) => (None, Some(name.clone())),
        };
        let place = match place {
            Place::Platform => "on the platform".to_owned(),
            Place::Organization(name) => format!("in organization {name}"),
            Place::Project(name) => format!("in project {name}"),
        };
        let detail = format!("Permission {permission} is missing {place}.");
        let hint = format!("Role {role} {place} grants it: ask whoever may bind roles there.");
        Self::new(Code::Forbidden, detail)
            .hint(hint)
            .with("permission", permission)
            .with("project", project)
            .with("organization", organization)
            .with("role", role)
    }
}

impl From<ProjectError> for Problem {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::NotFound(project) => {
                let detail = format!("There is no project {project}.");
                Self::new(Code::ProjectNotFound, detail).with("project", project)
            }
            ProjectError::Ambiguous(projects) => {
                let detail = format!(
                    "It must be said which of the projects {} is meant.",
                    projects.join(", ")
                );
                Self::new(Code::ProjectRequired, detail).with("projects", projects)
            }
            ProjectError::None => {
                let detail = "The caller has no role in any project.";
                Self::new(Code::Forbidden, detail)
                    .hint("Ask the owner of a project for a role in it.")
            }
        }
    }
}

// === plugins ===

/// Nobody serves this type.
pub(crate) fn no_type(slug: &str) -> Problem {
    Problem::new(Code::TypeNotFound, format!("No element serves type {slug}.")).with("type", slug)
}

/// Nobody answers for this type now.
pub(crate) fn absent(model: &TypeModel) -> Problem {
    let TypeModel { slug, element, .. } = model;
    let detail = format!("Nobody answers for type {slug} now; its resources can be read.");
    Problem::new(Code::PluginUnavailable, detail)
        .hint(format!("GET /v1/elements/{element} says why."))
        .with("type", slug.as_str())
        .with("element", element.as_str())
}

/// The plugin has no such path.
pub(crate) fn no_plugin_route(path: &str, plugin: &Identity) -> Problem {
    let Identity { element, version, .. } = plugin;
    let detail = format!("Element {element} {version} has no route at {path}.");
    Problem::new(Code::RouteNotFound, detail)
        .hint(format!("GET /v1/elements/{element}/routes lists its routes."))
        .with("path", path)
        .with("element", element.as_str())
        .with("version", version.to_string())
}

/// The plugin answered what is no answer.
pub(crate) fn nonsense(what: &str) -> Problem {
    let detail = format!("The plugin's answer breaks the contract: {what}.");
    Problem::new(Code::PluginProtocol, detail)
}

/// A request that could not begin.
pub(crate) fn refused(metrics: &HttpMetrics, refused: &plugin::Refused) -> Problem {
    match refused {
        plugin::Refused::Busy { n_max } => {
            metrics.refused(metrics::Refused::PluginBusy);
            let detail = format!("The plugin works on {n_max} requests, as many as it may.");
            Problem::new(Code::PluginBusy, detail).with("requests_max", *n_max)
        }
        plugin::Refused::Gone => {
            Problem::new(Code::PluginUnavailable, "The plugin has ended and is being replaced.")
        }
    }
}

/// A request that got no answer.
pub(crate) fn fault(metrics: &HttpMetrics, fault: &Fault) -> Problem {
    match fault {
        Fault::Panicked { message } => {
            let detail = "The plugin panicked while it worked on this request.";
            Problem::new(Code::PluginPanic, detail).because(&PanicSaid(message.clone()))
        }
        Fault::Deadline => {
            metrics.refused(metrics::Refused::Deadline);
            let detail = "The plugin did not answer within the deadline of this route.";
            Problem::new(Code::DeadlineExceeded, detail)
        }
        Fault::Draining => {
            metrics.refused(metrics::Refused::PluginDraining);
            let detail = "The plugin is being replaced and did not finish this request in time.";
            Problem::new(Code::PluginDraining, detail)
        }
        Fault::Crashed { how } => {
            let detail = "The plugin ended while it worked on this request.";
            Problem::new(Code::PluginCrashed, detail).because(&PanicSaid(how.clone()))
        }
        Fault::Protocol { what } => nonsense(what),
    }
}

/// What a plugin said of its own end, as a cause for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct PanicSaid(String);

/// A request whose body cannot be taken.
pub(crate) fn body(metrics: &HttpMetrics, error: &BodyError) -> Problem {
    match error {
        BodyError::TooLarge { bytes_max } => {
            metrics.refused(metrics::Refused::BodyTooLarge);
            let detail = format!("The body is longer than the {bytes_max} bytes of this route.");
            Problem::new(Code::BodyTooLarge, detail).with("bytes_max", *bytes_max)
        }
        BodyError::Late { limit } => {
            let detail = format!("The body did not arrive within {} ms.", limit.as_millis());
            Problem::new(Code::BodyLate, detail)
        }
        BodyError::Broken(_cause) => {
            Problem::new(Code::BadRequest, "The body broke off before its end.")
        }
    }
}

/// A document that cannot be read.
pub(crate) fn bad_json(error: &serde_json::Error) -> Problem {
    Problem::new(Code::InvalidJson, format!("The document cannot be read: {error}."))
}

// === lists ===

/// A list that cannot be asked for this way.
pub(crate) fn query(error: &QueryError) -> Problem {
    let detail = format!("{}.", capitalized(error));
    match error {
        QueryError::Syntax { parameter, column, wanted } => {
            Problem::new(code_of(parameter), detail)
                .with("parameter", *parameter)
                .with("column", *column)
                .with("expected", wanted.as_str())
        }
        QueryError::UnknownField { parameter, column, field, nearest, known } => {
            let hint = match nearest {
                Some(near) => format!("Did you mean {near}?"),
                None => format!("There are {}.", known.join(", ")),
            };
            Problem::new(code_of(parameter), detail)
                .hint(hint)
                .with("parameter", *parameter)
                .with("column", *column)
                .with("field", field.as_str())
                .with("known", known.as_slice())
        }
        QueryError::Value { parameter, value, wanted: _ } => Problem::new(Code::BadRequest, detail)
            .with("parameter", *parameter)
            .with("value", value.as_str()),
    }
}

/// A filter has a code of its own.
fn code_of(parameter: &str) -> Code {
    match parameter {
        query::FILTER | query::LABEL_SELECTOR => Code::FilterInvalid,
        _ => Code::BadRequest,
    }
}

// === elements ===

/// A change of an element that was not accepted.
pub(crate) fn change(error: &rollout::Error) -> Problem {
    match error {
        rollout::Error::Refused(refusal) => refusal_of(refusal),
        rollout::Error::NoWayBack { element, version, way_back } => {
            Problem::new(Code::RollbackUnavailable, format!("{}.", capitalized(error)))
                .with("element", element.as_str())
                .with("version", version.to_string())
                .with("reason", way_back.reason())
        }
        rollout::Error::InstancesExist { element, n_instances } => {
            Problem::new(Code::InstancesExist, format!("{}.", capitalized(error)))
                .with("element", element.as_str())
                .with("instances", *n_instances)
        }
        rollout::Error::Bundle { element, version, reason: _ } => {
            Problem::new(Code::RolloutFailed, format!("{}.", capitalized(error)))
                .with("element", element.as_str())
                .with("version", version.to_string())
        }
        rollout::Error::Migration(error) if !error.is_of_the_store() => {
            Problem::new(Code::MigrationFailed, format!("{}.", capitalized(&log::chain(error))))
        }
        rollout::Error::Wanted(_) | rollout::Error::Operation(_) | rollout::Error::Migration(_) => {
            internal(error)
        }
    }
}

fn refusal_of(refusal: &Refusal) -> Problem {
    let problem = |code, element: &ElementName| {
        Problem::new(code, format!("{}.", capitalized(refusal))).with("element", element.as_str())
    };
    match refusal {
        Refusal::NotFound(element) => problem(Code::ElementNotFound, element),
        Refusal::VersionMissing(element) => problem(Code::VersionRequired, element),
        Refusal::VersionNotFound { element, version, known } => {
            let known: Vec<_> = known.iter().map(ToString::to_string).collect();
            let hint = if known.is_empty() {
                "There is none of any version: put one into the bundles directory.".to_owned()
            } else {
                format!("There are {}.", known.join(", "))
            };
            problem(Code::VersionNotFound, element)
                .hint(hint)
                .with("version", version.to_string())
                .with("known", known)
        }
        Refusal::NoBundle(element) => problem(Code::VersionNotFound, element),
        Refusal::Managed { element, file } => {
            problem(Code::ManagedByFile, element).with("file", file.as_str())
        }
        Refusal::Leaving(element) => problem(Code::ElementBusy, element),
        Refusal::NoPrevious(element) => {
            problem(Code::RollbackUnavailable, element).with("reason", WayBack::NoPrevious.reason())
        }
    }
}

// === identity ===

/// A change of who may do what that was not made.
pub(crate) fn identity_change(error: &ChangeError) -> Problem {
    let refusal = match error {
        ChangeError::Refused(refusal) => refusal,
        ChangeError::Store(_) | ChangeError::Load(_) | ChangeError::Secret(_) => {
            return internal(error);
        }
    };
    let problem = |code| Problem::new(code, format!("{}.", capitalized(refusal)));
    match refusal {
        IdentityRefusal::NotFound { kind, named } => {
            problem(Code::NotFound).with("kind", kind.word()).with("name", named.as_str())
        }
        IdentityRefusal::Taken { kind, name } => {
            problem(Code::NameTaken).with("kind", kind.word()).with("name", name.as_str())
        }
        IdentityRefusal::InUse { kind, name, n, by } => problem(Code::NotEmpty)
            .with("kind", kind.word())
            .with("name", name.as_str())
            .with("count", *n)
            .with("of", *by),
        IdentityRefusal::BuiltIn { kind, name } => {
            problem(Code::BuiltIn).with("kind", kind.word()).with("name", name.as_str())
        }
        IdentityRefusal::Misplaced { role, .. } => {
            problem(Code::BadRequest).with("role", role.as_str())
        }
        IdentityRefusal::Over { key_id } => {
            problem(Code::ApiKeyOver).with("key_id", key_id.as_str())
        }
    }
}

/// So many seconds, and never too few.
fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

/// A fragment as the beginning of a sentence.
fn capitalized(fragment: &dyn std::fmt::Display) -> String {
    let fragment = fragment.to_string();
    let mut chars = fragment.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

//! What all writes have in common: what is asked beside the document, and how what came of it is answered.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use ::http::{HeaderName, Response, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Asked, not_found};
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;
use crate::http::{Body, access, idempotent, operations, respond, trace, wait};
use crate::idempotency::Answer;
use crate::operation::{Operation, Operations, Requester, State as Standing};
use crate::resource::rows::Key;
use crate::resource::write::input::{self, Unreadable};
use crate::resource::write::precondition::{IfMatch, NoEtags, Precondition};
use crate::resource::write::{Ask, Effect, Kept, Mode, Refused, Written};

/// The largest document of a resource that is taken.
pub(super) const BYTES_MAX: u64 = 1024 * 1024;

/// What stands for an id that is not known yet.
pub(super) const ID: &str = "{id}";

const VALIDATE_ONLY: &str = "validate_only";
const OPERATION_LOCATION: &str = "operation-location";

/// What is asked beside the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    wait: Option<Duration>,
    mode: Mode,
}

/// How what came of a write is answered.
pub(super) type Render = Arc<dyn Fn(&Written) -> Answer + Send + Sync>;

impl Asked<'_> {
    /// What is asked in the query, where `own` may be asked too.
    pub(super) fn manner(&self, query: &Query, own: &[&'static str]) -> Result<Manner, Problem> {
        let known = [wait::PARAMETER, VALIDATE_ONLY, access::PROJECT_PARAMETER];
        query.only(&[&known[..], own].concat())?;
        let wait = wait::asked_by(&self.head.uri, &self.head.headers)?;
        let mode = if query.flag(VALIDATE_ONLY)? { Mode::Rehearse } else { Mode::Do };
        Ok(Manner { wait, mode })
    }

    /// Which state the request is for; `member` is the etag in its document.
    pub(super) fn precondition(&self, member: Option<&Value>) -> Result<Precondition, Problem> {
        let refused = |header: &str, error: NoEtags| {
            Problem::new(Code::BadRequest, format!("{header} cannot be read: {error}."))
        };
        let mut matches = Vec::new();
        for value in self.head.headers.get_all(IF_MATCH) {
            let text = value.to_str().unwrap_or_default();
            let named: Result<IfMatch, _> = text.parse();
            matches.push(named.map_err(|error| refused("If-Match", error))?);
        }
        match member {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                let named = IfMatch::of_member(text);
                matches.push(named.map_err(|error| refused("The member etag", error))?);
            }
            Some(_) => return Err(refused("The member etag", NoEtags)),
        }
        let is_absent = match self.head.headers.get(IF_NONE_MATCH) {
            None => false,
            Some(value) if value == "*" => true,
            Some(_) => {
                let detail = "If-None-Match is * where something is written.";
                return Err(Problem::new(Code::BadRequest, detail));
            }
        };
        Ok(Precondition { matches, is_absent })
    }

    /// Does `write` once, and answers as `render` says.
    pub(super) async fn perform<F>(
        &self,
        manner: Manner,
        body: &[u8],
        render: Render,
        parent: Option<Uuid>,
        write: impl FnOnce(Ask) -> F,
    ) -> Result<Response<Body>, Problem>
    where
        F: Future<Output = Result<Written, Problem>>,
    {
        let Manner { wait, mode } = manner;
        let first = match mode {
            Mode::Rehearse => idempotent::Attempted::Unnamed,
            Mode::Do => idempotent::begin(self.state, self.caller, self.head, body).await?,
        };
        let kept = match first {
            idempotent::Attempted::Again(response) => return Ok(*response),
            idempotent::Attempted::Unnamed => None,
            idempotent::Attempted::First(first) => {
                let (id, secrets) = (first.id(), self.state.writes.secrets().clone());
                let render = Arc::clone(&render);
                let answer = Box::new(move |written: &Written| {
                    let sealed = idempotent::seal(&secrets, &id, &written.once);
                    Answer { sealed, ..render(written) }
                });
                Some(Kept { first, answer })
            }
        };
        let collection = self.place.collection.clone();
        let written = write(Ask { collection, requester: self.requester(), mode, kept }).await?;
        if mode == Mode::Rehearse {
            return Ok(rehearsed(&written));
        }
        if let (Some(wait), Some(operation)) = (wait, &written.operation)
            && let Some(answer) = self.waited(wait, operation, &written, &render, parent).await?
        {
            return Ok(answer);
        }
        Ok(idempotent::response(render(&written), &written.once))
    }

    /// The media type of the body, which is one of these; the first if none is said.
    pub(super) fn check_media_type<'t>(&self, known: &[&'t str]) -> Result<&'t str, Problem> {
        let Some(said) = self.head.headers.get(CONTENT_TYPE) else { return Ok(known[0]) };
        let said = said.to_str().unwrap_or_default();
        let said = said.split(';').next().unwrap_or_default().trim();
        let found = known.iter().find(|known| said.eq_ignore_ascii_case(known));
        found.copied().ok_or_else(|| {
            let detail = format!("What is sent here is {}.", known.join(" or "));
            Problem::new(Code::UnsupportedMediaType, detail)
                .hint(format!("Send {}.", known[0]))
                .with("media_types", known)
        })
    }

    /// Why it was not written.
    pub(super) fn refused(&self, refused: &Refused, key: Option<&str>) -> Problem {
        let collection = &self.place.collection;
        let missing = || match (key, self.place.above.last()) {
            (Some(key), _) => not_found(&collection.model, key),
            (None, Some((model, key))) => not_found(model, key),
            (None, None) => respond::no_type(&collection.model.slug),
        };
        respond::resource::refused(self.state, collection, refused, missing)
    }

    fn requester(&self) -> Requester {
        Requester {
            principal: self.caller.name().to_owned(),
            request_id: Some(self.request_id.as_str().to_owned()),
            traceparent: trace::parent(&self.head.headers).map(ToOwned::to_owned),
        }
    }

    /// The answer when the operation has ended; nothing if it has not by then.
    async fn waited(
        &self,
        wait: Duration,
        operation: &Operation,
        written: &Written,
        render: &Render,
        parent: Option<Uuid>,
    ) -> Result<Option<Response<Body>>, Problem> {
        let Some(ended) = operations::ended(self.state, operation.id, wait).await? else {
            return Ok(None);
        };
        match ended.state {
            Standing::Failed | Standing::Canceled => return Err(operations::failed(&ended)),
            Standing::Pending | Standing::Running => return Ok(None),
            Standing::Succeeded | Standing::Superseded => {}
        }
        if written.effect == Effect::Acted {
            return Ok(Some(operations::answer_of(self.state, &ended)));
        }
        let (model, seen) = (&self.place.collection.model, self.place.collection.seen());
        let now = self.state.reads.one(model, parent, Key::Id(written.shown.id), &seen).await;
        let Some(now) = now.map_err(|error| respond::internal(&error))? else {
            return Ok(Some(gone()));
        };
        let status = match written.effect {
            Effect::Created => StatusCode::CREATED,
            Effect::Deleting => return Ok(None),
            Effect::Changed | Effect::Unchanged | Effect::Gone | Effect::Acted => StatusCode::OK,
        };
        let mut answer = render(&Written {
            shown: now,
            effect: written.effect,
            operation: Some(ended),
            once: written.once.clone(),
            plan: Vec::new(),
        });
        answer.status = status.as_u16();
        Ok(Some(idempotent::response(answer, &written.once)))
    }
}

/// How a write is answered: with the resource, or with what is on its way to it. `location` is where a new one is,
/// with [`ID`] in the place of its id.
pub(super) fn renders(operations: &Operations, location: Option<String>) -> Render {
    let operations = operations.clone();
    Arc::new(move |written: &Written| {
        let Written { shown, effect, operation, once, plan: _ } = written;
        let resource = || {
            let text = std::str::from_utf8(&shown.text).expect("JSON is UTF-8");
            // A retry that comes too late for them finds nothing in their place.
            let nulls: Map<_, _> = once.keys().map(|name| (name.clone(), Value::Null)).collect();
            if nulls.is_empty() { text.to_owned() } else { idempotent::with_members(text, &nulls) }
        };
        let on_its_way = || match operation {
            Some(operation) => operations::text(&operations, operation),
            None => resource(),
        };
        let (status, body) = match effect {
            Effect::Created => (StatusCode::CREATED, resource()),
            Effect::Changed if operation.is_some() => (StatusCode::ACCEPTED, resource()),
            Effect::Changed | Effect::Unchanged => (StatusCode::OK, resource()),
            Effect::Deleting | Effect::Acted => (StatusCode::ACCEPTED, on_its_way()),
            Effect::Gone => (StatusCode::NO_CONTENT, String::new()),
        };
        let mut headers = Vec::new();
        let mut header = |name: HeaderName, value: &str| {
            headers.push((name.as_str().to_owned(), value.to_owned()));
        };
        if !body.is_empty() {
            header(CONTENT_TYPE, "application/json");
        }
        if matches!(effect, Effect::Created | Effect::Changed | Effect::Unchanged) {
            header(ETAG, &shown.etag);
        }
        if let (Effect::Created, Some(location)) = (effect, &location) {
            let location = location.replace(ID, &shown.id.to_string());
            header(LOCATION, &location);
        }
        if let Some(operation) = operation {
            let path = format!("/v1/operations/{}", operation.id);
            header(HeaderName::from_static(OPERATION_LOCATION), &path);
        }
        Answer { status: status.as_u16(), headers, body, sealed: None }
    })
}

/// The members that were sent; nothing is none.
pub(super) fn read(whole: &[u8]) -> Result<Map<String, Value>, Problem> {
    if whole.is_empty() {
        return Ok(Map::new());
    }
    input::read_object(whole).map_err(|error: Unreadable| respond::resource::unreadable(&error))
}

/// What would be, and what the plugin would do.
fn rehearsed(written: &Written) -> Response<Body> {
    let text = std::str::from_utf8(&written.shown.text).expect("JSON is UTF-8");
    let plan = json!({"plan": written.plan}).as_object().cloned().unwrap_or_default();
    let text = idempotent::with_members(text, &plan);
    respond::with_type(super::JSON, text)
}

/// There is nothing any more.
pub(super) fn gone() -> Response<Body> {
    let mut gone = Response::new(Body::default());
    *gone.status_mut() = StatusCode::NO_CONTENT;
    gone
}

//! `/v1/events`: what happened, in order, as CloudEvents 1.0.
//!
//! A caller sees the events of what it may read. `?type=s3.instance.*`, `?subject=` (an id), `?project=`, `?since=`
//! (a moment); pages go on behind their last event. With `Accept: text/event-stream` or `?watch=true` what happens
//! is told as it does, each event as `ADDED`, from now on or from `?since=`, a moment or the id of the last.

use std::net::IpAddr;
use std::sync::Arc;

use ::http::{Method, Request, Response};
use hyper::body::Incoming;

use super::paging::{self, Paging};
use super::problem::Problem;
use super::query::Query;
use super::watch::{self, Asked, Shown, Teller};
use super::{Body, State, respond, visible};
use crate::event::{Change, Event, Events, From, Kind, Order, Slice, Sought};
use crate::identity::{Caller, ProjectId};
use crate::timestamp::Timestamp;

mod document;

/// Where they are.
pub(crate) const PATH: &str = "/v1/events";

/// What it takes to see those of the platform.
const LIST: &str = "core.event.list";

const TYPE: &str = "type";
const SUBJECT: &str = "subject";
const PROJECT: &str = "project";
const SINCE: &str = "since";
const ORDER: &str = "order_by";

/// So many parts are looked through for one that is full.
const LOOKS_MAX: usize = 20;

/// Answers a request for what happened.
///
/// # Errors
/// Whatever keeps it from being told.
pub(crate) async fn answer(
    state: &State,
    request: &Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Body>, Problem> {
    let caller = state.identity.authenticate(request.headers(), peer)?;
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    let within = visible::projects(&caller, LIST);
    if within.as_ref().is_some_and(std::collections::BTreeSet::is_empty) {
        caller.demand_on_platform(LIST)?;
    }
    let query = Query::of(request.uri());
    let own = [TYPE, SUBJECT, PROJECT, ORDER];
    query.only(&[&own[..], &watch::PARAMETERS, &paging::PARAMETERS].concat())?;
    let sought = Sought { within, ..sought(&query)? };
    match watch::asked(&query, request.headers())? {
        Some(asked) => follow(state, request, caller, asked, sought).await,
        None => list(state, request, &caller, &query, sought).await,
    }
}

fn sought(query: &Query) -> Result<Sought, Problem> {
    let id = query.get(SUBJECT).map(|subject| subject.rsplit('/').next().unwrap_or(subject));
    let project = query.get(PROJECT).map(|text| {
        let project = text.parse::<ProjectId>();
        project.map_err(|_no_id| Query::refused(PROJECT, text, "the id of a project"))
    });
    Ok(Sought {
        since: None,
        kind: query.get(TYPE).map(Kind::parse),
        id: id.map(ToOwned::to_owned),
        project: project.transpose()?,
        within: None,
    })
}

fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(text.to_owned()).ok()
}

async fn list(
    state: &State,
    request: &Request<Incoming>,
    caller: &Caller,
    query: &Query,
    sought: Sought,
) -> Result<Response<Body>, Problem> {
    let since = query.get(SINCE).map(|text| {
        moment(text).ok_or_else(|| Query::refused(SINCE, text, "a moment, as 2026-01-31T12:00:00Z"))
    });
    let sought = Sought { since: since.transpose()?, ..sought };
    let order = match query.get(ORDER) {
        None | Some("time" | "time asc") => Order::OldestFirst,
        Some("time desc") => Order::NewestFirst,
        Some(other) => return Err(Query::refused(ORDER, other, "time or time desc")),
    };
    let paging = Paging::of(request.uri(), query, &state.page_key)?;
    let slice = Slice { after: paging.after()?, n_max: paging.size() };
    let (events, more_after) =
        page(state.operations.events(), caller, &sought, order, slice).await?;
    let items: Vec<_> = events.iter().map(|event| document::of(event)).collect();
    Ok(paging.answer(&items, more_after.map(|number| number.to_string()).as_deref()))
}

/// A part of the list, with the number of its last if there may be more.
async fn page(
    events: &Events,
    caller: &Caller,
    sought: &Sought,
    order: Order,
    slice: Slice,
) -> Result<(Vec<Arc<Event>>, Option<i64>), Problem> {
    let Slice { mut after, n_max } = slice;
    let size = usize::try_from(n_max).unwrap_or(usize::MAX);
    let mut seen = Vec::new();
    for _look in 0..LOOKS_MAX {
        let part = events.list(sought, order, Slice { after, n_max: n_max + 1 }).await;
        let part = part.map_err(|error| respond::internal(&error))?;
        let is_last = part.len() <= size;
        after = part.last().map(|last| last.number);
        seen.extend(part.into_iter().filter(|event| visible::sees_event(caller, event)));
        if seen.len() > size {
            seen.truncate(size);
            after = seen.last().map(|last: &Arc<Event>| last.number);
            return Ok((seen, after));
        }
        if is_last {
            return Ok((seen, None));
        }
    }
    Ok((seen, after))
}

async fn follow(
    state: &State,
    request: &Request<Incoming>,
    caller: Caller,
    asked: Asked,
    sought: Sought,
) -> Result<Response<Body>, Problem> {
    let since = asked.since.as_deref().and_then(moment);
    let (asked, first) = match since {
        None => (asked, From::Now),
        Some(since) => {
            let behind = Sought { since: Some(since), ..Sought::default() };
            let slice = Slice { after: None, n_max: 1 };
            let first = state.operations.events().list(&behind, Order::OldestFirst, slice).await;
            let first = first.map_err(|error| respond::internal(&error))?;
            let first = first.first().map_or(From::Now, |first| From::Behind(first.number - 1));
            (Asked { since: None }, first)
        }
    };
    watch::tell(state, request.uri(), caller, asked, first, Happening { sought }).await
}

/// What happens, for whoever watches it.
struct Happening {
    sought: Sought,
}

impl Teller for Happening {
    async fn snapshot(&mut self, _caller: &Caller) -> Result<Option<Vec<Shown>>, Problem> {
        Ok(None)
    }

    fn joined(&mut self, _horizon: i64) {}

    async fn tell(&mut self, event: &Event, caller: &Caller) -> Result<Option<Shown>, Problem> {
        let is_told = self.sought.includes(event) && visible::sees_event(caller, event);
        let object = || document::of(event).to_string();
        Ok(is_told.then(|| Shown { change: Change::Added, object: object() }))
    }

    fn rights(&self, caller: &Caller) -> String {
        format!("{:?}", visible::projects(caller, LIST))
    }
}

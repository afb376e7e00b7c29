//! Watching: `?watch=true` or `Accept: text/event-stream` on a list or on one of it.
//!
//! First what there is, as `ADDED`, then `BOOKMARK` (`snapshot_complete`), then what happens: `ADDED`, `MODIFIED` and
//! `DELETED`, each with a token as its `id`, by which a client goes on (`Last-Event-ID`, `?since=`). `ERROR` holds a
//! problem and ends the stream. What the snapshot holds has no token: who leaves in the middle of it begins anew.
//!
//! Guarantees: list and stream join without a gap and without repetition ([`join`]); a token is of one list, seen with
//! the same rights; rights are looked at for every object, and again when they change; a watcher costs what it is
//! being sent and no more, so that one which does not read costs nothing; a daemon that ends lets watchers go at once.
//! Never compressed. Not here: what a list holds ([`Source`]).

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Response, Uri};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::body::{Cut, Told};
use super::problem::{Code, Problem};
use super::query::Query;
use super::{Body, State, respond};
use crate::event::{Change, Event, From, Lost, Subscription};
use crate::identity::{Caller, Identity};

mod frame;
mod join;
mod objects;

use frame::Seal;
pub(crate) use join::Filters;
use objects::Objects;
pub(crate) use objects::{Item, Page, Source};

/// What a watch may be asked beside what the list may be.
pub(crate) const PARAMETERS: [&str; 2] = [WATCH, SINCE];

const WATCH: &str = "watch";
const SINCE: &str = "since";
const LAST_EVENT_ID: &str = "last-event-id";

/// How long a watch may be silent.
const SILENCE: Duration = Duration::from_secs(15);

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// A watch that is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Where the client was.
    pub(crate) since: Option<String>,
}

/// Whoever knows what to tell a watcher.
pub(crate) trait Teller: Send + 'static {
    /// The next part of what there is at the beginning; nothing: that was all.
    fn snapshot(
        &mut self,
        caller: &Caller,
    ) -> impl Future<Output = Result<Option<Vec<Shown>>, Problem>> + Send;

    /// All there was is told; events up to `horizon` may tell of it once more.
    fn joined(&mut self, horizon: i64);

    /// What an event is for the watcher, if it is anything.
    fn tell(
        &mut self,
        event: &Event,
        caller: &Caller,
    ) -> impl Future<Output = Result<Option<Shown>, Problem>> + Send;

    /// The rights that decide what is told. Who watches with others begins anew.
    fn rights(&self, caller: &Caller) -> String;
}

/// Something that a watcher is told.
#[derive(Debug)]
pub(crate) struct Shown {
    /// What happened to it.
    pub(crate) change: Change,
    /// It, as JSON.
    pub(crate) object: String,
}

/// The watch that a request asks for, if it does.
///
/// # Errors
/// The parameter is neither true nor false.
pub(crate) fn asked(query: &Query, headers: &HeaderMap) -> Result<Option<Asked>, Problem> {
    let watches = match query.get(WATCH) {
        Some("true" | "") => true,
        Some("false") => false,
        Some(other) => return Err(Query::refused(WATCH, other, "true or false")),
        None => accepts_events(headers),
    };
    let seen = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let since = query.get(SINCE).or(seen).filter(|since| !since.is_empty());
    Ok(watches.then(|| Asked { since: since.map(ToOwned::to_owned) }))
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/event-stream"))
}

/// Answers with the objects of a list and what becomes of them.
pub(crate) async fn objects<S: Source>(
    state: &State,
    uri: &Uri,
    caller: Caller,
    asked: Asked,
    source: S,
) -> Result<Response<Body>, Problem> {
    let events = state.operations.events().clone();
    let teller = match asked.since {
        None => Objects::listed(source, events),
        Some(_) => Objects::resumed(source, events),
    };
    tell(state, uri, caller, asked, From::Now, teller).await
}

/// Answers with what `teller` knows, from where the client was, or from `first`.
pub(crate) async fn tell<T: Teller>(
    state: &State,
    uri: &Uri,
    caller: Caller,
    asked: Asked,
    first: From,
    teller: T,
) -> Result<Response<Body>, Problem> {
    let rights = teller.rights(&caller);
    let query = Query::of(uri);
    let seal = Seal::of(
        super::route::without_slash(uri.path()),
        &query.sorted_without(&PARAMETERS),
        &rights,
    );
    let from = match asked.since.as_deref() {
        None => first,
        Some(token) => match seal.number(token) {
            Some(number) => From::Behind(number),
            None => return Ok(ended(&expired(), uri.path())),
        },
    };
    let subscription = match state.operations.events().subscribe(from).await {
        Ok(subscription) => subscription,
        Err(Lost::Journal(error)) => return Err(respond::internal(&error)),
        Err(lost) => return Ok(ended(&problem_of(&lost), uri.path())),
    };
    let watching = Watching {
        teller,
        caller,
        rights,
        changes: state.identity.generation(),
        identity: Arc::clone(&state.identity),
        seal,
        path: uri.path().to_owned(),
        subscription,
        phase: Phase::Snapshot,
        said_at: Instant::now(),
        stop: state.tasks.child(),
    };
    Ok(response(Told::new(stream::unfold(watching, Watching::next))))
}

/// A stream that ends at once.
fn ended(problem: &Problem, path: &str) -> Response<Body> {
    let text = Bytes::from(frame::error(problem, path));
    response(Told::new(stream::iter([Ok(text)])))
}

fn response(told: Told) -> Response<Body> {
    let mut response = Response::new(Body::Told(told));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn expired() -> Problem {
    let detail =
        "What happened since then is not known any more, or the list or the rights are others.";
    Problem::new(Code::ResumeExpired, detail)
}

fn problem_of(lost: &Lost) -> Problem {
    match lost {
        Lost::Expired(_) => expired(),
        Lost::TooSlow(_) => {
            let detail = "Events came faster than they were read.";
            Problem::new(Code::SlowConsumer, detail)
        }
        Lost::Journal(error) => respond::internal(error),
    }
}

/// Somebody who watches.
struct Watching<T> {
    teller: T,
    caller: Caller,
    rights: String,
    changes: watch::Receiver<u64>,
    identity: Arc<Identity>,
    seal: Seal,
    path: String,
    subscription: Subscription,
    phase: Phase,
    said_at: Instant,
    /// Cancelled when the daemon drains.
    stop: CancellationToken,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Snapshot,
    Following,
    Over,
}

impl<T: Teller> Watching<T> {
    async fn next(mut self) -> Option<(Result<Bytes, Cut>, Self)> {
        let said = match self.phase {
            Phase::Over => return None,
            Phase::Snapshot => self.list().await,
            Phase::Following => self.follow().await,
        };
        let said = said.unwrap_or_else(|problem| {
            self.phase = Phase::Over;
            frame::error(&problem, &self.path).into()
        });
        self.said_at = Instant::now();
        Some((Ok(said), self))
    }

    /// The next of what there was, or that this was all.
    async fn list(&mut self) -> Result<Bytes, Problem> {
        let number = self.subscription.position();
        loop {
            let Some(items) = self.teller.snapshot(&self.caller).await? else { break };
            let mut out = String::new();
            for Shown { change, object } in items {
                frame::change(&mut out, change, &object, number, None);
            }
            if !out.is_empty() {
                return Ok(out.into());
            }
        }
        let horizon = self.subscription.horizon().await;
        self.teller.joined(horizon.map_err(|error| respond::internal(&error))?);
        self.phase = Phase::Following;
        Ok(frame::bookmark(number, &self.seal.token(number)).into())
    }

    /// The next of what happens.
    async fn follow(&mut self) -> Result<Bytes, Problem> {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    return Err(Problem::new(Code::ShuttingDown, "The daemon is ending."));
                }
                Ok(()) = self.changes.changed() => self.look_at_rights()?,
                events = self.subscription.next() => {
                    let events = events.map_err(|lost| problem_of(&lost))?;
                    let out = self.write(&events).await?;
                    if !out.is_empty() {
                        return Ok(out.into());
                    }
                }
                () = sleep_until(self.said_at + SILENCE) => return Ok(frame::HEARTBEAT),
            }
        }
    }

    async fn write(&mut self, events: &[Arc<Event>]) -> Result<String, Problem> {
        let mut out = String::new();
        for event in events {
            if let Some(Shown { change, object }) = self.teller.tell(event, &self.caller).await? {
                let token = self.seal.token(event.number);
                frame::change(&mut out, change, &object, event.number, Some(&token));
            }
        }
        Ok(out)
    }

    /// The caller as it may now. Whoever sees more or less than before begins anew.
    fn look_at_rights(&mut self) -> Result<(), Problem> {
        let Some(caller) = self.identity.renew(&self.caller) else {
            return Err(Problem::new(
                Code::Unauthenticated,
                "The credentials are not valid any more.",
            ));
        };
        if self.teller.rights(&caller) != self.rights {
            return Err(expired());
        }
        self.caller = caller;
        Ok(())
    }
}

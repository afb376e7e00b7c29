//! `/v1/operations/{id}/logs`: what an operation said, as a list or while it says it.
//!
//! `?follow=true` sends each line when it is written, until the operation ends: one JSON document a line
//! (`application/x-ndjson`), or with `Accept: text/event-stream` events `log` with the number of the line as their
//! id, an event `end` with the operation's state, and a comment every 15 s of silence. `?since=7` or
//! `Last-Event-ID: 7` goes on behind line 7. A body that breaks off before its end says so by the chunk that is
//! missing: the daemon is ending, or its store does not answer.

use std::time::Duration;

use ::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Request, Response};
use bytes::Bytes;
use futures_util::stream;
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::document;
use crate::http::body::{Cut, Told};
use crate::http::paging::{self, Paging};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{Body, State, respond};
use crate::log;
use crate::operation::{Error, Line, Operation, OperationId, Operations, Watching};

const FOLLOW: &str = "follow";
const SINCE: &str = "since";
const LAST_EVENT_ID: &str = "last-event-id";

/// The most lines that are read at a time.
const LINES_AT_A_TIME: u64 = 200;

/// How long events may be silent.
const SILENCE: Duration = Duration::from_secs(15);

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// How lines are sent while they are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Events,
}

/// Answers a request for what `operation` said.
pub(super) async fn answer(
    state: &State,
    operation: Operation,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Problem> {
    let query = Query::of(request.uri());
    query.only(&[&[FOLLOW, SINCE], paging::PARAMETERS.as_slice()].concat())?;
    let since = since(&query, request.headers())?;
    let format = format(request.headers());
    if follows(&query)? || format == Format::Events {
        return Ok(follow(state, operation.id, since.unwrap_or_default(), format));
    }
    let paging = Paging::of(request.uri(), &query, &state.page_key)?;
    let after = paging.after()?.or(since).unwrap_or_default();
    // One more than asked for tells whether there are more.
    let lines = state.operations.logs(operation.id, after, paging.size() + 1);
    let mut lines = lines.await.map_err(|error| respond::internal(&error))?;
    let size = usize::try_from(paging.size()).unwrap_or(usize::MAX);
    let there_are_more = lines.len() > size;
    lines.truncate(size);
    let more_after = lines.last().filter(|_| there_are_more).map(|line| line.seq.to_string());
    let items: Vec<_> = lines.iter().map(document::of_line).collect();
    Ok(paging.answer(&items, more_after.as_deref()))
}

fn follows(query: &Query) -> Result<bool, Problem> {
    match query.get(FOLLOW) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Query::refused(FOLLOW, other, "true or false")),
    }
}

fn since(query: &Query, headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let seen = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let (name, text) = match (query.get(SINCE), seen) {
        (Some(since), _) => (SINCE, since),
        (None, Some(seen)) => (LAST_EVENT_ID, seen),
        (None, None) => return Ok(None),
    };
    let refused = |_no_number| Query::refused(name, text, "the number of a line");
    text.parse().map(Some).map_err(refused)
}

fn format(headers: &HeaderMap) -> Format {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.any(|value| value.contains("text/event-stream")) {
        Format::Events
    } else {
        Format::Ndjson
    }
}

fn follow(state: &State, id: OperationId, since: i64, format: Format) -> Response<Body> {
    let following = Following {
        id,
        seen: since,
        format,
        watched: state.operations.watch(id),
        operations: state.operations.clone(),
        stop: state.tasks.child(),
        said: Said::More,
    };
    let told = Told::new(stream::unfold(following, Following::next));
    let mut response = Response::new(Body::Told(told));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, format.media_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A client that follows an operation.
struct Following {
    id: OperationId,
    /// The last line that the client has.
    seen: i64,
    format: Format,
    watched: Watching,
    operations: Operations,
    /// Cancelled when the daemon drains.
    stop: CancellationToken,
    said: Said,
}

/// Whether there is more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    More,
    All,
}

/// What there is to say next.
enum Next {
    Lines(Vec<Line>),
    /// The operation is over, as this.
    End(&'static str),
    Nothing,
}

impl Following {
    async fn next(mut self) -> Option<(Result<Bytes, Cut>, Self)> {
        if self.said == Said::All {
            return None;
        }
        let said = self.say_next().await;
        if said.as_ref().is_none_or(Result::is_err) {
            self.said = Said::All;
        }
        Some((said?, self))
    }

    /// The next bytes; nothing at the end.
    async fn say_next(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            match self.look().await {
                Ok(Next::Lines(lines)) => return Some(Ok(self.write(&lines))),
                Ok(Next::End(state)) => {
                    self.said = Said::All;
                    return self.format.end(state).map(Ok);
                }
                Ok(Next::Nothing) => {}
                Err(error) => {
                    let cause = log::chain(&error).to_string();
                    tracing::warn!(operation = %self.id, "whoever follows it is cut off: {cause}");
                    return Some(Err(Cut::ByHost));
                }
            }
            tokio::select! {
                changed = timeout(SILENCE, self.watched.changed()) => {
                    if let (Err(_silence), Format::Events) = (changed, self.format) {
                        return Some(Ok(Bytes::from_static(b": still there\n\n")));
                    }
                }
                () = self.stop.cancelled() => return Some(Err(Cut::ByHost)),
            }
        }
    }

    /// First the state and then the lines: those of an operation that has ended are all there.
    async fn look(&self) -> Result<Next, Error> {
        let operation = self.operations.get(self.id).await?;
        let lines = self.operations.logs(self.id, self.seen, LINES_AT_A_TIME).await?;
        Ok(match operation {
            _ if !lines.is_empty() => Next::Lines(lines),
            Some(operation) if operation.state.is_done() => Next::End(operation.state.word()),
            Some(_goes_on) => Next::Nothing,
            None => Next::End("FORGOTTEN"),
        })
    }

    fn write(&mut self, lines: &[Line]) -> Bytes {
        self.seen = lines.last().map_or(self.seen, |line| line.seq);
        lines.iter().map(|line| self.format.line(line)).collect::<String>().into()
    }
}

impl Format {
    fn media_type(self) -> HeaderValue {
        match self {
            Self::Ndjson => NDJSON,
            Self::Events => EVENTS,
        }
    }

    fn line(self, line: &Line) -> String {
        let document = serde_json::to_string(&document::of_line(line));
        let document = document.expect("a line is strings and numbers");
        match self {
            Self::Ndjson => format!("{document}\n"),
            Self::Events => format!("id: {}\nevent: log\ndata: {document}\n\n", line.seq),
        }
    }

    fn end(self, state: &str) -> Option<Bytes> {
        match self {
            Self::Ndjson => None,
            Self::Events => {
                Some(format!("event: end\ndata: {}\n\n", json!({"state": state})).into())
            }
        }
    }
}

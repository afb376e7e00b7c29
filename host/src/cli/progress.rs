//! Waiting for an operation, and showing how far it is.
//!
//! On a terminal the steps are drawn in place, with the time that they take; elsewhere each step is a line when
//! it ends; with `-o json` and `-o yaml` nothing is shown. All of it goes to standard error. A daemon that is
//! away for a moment is waited for, because operations outlive it. Ctrl-C ends the wait, never the operation.

use std::pin::pin;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::signal::ctrl_c;
use tokio::time::{Instant, interval, sleep};

use super::client::{Answer, Client, Error, Problem};
use super::session::Session;
use crate::timestamp::Timestamp;

mod show;

use show::Show;

/// How long a daemon may be away while its operation is waited for.
pub(crate) const ABSENCE_MAX: Duration = Duration::from_secs(30);
/// How long to wait before asking again for what may just have changed.
pub(crate) const PAUSE: Duration = Duration::from_millis(150);
/// How often what takes time is drawn.
const TICK: Duration = Duration::from_millis(100);

/// What of an operation the client decides by.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Operation {
    id: String,
    kind: String,
    target: Target,
    state: String,
    done: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    #[serde(default)]
    name: Option<String>,
}

/// A step of an operation.
#[derive(Debug, Clone, Deserialize)]
struct Step {
    name: String,
    state: String,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

/// Waits until the operation `id` is over: its document, if it succeeded.
///
/// # Errors
/// What its problem says, if it did not; that it goes on, if that takes longer than `limit` or the user leaves.
pub(crate) async fn wait(session: &Session, id: &str, limit: Duration) -> Result<Answer, Error> {
    let (mut show, client) = (Show::fit(session.output.format), &session.client);
    let mut asking = pin!(ask(client, id, Duration::ZERO));
    let mut leave = pin!(ctrl_c());
    let mut give_up = pin!(sleep(limit));
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            asked = &mut asking => {
                let (operation, answer) = asked?;
                show.update(&operation);
                if operation.done {
                    show.end();
                    return judge(&operation, answer);
                }
                asking.set(ask(client, id, show.patience()));
            }
            _now = ticks.tick() => show.tick(),
            _signal = &mut leave => {
                show.end();
                return Err(Error::Left { id: id.to_owned() });
            }
            () = &mut give_up => {
                show.end();
                return Err(Error::Unfinished { id: id.to_owned(), limit });
            }
        }
    }
}

/// Asks how the operation stands: after a pause, or when it is over, at the latest after `patience`.
async fn ask(client: &Client, id: &str, patience: Duration) -> Result<(Operation, Answer), Error> {
    let mut absent_since = None;
    loop {
        let call = client.get(["v1", "operations", id]);
        // The daemon counts in seconds.
        let call = if patience.as_secs() == 0 { call } else { call.waiting(patience) };
        sleep(Duration::from_millis(u64::from(patience.subsec_millis()))).await;
        match call.send().await {
            Ok(answer) => return Ok((answer.document()?, answer)),
            Err(error) if error.is_passing() => {
                let since = *absent_since.get_or_insert_with(Instant::now);
                if since.elapsed() > ABSENCE_MAX {
                    return Err(error);
                }
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What came of an operation that is over.
fn judge(operation: &Operation, answer: Answer) -> Result<Answer, Error> {
    if operation.state == "SUCCEEDED" {
        return Ok(answer);
    }
    let document: Value = answer.document()?;
    match Problem::read(document["error"].to_string().as_bytes()) {
        Some(problem) => Err(Error::Operation { problem: Box::new(problem) }),
        None => Err(Error::Ended { id: operation.id.clone(), state: operation.state.clone() }),
    }
}

#[cfg(test)]
mod tests;

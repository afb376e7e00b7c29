//! The table of requests in flight.
//!
//! A place is taken when a request begins and given back when the *plugin* is done with it, also when
//! nobody waits any more: so a plugin that ignores cancellation uses up its own places and nothing else.
//! A full table is told at once ([`Refused::Busy`]); nothing queues.
//!
//! A request's number is its place and the count of requests before it, so a number that was used before
//! never finds the request that has its place now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use plugin_abi::message::{CallId, CancelReason, EndOutcome, RequestId};
use plugin_abi::{AbiError, ErrorCode};
use slab::Slab;
use tokio::sync::{mpsc, oneshot};

use super::Conversation;
use super::answer::{Answer, BrokenOff, Chunk, Fault};
use super::number::{number, place_of};
use crate::metrics::generations::Load;

/// How many chunks may wait between plugin and client. The contract allows one at a time; its end and a
/// little slack make this.
const CHUNKS_WAITING_MAX: usize = 4;

/// Why a request cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The table is full.
    #[error("the plugin works on {n_max} requests, as many as it may")]
    Busy {
        /// The limit.
        n_max: usize,
    },
    /// The other side has ended.
    #[error("the plugin has ended")]
    Gone,
}

/// What a plugin said makes no sense for the request it named.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misplaced {
    #[error("said `{what}` for request {request}, which is over or never was")]
    Unknown { what: &'static str, request: RequestId },
    #[error("said `{what}` for request {request} after its head was sent")]
    HeadSent { what: &'static str, request: RequestId },
}

/// The plugin asks for the next part of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyRead {
    /// Completed with the bytes.
    pub(crate) call: CallId,
    /// The most that are wanted.
    pub(crate) bytes_max: u64,
}

/// Where the reads of a request's body go.
pub(crate) type BodyReads = mpsc::Sender<BodyRead>;

type Chunks = mpsc::Sender<Result<Chunk, BrokenOff>>;

#[derive(Debug)]
pub(super) struct Requests {
    table: Mutex<Table>,
    n_max: usize,
}

#[derive(Debug, Default)]
struct Table {
    places: Slab<InFlight>,
    /// How many requests there have been.
    n_begun: u32,
    /// Nothing begins any more: the other side has ended.
    is_gone: bool,
}

#[derive(Debug)]
struct InFlight {
    request: RequestId,
    deadline: Instant,
    stage: Stage,
    body: Option<BodyReads>,
}

/// How far a request has come.
#[derive(Debug)]
enum Stage {
    /// The host waits for the head of the answer.
    Waiting(oneshot::Sender<Answer>),
    /// The head is sent, the body is on its way.
    Streaming(Chunks),
    /// Nobody waits; the plugin was told and has not said that it is done.
    Abandoned,
}

impl Requests {
    pub(super) fn new(n_max: usize) -> Self {
        Self { table: Mutex::default(), n_max }
    }

    pub(super) fn insert(
        &self,
        deadline: Instant,
        body: Option<BodyReads>,
    ) -> Result<(RequestId, oneshot::Receiver<Answer>), Refused> {
        let (sender, answer) = oneshot::channel();
        let mut table = self.lock();
        if table.is_gone {
            return Err(Refused::Gone);
        }
        if table.places.len() >= self.n_max {
            return Err(Refused::Busy { n_max: self.n_max });
        }
        table.n_begun = table.n_begun.wrapping_add(1);
        let n_begun = table.n_begun;
        let place = table.places.vacant_entry();
        let request = number(n_begun, place.key());
        place.insert(InFlight { request, deadline, stage: Stage::Waiting(sender), body });
        Ok((request, answer))
    }

    pub(super) fn load(&self) -> Load {
        let table = self.lock();
        Load {
            requests_total: u64::from(table.n_begun),
            requests_in_flight: table.places.len() as u64,
            ..Load::default()
        }
    }

    /// Gives the final answer and the place back.
    pub(super) fn respond(&self, request: RequestId, answer: Answer) -> Result<(), Misplaced> {
        let what = "answer";
        let in_flight = self.remove(request, what)?;
        match in_flight.stage {
            Stage::Waiting(waiting) => {
                // The client may have left a moment ago: then the answer has nowhere to go.
                let _delivered = waiting.send(answer);
                Ok(())
            }
            Stage::Streaming(chunks) => {
                let _delivered = chunks.try_send(Err(BrokenOff));
                match answer {
                    Answer::Failed(_fault) => Ok(()),
                    Answer::Whole(_) | Answer::Chunked { .. } | Answer::Upgrade { .. } => {
                        Err(Misplaced::HeadSent { what, request })
                    }
                }
            }
            Stage::Abandoned => Ok(()),
        }
    }

    pub(super) fn head(&self, request: RequestId, head: &[u8]) -> Result<(), Misplaced> {
        let what = "head";
        let mut table = self.lock();
        let in_flight = table.find(request).ok_or(Misplaced::Unknown { what, request })?;
        let (sender, chunks) = mpsc::channel(CHUNKS_WAITING_MAX);
        match std::mem::replace(&mut in_flight.stage, Stage::Streaming(sender)) {
            Stage::Waiting(waiting) => {
                let head = Bytes::copy_from_slice(head);
                let _delivered = waiting.send(Answer::Chunked { head, chunks });
                Ok(())
            }
            Stage::Abandoned => {
                in_flight.stage = Stage::Abandoned;
                Ok(())
            }
            Stage::Streaming(first) => {
                in_flight.stage = Stage::Streaming(first);
                Err(Misplaced::HeadSent { what, request })
            }
        }
    }

    pub(super) fn chunk(&self, request: RequestId, chunk: Chunk) -> Result<(), AbiError> {
        let closed = || AbiError::new(ErrorCode::Closed, "nobody waits for this body any more");
        let mut table = self.lock();
        match table.find(request).map(|in_flight| &in_flight.stage) {
            // The last place is kept for the end, which must not be lost.
            Some(Stage::Streaming(chunks)) if chunks.capacity() < 2 => Err(AbiError::new(
                ErrorCode::Invalid,
                "chunks were sent before those before them were completed",
            )),
            Some(Stage::Streaming(chunks)) => {
                chunks.try_send(Ok(chunk)).map_err(|_full_or_closed| closed())
            }
            Some(Stage::Waiting(_)) => {
                Err(AbiError::new(ErrorCode::Invalid, "a chunk was sent before the head"))
            }
            Some(Stage::Abandoned) | None => Err(closed()),
        }
    }

    pub(super) fn end(&self, request: RequestId, outcome: EndOutcome) -> Result<(), Misplaced> {
        let in_flight = self.remove(request, "end")?;
        match (in_flight.stage, outcome) {
            (Stage::Waiting(waiting), _any) => {
                let what = "it ended a request without an answer".to_owned();
                let _delivered = waiting.send(Answer::Failed(Fault::Protocol { what }));
            }
            (Stage::Streaming(chunks), EndOutcome::Broken | EndOutcome::Cancelled) => {
                let _delivered = chunks.try_send(Err(BrokenOff));
            }
            // Dropping the sender is the end of a whole body.
            (Stage::Streaming(_), EndOutcome::Complete) | (Stage::Abandoned, _) => {}
        }
        Ok(())
    }

    pub(super) fn read_body(&self, request: RequestId, read: BodyRead) -> Result<(), AbiError> {
        let closed = || AbiError::new(ErrorCode::Closed, "the body of this request is gone");
        let mut table = self.lock();
        let body = table.find(request).and_then(|in_flight| in_flight.body.as_ref());
        body.ok_or_else(closed)?.try_send(read).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                AbiError::new(ErrorCode::Invalid, "a body was read twice at once")
            }
            mpsc::error::TrySendError::Closed(_) => closed(),
        })
    }

    /// Notes that nobody waits for `request`; `true` when the plugin still works on it and must be told.
    pub(super) fn abandon(&self, request: RequestId) -> bool {
        let mut table = self.lock();
        let Some(in_flight) = table.find(request) else { return false };
        in_flight.body = None;
        let before = std::mem::replace(&mut in_flight.stage, Stage::Abandoned);
        !matches!(before, Stage::Abandoned)
    }

    /// Fails what has waited for its head beyond `now`, and says which the plugin must be told about.
    pub(super) fn expire(&self, now: Instant) -> Vec<RequestId> {
        self.fail_where(
            |in_flight| in_flight.deadline <= now && in_flight.is_waiting(),
            || Fault::Deadline,
        )
    }

    /// Fails everything that somebody waits for, and says which the plugin must be told about.
    pub(super) fn fail_waiting(&self, fault: impl Fn() -> Fault) -> Vec<RequestId> {
        self.fail_where(|in_flight| !matches!(in_flight.stage, Stage::Abandoned), fault)
    }

    /// Fails and forgets everything, for ever: there is nobody left to be told.
    pub(super) fn fail_all(&self, fault: &impl Fn() -> Fault) {
        let mut table = self.lock();
        table.is_gone = true;
        let all = std::mem::take(&mut table.places);
        drop(table);
        for (_place, in_flight) in all {
            in_flight.stage.fail(fault);
        }
    }

    fn fail_where(
        &self,
        is_due: impl Fn(&InFlight) -> bool,
        fault: impl Fn() -> Fault,
    ) -> Vec<RequestId> {
        let mut table = self.lock();
        let due = table.places.iter_mut().map(|(_place, in_flight)| in_flight);
        due.filter(|in_flight| is_due(in_flight))
            .map(|in_flight| {
                in_flight.body = None;
                std::mem::replace(&mut in_flight.stage, Stage::Abandoned).fail(&fault);
                in_flight.request
            })
            .collect()
    }

    fn remove(&self, request: RequestId, what: &'static str) -> Result<InFlight, Misplaced> {
        let mut table = self.lock();
        table.find(request).ok_or(Misplaced::Unknown { what, request })?;
        Ok(table.places.remove(place_of(request)))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that runs under the lock can panic half-way through a change of the table.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&mut self, request: RequestId) -> Option<&mut InFlight> {
        let in_flight = self.places.get_mut(place_of(request));
        in_flight.filter(|in_flight| in_flight.request == request)
    }
}

impl InFlight {
    fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }
}

impl Stage {
    fn fail(self, fault: impl Fn() -> Fault) {
        match self {
            Self::Waiting(waiting) => drop(waiting.send(Answer::Failed(fault()))),
            Self::Streaming(chunks) => drop(chunks.try_send(Err(BrokenOff))),
            Self::Abandoned => {}
        }
    }
}

/// A request that the host waits for. Dropping it before it is over tells the plugin that the client left.
#[derive(Debug)]
pub(crate) struct Pending {
    conversation: Arc<Conversation>,
    request: RequestId,
    answer: oneshot::Receiver<Answer>,
    is_over: bool,
}

impl Pending {
    pub(super) fn new(
        conversation: Arc<Conversation>,
        request: RequestId,
        answer: oneshot::Receiver<Answer>,
    ) -> Self {
        Self { conversation, request, answer, is_over: false }
    }

    /// Waits for the head of the answer.
    ///
    /// # Cancellation
    /// Dropping the future leaves the request as it was; dropping the `Pending` cancels it.
    pub(crate) async fn answer(&mut self) -> Answer {
        let answer = (&mut self.answer).await.unwrap_or_else(|_dropped| {
            Answer::Failed(Fault::Protocol { what: "its side of the request vanished".to_owned() })
        });
        self.is_over = !matches!(answer, Answer::Chunked { .. });
        answer
    }

    /// Tells the plugin that the client has taken a chunk and waits for the next.
    pub(crate) fn taken(&self, call: CallId) {
        self.conversation.complete(call, Ok(Vec::new()));
    }

    /// Tells the plugin that nobody will take a chunk.
    pub(crate) fn not_taken(&self, call: CallId) {
        let closed = AbiError::new(ErrorCode::Closed, "nobody waits for this body any more");
        self.conversation.complete(call, Err(closed));
    }

    /// Notes that the body has ended.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }

    /// The conversation that the request is part of.
    pub(crate) fn conversation(&self) -> &Arc<Conversation> {
        &self.conversation
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_over {
            self.conversation.cancel(self.request, CancelReason::ClientGone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Whole;
    use super::*;

    fn far() -> Instant {
        Instant::now() + std::time::Duration::from_secs(60)
    }

    fn answer() -> Answer {
        Answer::Whole(Whole::copied(b"h", b"b", Vec::new()))
    }

    #[test]
    fn a_full_table_refuses_and_a_place_comes_back_with_the_answer() {
        let requests = Requests::new(1);
        let (first, _answer) = requests.insert(far(), None).unwrap();
        let busy = requests.insert(far(), None).unwrap_err();
        assert_eq!(busy.to_string(), "the plugin works on 1 requests, as many as it may");
        requests.respond(first, answer()).unwrap();
        requests.insert(far(), None).unwrap();
    }

    #[test]
    fn a_second_answer_finds_nothing_even_when_the_place_is_taken_again() {
        let requests = Requests::new(1);
        let (first, _answer) = requests.insert(far(), None).unwrap();
        requests.respond(first, answer()).unwrap();
        let (second, mut waits) = requests.insert(far(), None).unwrap();
        assert_ne!(first, second);
        let error = requests.respond(first, answer()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("said `answer` for request {first}, which is over or never was")
        );
        waits.try_recv().unwrap_err();
    }

    #[test]
    fn an_abandoned_request_keeps_its_place_until_the_plugin_is_done() {
        let requests = Requests::new(1);
        let (request, _answer) = requests.insert(far(), None).unwrap();
        assert!(requests.abandon(request));
        assert!(!requests.abandon(request), "the plugin is told once");
        requests.insert(far(), None).unwrap_err();
        requests.end(request, EndOutcome::Cancelled).unwrap();
        assert_eq!(requests.load().requests_in_flight, 0);
    }

    #[test]
    fn only_what_waits_for_its_head_expires() {
        let requests = Requests::new(2);
        let (waiting, mut waits) = requests.insert(far(), None).unwrap();
        let (streaming, _streams) = requests.insert(far(), None).unwrap();
        requests.head(streaming, b"h").unwrap();
        assert!(requests.expire(Instant::now()).is_empty());
        assert_eq!(requests.expire(far()), [waiting]);
        let Ok(Answer::Failed(Fault::Deadline)) = waits.try_recv() else { panic!("not expired") };
    }

    #[test]
    fn nonsense_numbers_are_refused() {
        let requests = Requests::new(1);
        for request in [0, 1, u64::MAX, 1 << 32, (1 << 32) | 7] {
            requests.end(request, EndOutcome::Complete).unwrap_err();
        }
    }
}

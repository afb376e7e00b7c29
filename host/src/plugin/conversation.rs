//! What the host and one generation say to one another, on either lane.
//!
//! The host begins requests and streams; the plugin answers, pulls bodies, pushes chunks and makes calls.
//! A [`Conversation`] holds the host's side of all of it: which requests are in flight, which streams are
//! open, what the generation said about itself. It does not know how messages travel: it posts to a
//! [`Lane`] and is told what the plugin [`Conversation::said`].
//!
//! Guarantees: every request ends, by an answer, a fault or its deadline; the tables are bounded; what a
//! plugin says about something that is over changes nothing and is counted as a breach of the contract.
//! Nothing here blocks: `said` runs on the plugin's thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use plugin_abi::message::{CallId, CancelReason, Inbound, Outbound, RequestId, Unreadable};
use plugin_abi::{AbiError, ErrorCode};
use tokio::sync::{oneshot, watch};

use super::lane::Lane;
use crate::metrics::generations::{Load, Reading};
use crate::services::Services;

mod answer;
mod number;
mod requests;
mod spare;
mod streams;

pub(crate) use answer::{Answer, BrokenOff, Chunk, Fault, Whole};
use requests::Requests;
pub(crate) use requests::{BodyRead, BodyReads, Pending, Refused};
use spare::Spare;
pub(crate) use streams::Streams;

/// What a generation says about its start, once.
pub(crate) type StartOutcome = Result<(), String>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Conversation {
    lane: Lane,
    requests: Requests,
    streams: Streams,
    /// Memory of requests that answers are copied into.
    spare: Spare,
    services: Services,
    /// Taken by the first `Started` or `StartFailed`.
    start: Mutex<Option<oneshot::Sender<StartOutcome>>>,
    /// Why the generation cannot be trusted any more, once there is a reason; watched by whoever replaces it.
    fault: watch::Sender<Option<String>>,
    n_breaches: AtomicU64,
}

impl Conversation {
    /// A conversation over `lane`, and what the generation will say about its start.
    pub(crate) fn new(
        lane: Lane,
        services: Services,
        requests_max: usize,
    ) -> (Arc<Self>, oneshot::Receiver<StartOutcome>) {
        let (start, started) = oneshot::channel();
        let conversation = Self {
            lane,
            requests: Requests::new(requests_max),
            streams: Streams::default(),
            spare: Spare::default(),
            services,
            start: Mutex::new(Some(start)),
            fault: watch::Sender::new(None),
            n_breaches: AtomicU64::new(0),
        };
        (Arc::new(conversation), started)
    }

    /// Begins a request. `encode` writes its parcel once there is a place for it.
    ///
    /// # Errors
    /// The generation works on as many requests as it may, or has ended.
    pub(crate) fn begin(
        self: &Arc<Self>,
        deadline: Duration,
        body: Option<BodyReads>,
        encode: impl FnOnce() -> Vec<u8>,
    ) -> Result<Pending, Refused> {
        let (request, answer) = self.requests.insert(Instant::now() + deadline, body)?;
        self.lane.post(Inbound::Request { request, parcel: encode() });
        Ok(Pending::new(Arc::clone(self), request, answer))
    }

    /// Tells the plugin that a call it made is done.
    pub(crate) fn complete(&self, call: CallId, outcome: Result<Vec<u8>, AbiError>) {
        if call != 0 {
            self.lane.post(Inbound::Completed { call, outcome });
        }
    }

    /// Tells the plugin to stop working on a request that nobody waits for.
    pub(crate) fn cancel(&self, request: RequestId, reason: CancelReason) {
        if self.requests.abandon(request) {
            self.lane.post(Inbound::Cancel { request, reason });
        }
    }

    /// Ends the wait of every request whose deadline has passed.
    pub(crate) fn expire(&self, now: Instant) {
        for request in self.requests.expire(now) {
            self.lane.post(Inbound::Cancel { request, reason: CancelReason::Deadline });
        }
    }

    /// Ends every request and stream that is left, because the time to drain is over.
    pub(crate) fn cut_off(&self) {
        for request in self.requests.fail_waiting(|| Fault::Draining) {
            self.lane.post(Inbound::Cancel { request, reason: CancelReason::Draining });
        }
        self.streams.cut_off();
    }

    /// Ends everything: the other side is gone and will say nothing any more. `how` says why.
    pub(crate) fn lost(&self, how: &str) {
        self.requests.fail_all(&|| Fault::Crashed { how: how.to_owned() });
        self.streams.cut_off();
        self.services.end();
        self.report_start(Err(how.to_owned()));
        self.report_fault(how.to_owned());
    }

    /// Tells the plugin to finish and return.
    pub(crate) fn stop(&self, deadline: Duration) {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.lane.post(Inbound::Stop { deadline_ms });
    }

    /// The streams of this generation.
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Posts a message that needs no bookkeeping.
    pub(crate) fn post(&self, message: Inbound) {
        self.lane.post(message);
    }

    /// What is counted of the plugin, and what it measures itself.
    pub(crate) fn reading(&self) -> Reading {
        let (database_calls_total, database_faults_total) = self.services.database_counted();
        let load = Load {
            database_calls_total,
            database_faults_total,
            breaches_total: self.n_breaches.load(Ordering::Relaxed),
            panics_total: self.services.n_panics(),
            ..self.requests.load()
        };
        Reading { load, series: self.services.measurements().snapshot() }
    }

    /// Becomes the reason why the generation cannot be trusted any more.
    pub(crate) fn fault(&self) -> watch::Receiver<Option<String>> {
        self.fault.subscribe()
    }

    /// Takes back the memory of what was posted.
    pub(crate) fn released(&self, memory: Vec<u8>) {
        self.spare.put(memory);
    }

    /// Takes what the plugin says.
    pub(crate) fn said(self: &Arc<Self>, message: Result<Outbound<'_>, Unreadable>) {
        let message = match message {
            Ok(message) => message,
            Err(Unreadable { call, error }) => {
                let reason = error.to_string();
                self.breach(&reason);
                return self.complete(call, Err(AbiError::new(ErrorCode::Unsupported, reason)));
            }
        };
        match message {
            Outbound::Started => self.report_start(Ok(())),
            Outbound::StartFailed { reason } => self.report_start(Err(reason.to_owned())),
            Outbound::Respond { request, head, body } => {
                let whole = Whole::copied(head, body, self.spare.take());
                self.note(self.requests.respond(request, Answer::Whole(whole)));
            }
            Outbound::Head { request, head } => self.note(self.requests.head(request, head)),
            Outbound::Chunk { request, call, bytes } => {
                let chunk = Chunk { call, bytes: Bytes::copy_from_slice(bytes) };
                if let Err(error) = self.requests.chunk(request, chunk) {
                    self.complete(call, Err(error));
                }
            }
            Outbound::End { request, outcome } => self.note(self.requests.end(request, outcome)),
            Outbound::BodyRead { request, call, bytes_max } => {
                let read = BodyRead { call, bytes_max };
                if let Err(error) = self.requests.read_body(request, read) {
                    self.complete(call, Err(error));
                }
            }
            Outbound::Upgrade { request, call, head } => {
                let answer = Answer::Upgrade { head: Bytes::copy_from_slice(head), call };
                if let Err(error) = self.requests.respond(request, answer) {
                    self.complete(call, Err(AbiError::new(ErrorCode::Closed, error.to_string())));
                }
            }
            Outbound::StreamRead { stream, call, bytes_max } => {
                self.streams.read(self, stream, call, bytes_max);
            }
            Outbound::StreamWrite { stream, call, bytes } => {
                self.streams.write(self, stream, call, bytes);
            }
            Outbound::StreamClose { stream } => self.streams.close(stream),
            Outbound::Log { record } => self.note(self.services.log(record)),
            Outbound::Metric { record } => self.note(self.services.metric(record)),
            Outbound::Panicked { request, message, backtrace } => {
                self.panicked(request, message, backtrace);
            }
            Outbound::Service { call, service, payload } => {
                self.services.ask(self, call, service, payload);
            }
        }
    }

    fn panicked(&self, request: Option<RequestId>, message: &str, backtrace: &str) {
        self.services.panicked(request, message, backtrace);
        match request {
            Some(request) => {
                let fault = Fault::Panicked { message: message.to_owned() };
                // An upgraded request is over when its stream panics: then there is nothing to answer.
                let _answered = self.requests.respond(request, Answer::Failed(fault));
            }
            None => {
                let reason = format!("it panicked outside a request: {message}");
                self.report_start(Err(reason.clone()));
                self.report_fault(reason);
            }
        }
    }

    fn report_start(&self, outcome: StartOutcome) {
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(start) = start {
            // Whoever waited for the start may have given up at its deadline; then it is stopping us.
            let _told = start.send(outcome);
        }
    }

    /// The first reason stands.
    fn report_fault(&self, reason: String) {
        self.fault.send_if_modified(|known| {
            let is_news = known.is_none();
            known.get_or_insert(reason);
            is_news
        });
    }

    fn note<E: std::error::Error>(&self, outcome: Result<(), E>) {
        if let Err(error) = outcome {
            self.breach(&error.to_string());
        }
    }

    fn breach(&self, what: &str) {
        self.n_breaches.fetch_add(1, Ordering::Relaxed);
        self.services.breach(what);
    }
}

//! A request's way back: what is said to the host about it, and that it ends exactly once.
//!
//! Invariants: after a whole answer, the end of a body, an upgrade or a panic nothing more is said about a
//! request. An exchange that is dropped before says `End{Cancelled}`; it is dropped after the handler's
//! future, so the host knows then that the plugin has let go.

use std::future::poll_fn;
use std::sync::Arc;

use http::StatusCode;
use plugin_abi::api::HostApi;
use plugin_abi::guest::Parcel;
use plugin_abi::message::{EndOutcome, Outbound, RequestId};
use plugin_abi::response::encode_head;

use crate::caught::{Caught, PanicReport};
use crate::generation::Generation;
use crate::problem::Problem;
use crate::request::Head;
use crate::response::{Body, IntoResponse, Response};
use crate::stream::UpgradedStream;
use crate::stream_body::{BoxError, ChunkStream};
use crate::tasks::spawn_background;
use crate::upgrade::OnStream;

/// See the module.
pub(super) struct Exchange {
    head: Arc<Head>,
    /// Whether its end has been said.
    is_over: bool,
    /// Whether it is noted among the tasks.
    is_task: bool,
}

/// A handler that waits. The order of the fields is the order of their drops.
struct Work {
    answering: Caught<Response>,
    exchange: Exchange,
}

impl Exchange {
    pub(super) fn new(head: Arc<Head>) -> Self {
        Self { head, is_over: false, is_task: false }
    }

    /// Answers a request that cannot be read.
    pub(super) fn refuse(host: &HostApi, request: RequestId, reason: &str) {
        tracing::error!("request {request} cannot be answered: {reason}");
        let detail = "the plugin cannot read this request; its log says more";
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "PLUGIN_MISMATCH", detail);
        let response = problem.into_response();
        let body = response.body.whole().unwrap_or_default();
        host.send(Outbound::Respond { request, head: &encoded_head(&response), body });
    }

    /// Lets the handler go on in a task that a cancellation of the request aborts.
    pub(super) fn spawn_answering(mut self, answering: Caught<Response>) {
        self.is_task = true;
        let head = Arc::clone(&self.head);
        let work = Work { answering, exchange: self };
        spawn(&head, async move {
            let Work { answering, exchange } = work;
            match answering.await {
                Ok(response) => exchange.answer_in_task(response).await,
                Err(report) => exchange.panicked(&report),
            }
        });
    }

    /// Gives the answer; one that takes time goes on in a task.
    pub(super) fn answer(mut self, response: Response) {
        match response.body.whole() {
            Some(body) => self.respond(&response, body),
            None => {
                self.is_task = true;
                let head = Arc::clone(&self.head);
                spawn(&head, self.answer_in_task(response));
            }
        }
    }

    /// Tells that the handler panicked; the host answers.
    pub(super) fn panicked(mut self, report: &PanicReport) {
        self.is_over = true;
        report.send(self.host(), Some(self.head.number));
    }

    async fn answer_in_task(mut self, response: Response) {
        if let Some(body) = response.body.whole() {
            return self.respond(&response, body);
        }
        let head = encoded_head(&response);
        match response.body {
            Body::Stream(chunks) => self.stream(&head, chunks).await,
            Body::Upgrade(on_stream) => self.upgrade(&head, on_stream).await,
            Body::Empty | Body::Owned(_) | Body::Shared(_) => {}
        }
    }

    fn respond(&mut self, response: &Response, body: &[u8]) {
        self.is_over = true;
        let (request, head) = (self.head.number, encoded_head(response));
        self.host().send(Outbound::Respond { request, head: &head, body });
    }

    async fn stream(mut self, head: &[u8], chunks: ChunkStream) {
        let request = self.head.number;
        self.host().send(Outbound::Head { request, head });
        let copy = Box::pin(copy(Arc::clone(&self.head), chunks));
        let outcome = match Caught::in_request(Arc::clone(&self.head), copy).await {
            Ok(Ok(())) => EndOutcome::Complete,
            Ok(Err(error)) => {
                tracing::warn!("the body of request {request} broke off: {error}");
                EndOutcome::Broken
            }
            Err(report) => return self.panicked(&report),
        };
        self.is_over = true;
        self.host().send(Outbound::End { request, outcome });
    }

    async fn upgrade(mut self, head: &[u8], on_stream: OnStream) {
        let (generation, request) = (&self.head.generation, self.head.number);
        let call = generation.call(|call| Outbound::Upgrade { request, call, head });
        self.is_over = true;
        match call.await {
            Ok(number) => speak(&self.head, &number, on_stream),
            Err(error) => tracing::warn!("request {request} was not upgraded: {error}"),
        }
        // The stream is noted among the tasks before the request leaves them.
        drop(self);
    }

    fn host(&self) -> &HostApi {
        &self.head.generation.host
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Generation { host, tasks, .. } = &*self.head.generation;
        let request = self.head.number;
        if !self.is_over {
            host.send(Outbound::End { request, outcome: EndOutcome::Cancelled });
        }
        if self.is_task {
            tasks.remove_request(request);
        }
    }
}

/// Runs `future` as the task of a request.
fn spawn(head: &Head, future: impl Future<Output = ()> + Send + 'static) {
    let task = head.generation.runtime.spawn(future);
    head.generation.tasks.add_request(head.number, task.abort_handle());
}

/// Sends chunks, one at a time.
async fn copy(head: Arc<Head>, mut chunks: ChunkStream) -> Result<(), BoxError> {
    let request = head.number;
    while let Some(chunk) = poll_fn(|cx| chunks.as_mut().poll_next(cx)).await {
        let bytes = chunk?;
        if !bytes.is_empty() {
            let chunk = |call| Outbound::Chunk { request, call, bytes: &bytes };
            head.generation.call(chunk).await?;
        }
    }
    Ok(())
}

/// Begins the conversation on a stream that a request has become.
fn speak(head: &Arc<Head>, number: &Parcel, on_stream: OnStream) {
    let Some(number) = number.first_chunk::<8>() else {
        return tracing::error!(
            "the host gave no number for the stream of request {}",
            head.number
        );
    };
    let generation = &head.generation;
    let stream = UpgradedStream::new(Arc::clone(generation), u64::from_le_bytes(*number));
    let talk = Box::pin(async move { on_stream(stream).await });
    let talk = Caught::in_request(Arc::clone(head), talk);
    let (host, request) = (generation.host, head.number);
    spawn_background(generation, format!("stream of request {request}"), async move {
        if let Err(report) = talk.await {
            report.send(&host, Some(request));
        }
    });
}

fn encoded_head(response: &Response) -> Vec<u8> {
    let headers = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    encode_head(response.status.as_u16(), headers)
}

//! What a plugin answered in a test.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use plugin_abi::message::{CancelReason, EndOutcome, RequestId};
use plugin_abi::root::AbiExit;
use serde::de::DeserializeOwned;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use super::host::{Head, LogLine, PanicNote, Port, Said};

/// An answer: its head, and a body that may still be coming.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Whole(Bytes),
    Coming(Coming),
    Stream(DuplexStream),
}

/// A body that the plugin still sends.
#[derive(Debug)]
struct Coming {
    port: Arc<Port>,
    request: RequestId,
    heard: mpsc::UnboundedReceiver<Said>,
}

impl Drop for Coming {
    /// A client that does not read on has gone.
    fn drop(&mut self) {
        self.port.cancel(self.request, CancelReason::ClientGone);
    }
}

impl Answer {
    /// The first thing that the plugin says about a request; `Err` when it says that it is over.
    async fn hear(pending: Pending) -> Result<Self, Over> {
        let Pending { port, request, mut heard } = pending;
        match heard.recv().await.expect("the port keeps the other end") {
            Said::Whole(head, body) => Ok(Self::of(&head, Body::Whole(body))),
            Said::Head(head) => Ok(Self::of(&head, Body::Coming(Coming { port, request, heard }))),
            Said::Upgraded(head, stream) => Ok(Self::of(&head, Body::Stream(stream))),
            Said::Panicked => Ok(Self::of_panic()),
            Said::End(outcome) => Err(Over(outcome)),
            Said::Chunk(..) => unreachable!("a chunk comes after a head"),
        }
    }

    /// Its status; 500 with the code `PLUGIN_PANIC` when the handler panicked, as from a daemon.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// One header field as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The next chunk of a body that comes in chunks; the plugin may send another one then.
    ///
    /// # Errors
    /// How the body ended, if it did not end well.
    ///
    /// # Panics
    /// When there is no such body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Over> {
        let (port, heard) = match &mut self.body {
            Body::Whole(bytes) if bytes.is_empty() => return Ok(None),
            Body::Whole(bytes) => return Ok(Some(std::mem::take(bytes))),
            Body::Coming(Coming { port, heard, .. }) => (port, heard),
            Body::Stream(_) => panic!("the connection was upgraded; there is no body"),
        };
        match heard.recv().await.expect("the port keeps the other end") {
            Said::Chunk(call, bytes) => {
                port.complete(call, Ok(Vec::new()));
                Ok(Some(bytes))
            }
            Said::End(EndOutcome::Complete) => Ok(None),
            Said::End(outcome) => Err(Over(outcome)),
            Said::Panicked => Err(Over(EndOutcome::Broken)),
            Said::Whole(..) | Said::Head(_) | Said::Upgraded(..) => {
                panic!("the plugin answered twice")
            }
        }
    }

    /// The client goes while the body is coming; then the plugin says how the request ended.
    ///
    /// # Panics
    /// When the body is all there already.
    pub async fn cancel(mut self) -> EndOutcome {
        let Body::Coming(Coming { port, request, .. }) = &self.body else {
            panic!("the request is over; there is nothing to cancel");
        };
        port.cancel(*request, CancelReason::ClientGone);
        loop {
            match self.chunk().await {
                Ok(Some(_chunk)) => {}
                Ok(None) => return EndOutcome::Complete,
                Err(Over(outcome)) => return outcome,
            }
        }
    }

    /// The whole body.
    ///
    /// # Panics
    /// When it breaks off.
    pub async fn bytes(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await.expect("the body is complete") {
            body.extend_from_slice(&chunk);
        }
        body
    }

    /// The whole body as text.
    ///
    /// # Panics
    /// When it breaks off or is not UTF-8.
    pub async fn text(self) -> String {
        String::from_utf8(self.bytes().await).expect("the body is text")
    }

    /// The whole body as JSON.
    ///
    /// # Panics
    /// When it breaks off or does not fit `T`.
    pub async fn json<T: DeserializeOwned>(self) -> T {
        let body = self.bytes().await;
        serde_json::from_slice(&body)
            .unwrap_or_else(|error| panic!("{error} in `{}`", String::from_utf8_lossy(&body)))
    }

    pub(super) fn into_stream(self) -> Result<DuplexStream, Self> {
        match self.body {
            Body::Stream(stream) => Ok(stream),
            Body::Whole(_) | Body::Coming(_) => Err(self),
        }
    }

    fn of(head: &Head, body: Body) -> Self {
        let headers = head.headers.iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name is a token");
            (name, HeaderValue::from_bytes(value).expect("a header value has no line breaks"))
        });
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value)| {
            map.append(name, value);
        });
        let status = StatusCode::from_u16(head.status).expect("a status has three digits");
        Self { status, headers: map, body }
    }

    fn of_panic() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            headers: HeaderMap::new(),
            body: Body::Whole(Bytes::from_static(br#"{"code":"PLUGIN_PANIC"}"#)),
        }
    }
}

/// A request ended without a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request ended: {0:?}")]
pub struct Over(pub EndOutcome);

/// A request under way; see [`TestRequest::begin`](super::TestRequest::begin).
#[derive(Debug)]
pub struct Pending {
    pub(super) port: Arc<Port>,
    pub(super) request: RequestId,
    pub(super) heard: mpsc::UnboundedReceiver<Said>,
}

impl Pending {
    /// Its number, as in [`PanicNote::request`].
    #[must_use]
    pub fn number(&self) -> RequestId {
        self.request
    }

    /// The client goes; then the plugin says how the request ended.
    ///
    /// # Errors
    /// The answer, when it was faster.
    pub async fn cancel(self) -> Result<EndOutcome, Answer> {
        self.port.cancel(self.request, CancelReason::ClientGone);
        self.outcome().await
    }

    /// Waits for the end of a request that is not answered.
    ///
    /// # Errors
    /// The answer, when there is one.
    pub async fn outcome(self) -> Result<EndOutcome, Answer> {
        match Answer::hear(self).await {
            Ok(answer) => Err(answer),
            Err(Over(outcome)) => Ok(outcome),
        }
    }

    /// Waits for the head of the answer.
    ///
    /// # Panics
    /// When the request ends without one.
    pub async fn answer(self) -> Answer {
        Answer::hear(self).await.expect("the plugin answers")
    }
}

/// How a plugin ended.
#[derive(Debug)]
pub struct Ended {
    /// What `run` returned.
    pub exit: AbiExit,
    /// All it wrote into the log.
    pub logs: Vec<LogLine>,
    /// All its panics.
    pub panics: Vec<PanicNote>,
}

impl Ended {
    /// Whether it stopped as told and never panicked.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.exit == AbiExit::Stopped && self.panics.is_empty()
    }
}

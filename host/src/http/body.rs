//! Bodies on their way between clients and plugins.
//!
//! A small body of known length is collected before the plugin hears of the request, so a slow client
//! never holds a place in a plugin. Any other is pulled by the plugin, piece by piece ([`Pump`]). What goes
//! back is a [`Body`]: whole, or in chunks of which the next is asked for when the client took the last. What
//! the host itself tells bit by bit is pulled by the client's connection in the same way ([`Told`]).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use plugin_abi::message::CallId;
use plugin_abi::request::{BodyKind, WHOLE_BODY_BYTES_MAX};
use plugin_abi::{AbiError, ErrorCode};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::plugin::conversation::{BodyRead, BodyReads, BrokenOff, Chunk, Conversation, Pending};
use crate::plugin::lease::Lease;
use crate::shutdown::Tasks;

/// How much of a refused body is taken before its connection is closed, and for how long.
const DISCARD_BYTES_MAX: u64 = 16 * 1024 * 1024;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);

/// The most bytes that one read of a body brings.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it, until it is sent.
    Whole(Option<Bytes>),
    /// As the plugin sends it.
    Chunked(Box<Chunked>),
    /// As the host has something to tell.
    Told(Told),
}

/// A body that the host makes while it is sent. It is asked for more when the client took what there was, and
/// dropped when the client leaves.
pub(crate) struct Told(Pin<Box<dyn Stream<Item = Result<Bytes, Cut>> + Send>>);

/// Why an answer's body ends before it is whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    /// The plugin ended it.
    #[error(transparent)]
    ByPlugin(#[from] BrokenOff),
    /// The host could not go on, or is ending.
    #[error("the daemon broke the body off")]
    ByHost,
}

/// A body that a plugin sends in chunks.
#[derive(Debug)]
pub(crate) struct Chunked {
    chunks: mpsc::Receiver<Result<Chunk, BrokenOff>>,
    /// The chunk that the connection has and has not asked beyond.
    sending: Option<CallId>,
    pending: Pending,
    /// Keeps the generation until the last chunk.
    _lease: Lease,
}

impl Chunked {
    /// The body of the request that `pending` waits for.
    pub(crate) fn new(
        chunks: mpsc::Receiver<Result<Chunk, BrokenOff>>,
        pending: Pending,
        lease: Lease,
    ) -> Self {
        Self { chunks, sending: None, pending, _lease: lease }
    }
}

impl Told {
    /// What `stream` yields.
    pub(crate) fn new(stream: impl Stream<Item = Result<Bytes, Cut>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Whole(None)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Chunked(chunked) => chunked.poll_chunk(context),
            Self::Told(Told(stream)) => stream.as_mut().poll_next(context).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Chunked(_) | Self::Told(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Chunked(_) | Self::Told(_) => SizeHint::default(),
        }
    }
}

impl Chunked {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(call) = self.sending.take() {
            self.pending.taken(call);
        }
        let chunk = std::task::ready!(self.chunks.poll_recv(context));
        Poll::Ready(match chunk {
            Some(Ok(Chunk { call, bytes })) => {
                self.sending = Some(call);
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(broken)) => {
                self.pending.end();
                Some(Err(broken.into()))
            }
            None => {
                self.pending.end();
                None
            }
        })
    }
}

impl Drop for Chunked {
    fn drop(&mut self) {
        // Each chunk is a call of the plugin's, and each call is completed once.
        self.chunks.close();
        let waiting = std::iter::from_fn(|| self.chunks.try_recv().ok()).flatten();
        let waiting = waiting.map(|chunk| chunk.call);
        for call in self.sending.take().into_iter().chain(waiting) {
            self.pending.not_taken(call);
        }
    }
}

/// A request's body before the plugin hears of it.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// All of it.
    Whole(Bytes),
    /// The plugin will pull it.
    Pulled(Pump),
}

/// Why a request's body cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is longer than its route allows.
    #[error("the body is longer than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// It did not come in time.
    #[error("the body did not arrive within {} ms", limit.as_millis())]
    Late {
        /// The limit.
        limit: Duration,
    },
    /// The connection broke.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
}

impl RequestBody {
    /// Takes a body: collects it when it is small and its length is known.
    ///
    /// # Errors
    /// When it is too large, or did not come.
    pub(crate) async fn take(
        body: Incoming,
        bytes_max: u64,
        limit: Duration,
        tasks: &Tasks,
    ) -> Result<Self, BodyError> {
        if body.is_end_stream() {
            return Ok(Self::Whole(Bytes::new()));
        }
        match body.size_hint().exact() {
            Some(n_bytes) if n_bytes > bytes_max => {
                tasks.spawn("refused body", discard(body));
                Err(BodyError::TooLarge { bytes_max })
            }
            Some(n_bytes) if n_bytes <= WHOLE_BODY_BYTES_MAX => {
                let collected = timeout(limit, body.collect()).await;
                let collected = collected.map_err(|_elapsed| BodyError::Late { limit })?;
                Ok(Self::Whole(collected.map_err(BodyError::Broken)?.to_bytes()))
            }
            length => Ok(Self::Pulled(Pump { body, length, bytes_left: bytes_max, bytes_max })),
        }
    }

    /// How the plugin will find it.
    pub(crate) fn kind(&self) -> BodyKind {
        match self {
            Self::Whole(_) => BodyKind::Whole,
            Self::Pulled(pump) => BodyKind::Pulled(pump.length),
        }
    }
}

/// A request's body that is read when the plugin asks for it.
#[derive(Debug)]
pub(crate) struct Pump {
    body: Incoming,
    length: Option<u64>,
    bytes_left: u64,
    bytes_max: u64,
}

impl Pump {
    /// Where the plugin's reads go, and where [`Pump::run`] finds them.
    pub(crate) fn reads() -> (BodyReads, mpsc::Receiver<BodyRead>) {
        mpsc::channel(1)
    }

    /// Answers the plugin's reads until it asks no more.
    ///
    /// # Cancellation
    /// Dropping the future leaves a read unanswered: do it only when the conversation is over.
    pub(crate) async fn run(
        mut self,
        conversation: Arc<Conversation>,
        mut reads: mpsc::Receiver<BodyRead>,
    ) {
        let mut waiting = Bytes::new();
        while let Some(BodyRead { call, bytes_max }) = reads.recv().await {
            if waiting.is_empty() {
                let next = tokio::select! {
                    next = self.next() => next,
                    _second_read_or_over = reads.recv() => return conversation.complete(call, Err(over())),
                };
                match next {
                    Ok(bytes) => waiting = bytes,
                    Err(error) => {
                        conversation.complete(call, Err(error));
                        continue;
                    }
                }
            }
            let n_wanted = usize::try_from(bytes_max.clamp(1, READ_BYTES_MAX)).unwrap_or(1);
            let part = waiting.split_to(n_wanted.min(waiting.len()));
            conversation.complete(call, Ok(part.to_vec()));
        }
        discard(self.body).await;
    }

    /// All of it, for a document of the host's own API.
    pub(crate) async fn collect(mut self) -> Result<Bytes, AbiError> {
        let mut whole = Vec::new();
        loop {
            let data = self.next().await?;
            if data.is_empty() {
                return Ok(Bytes::from(whole));
            }
            whole.extend_from_slice(&data);
        }
    }

    /// The next data, empty at the end.
    async fn next(&mut self) -> Result<Bytes, AbiError> {
        loop {
            let Some(frame) = self.body.frame().await else { return Ok(Bytes::new()) };
            let frame = frame.map_err(|error| {
                AbiError::new(ErrorCode::Io, format!("the request body broke off: {error}"))
            })?;
            // Trailers are no part of the body; what is neither does not exist in HTTP/1.
            let Ok(data) = frame.into_data() else { continue };
            let Some(bytes_left) = self.bytes_left.checked_sub(data.len() as u64) else {
                let message = format!("the request body is longer than {} bytes", self.bytes_max);
                return Err(AbiError::new(ErrorCode::TooLarge, message));
            };
            self.bytes_left = bytes_left;
            if !data.is_empty() {
                return Ok(data);
            }
        }
    }
}

/// Takes some of what a client still sends after its answer is decided. A connection that is closed on
/// unread data is reset, and the answer may be lost with it.
async fn discard(mut body: Incoming) {
    let mut bytes_left = DISCARD_BYTES_MAX;
    let taking = async {
        while let Some(Ok(frame)) = body.frame().await {
            let n_bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(left) = bytes_left.checked_sub(n_bytes) else { return };
            bytes_left = left;
        }
    };
    // A client that is slower than that has been patient enough to be reset.
    let _in_time = timeout(DISCARD_WITHIN, taking).await;
}

fn over() -> AbiError {
    AbiError::new(ErrorCode::Closed, "the request is over, or its body was read twice at once")
}

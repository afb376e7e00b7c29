//! Bodies of requests: collected, or read while they come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use plugin_abi::message::Outbound;
use plugin_abi::request::BodyKind;
use plugin_abi::{AbiError, ErrorCode};

use crate::calls::{Call, lent_bytes};
use crate::problem::Problem;
use crate::request::{FromRequest, Head, Request};

/// The most bytes that one read brings.
const READ_BYTES_MAX: u64 = 256 * 1024;
/// Up to this size a whole body is copied out of its parcel, which is then free again.
const COPY_BYTES_MAX: usize = 4 * 1024;

/// The body as a stream of chunks, for bodies of any size.
///
/// The next chunk is asked for when this one has been taken, so a slow plugin slows the client down and
/// nothing piles up in between.
#[derive(Debug)]
pub struct BodyStream {
    head: Arc<Head>,
    next: Next,
}

/// A body that ended before it was whole, or was longer than its route allows. As an answer it is the
/// problem `BODY_INCOMPLETE` or `BODY_TOO_LARGE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body broke off: {0}")]
pub struct BodyBroken(AbiError);

#[derive(Debug)]
enum Next {
    /// All of the body is in the parcel and has not been taken.
    Whole,
    /// More may be asked for.
    Ask,
    /// It has been asked for.
    Asked(Call),
    /// Nothing more comes.
    Nothing,
}

impl BodyStream {
    pub(crate) fn of_head(head: Arc<Head>) -> Self {
        let next = match head.layout.body_kind {
            BodyKind::Whole => Next::Whole,
            BodyKind::Pulled(_n_bytes) => Next::Ask,
        };
        Self { head, next }
    }

    /// The length of the body, when it is known beforehand.
    #[must_use]
    pub fn len_hint(&self) -> Option<u64> {
        match self.head.layout.body_kind {
            BodyKind::Whole => Some(self.head.layout.whole_body(&self.head.parcel).len() as u64),
            BodyKind::Pulled(n_bytes) => n_bytes,
        }
    }

    /// The next chunk, or `None` at the end.
    ///
    /// # Errors
    /// When the client broke the body off.
    ///
    /// # Cancellation
    /// No chunk is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyBroken>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn take_whole(&self) -> Option<Bytes> {
        let bytes = self.head.layout.whole_body(&self.head.parcel);
        (!bytes.is_empty()).then(|| whole_body(&self.head))
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, BodyBroken>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut self.next {
                Next::Nothing => return Poll::Ready(None),
                Next::Whole => {
                    self.next = Next::Nothing;
                    return Poll::Ready(self.take_whole().map(Ok));
                }
                Next::Ask => {
                    let (request, bytes_max) = (self.head.number, READ_BYTES_MAX);
                    let read = |call| Outbound::BodyRead { request, call, bytes_max };
                    self.next = Next::Asked(self.head.generation.call(read));
                }
                Next::Asked(call) => {
                    let outcome = ready!(Pin::new(call).poll(cx));
                    let is_last = outcome.as_ref().map_or(true, |chunk| chunk.is_empty());
                    self.next = if is_last { Next::Nothing } else { Next::Ask };
                    let chunk = outcome.map(|chunk| (!chunk.is_empty()).then_some(chunk));
                    let chunk = chunk.map(|it| it.map(lent_bytes)).map_err(BodyBroken);
                    return Poll::Ready(chunk.transpose());
                }
            }
        }
    }
}

impl<P: Send + Sync> FromRequest<P> for BodyStream {
    async fn from_request(request: Request<P>) -> Result<Self, Problem> {
        Ok(Self::of_head(request.head))
    }
}

impl<P: Send + Sync> FromRequest<P> for Bytes {
    async fn from_request(request: Request<P>) -> Result<Self, Problem> {
        match request.head.layout.body_kind {
            BodyKind::Whole => Ok(whole_body(&request.head)),
            BodyKind::Pulled(_n_bytes) => collect(request.head).await,
        }
    }
}

impl<P: Send + Sync> FromRequest<P> for Vec<u8> {
    async fn from_request(request: Request<P>) -> Result<Self, Problem> {
        Bytes::from_request(request).await.map(Self::from)
    }
}

impl<P: Send + Sync> FromRequest<P> for String {
    async fn from_request(request: Request<P>) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request).await?;
        Self::from_utf8(bytes.into()).map_err(|error| {
            let place = error.utf8_error().valid_up_to();
            let detail = format!("the body is not UTF-8 text: byte {place} cannot stand there");
            Problem::new(StatusCode::BAD_REQUEST, "INVALID_TEXT", detail)
        })
    }
}

impl<P: Send + Sync> FromRequest<P> for Request<P> {
    async fn from_request(request: Self) -> Result<Self, Problem> {
        Ok(request)
    }
}

fn whole_body(head: &Arc<Head>) -> Bytes {
    let bytes = head.layout.whole_body(&head.parcel);
    if bytes.len() <= COPY_BYTES_MAX {
        return Bytes::copy_from_slice(bytes);
    }
    Bytes::from_owner(WholeBody(Arc::clone(head)))
}

/// A body that is read in place.
struct WholeBody(Arc<Head>);

impl AsRef<[u8]> for WholeBody {
    fn as_ref(&self) -> &[u8] {
        self.0.layout.whole_body(&self.0.parcel)
    }
}

async fn collect(head: Arc<Head>) -> Result<Bytes, Problem> {
    let bytes_max = head.body_bytes_max;
    let mut stream = BodyStream::of_head(head);
    let len_hint = stream.len_hint().unwrap_or(0);
    if len_hint > bytes_max {
        return Err(too_large(bytes_max));
    }
    let mut body = Vec::with_capacity(usize::try_from(len_hint).unwrap_or(0));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if (body.len() + chunk.len()) as u64 > bytes_max {
            return Err(too_large(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn too_large(bytes_max: u64) -> Problem {
    let detail = format!("the body is larger than {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail)
        .hint("send less in one request")
        .with("body_bytes_max", bytes_max)
}

impl From<BodyBroken> for Problem {
    fn from(broken: BodyBroken) -> Self {
        if broken.0.code == ErrorCode::TooLarge {
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", broken.0.message);
        }
        Self::new(StatusCode::BAD_REQUEST, "BODY_INCOMPLETE", broken.to_string())
    }
}

//! Bodies of answers that are sent while they come into being.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc;

use crate::caught::BoxFuture;
use crate::response::{Body, IntoResponse, Response};

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type ChunkStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// A body made of a stream of chunks.
///
/// One chunk is under way at a time: the stream is asked for the next one when the client's connection
/// has taken the one before. An error breaks the body off so that no client takes it for whole.
pub struct StreamBody {
    chunks: ChunkStream,
    content_type: HeaderValue,
}

impl StreamBody {
    /// The body that `chunks` gives.
    pub fn new<S, T, E>(chunks: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self::of_boxed(Box::pin(Converted(Box::pin(chunks))))
    }

    /// The body that `write` sends; it ends when `write` returns, and is broken off when that is an error.
    ///
    /// `write` runs as a part of the request: it goes on when there is room for the next chunk, and is
    /// dropped when the client goes.
    ///
    /// ```
    /// # use plugin_sdk::prelude::*;
    /// # use std::time::Duration;
    /// async fn ticks(context: Context) -> StreamBody {
    ///     StreamBody::written(|body| async move {
    ///         while context.sleep(Duration::from_secs(1)).await {
    ///             body.send("tick\n").await?;
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn written<F, Writing>(write: F) -> Self
    where
        F: FnOnce(BodySender) -> Writing + Send + 'static,
        Writing: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(1);
        let writing: BoxFuture<_> = Box::pin(async move { write(BodySender(sender)).await });
        Self::of_boxed(Box::pin(Written { writing: Some(writing), receiver }))
    }

    /// A body that is written by somebody else, through the [`BodySender`]; `n_chunks_max` may wait in
    /// between. [`StreamBody::written`] is simpler where it fits.
    #[must_use]
    pub fn channel(n_chunks_max: usize) -> (BodySender, Self) {
        let (sender, receiver) = mpsc::channel(n_chunks_max.max(1));
        (BodySender(sender), Self::of_boxed(Box::pin(Received(receiver))))
    }

    /// Sets the content type, which is `application/octet-stream` else.
    ///
    /// # Panics
    /// When it cannot stand in a header.
    #[must_use]
    pub fn content_type(mut self, content_type: &str) -> Self {
        self.content_type =
            HeaderValue::from_str(content_type).expect("a content type has no line breaks");
        self
    }

    fn of_boxed(chunks: ChunkStream) -> Self {
        Self { chunks, content_type: HeaderValue::from_static("application/octet-stream") }
    }
}

impl IntoResponse for StreamBody {
    fn into_response(self) -> Response {
        let headers = vec![(CONTENT_TYPE, self.content_type)];
        Response { status: StatusCode::OK, headers, body: Body::Stream(self.chunks) }
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamBody({:?})", self.content_type)
    }
}

/// Writes a body. It is complete after [`BodySender::finish`]; dropped before, the body is broken off.
#[derive(Debug, Clone)]
pub struct BodySender(mpsc::Sender<Said>);

#[derive(Debug)]
enum Said {
    Chunk(Bytes),
    Finish,
}

impl BodySender {
    /// Sends a chunk, when there is room for it.
    ///
    /// # Errors
    /// Nobody reads the body any more.
    pub async fn send(&self, chunk: impl Into<Bytes>) -> Result<(), BodyClosed> {
        self.0.send(Said::Chunk(chunk.into())).await.map_err(|_chunk| BodyClosed)
    }

    /// Ends the body.
    pub async fn finish(self) {
        // When nobody reads any more, there is nobody to tell.
        let _closed = self.0.send(Said::Finish).await;
    }
}

/// The client has gone, or the request is over for another reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads this body any more")]
pub struct BodyClosed;

#[derive(Debug, thiserror::Error)]
#[error("the sender of the body was dropped before it was finished")]
struct Unfinished;

/// A stream whose items are made bytes and errors of any kind.
struct Converted<S>(Pin<Box<S>>);

impl<S, T, E> Stream for Converted<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Bytes>,
    E: Into<BoxError>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = self.0.as_mut().poll_next(cx);
        item.map(|item| item.map(|chunk| chunk.map(Into::into).map_err(Into::into)))
    }
}

/// The body of [`StreamBody::written`].
struct Written {
    /// `None` when it has returned.
    writing: Option<BoxFuture<Result<(), BoxError>>>,
    receiver: mpsc::Receiver<Said>,
}

impl Stream for Written {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { writing, receiver } = &mut *self;
        if let Some(running) = writing {
            // What was sent before goes first; only then there is room for more.
            if let Ok(Said::Chunk(chunk)) = receiver.try_recv() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if let Poll::Ready(outcome) = running.as_mut().poll(cx) {
                *writing = None;
                if let Err(error) = outcome {
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        receiver.poll_recv(cx).map(|said| match said {
            Some(Said::Chunk(chunk)) => Some(Ok(chunk)),
            Some(Said::Finish) | None => None,
        })
    }
}

/// The reading end of [`StreamBody::channel`].
struct Received(mpsc::Receiver<Said>);

impl Stream for Received {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|said| match said {
            Some(Said::Chunk(chunk)) => Some(Ok(chunk)),
            Some(Said::Finish) => None,
            None => Some(Err(BoxError::from(Unfinished))),
        })
    }
}

//! A connection that was handed over: bytes in both directions, with back-pressure.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use plugin_abi::guest::Parcel;
use plugin_abi::message::{Outbound, StreamId};
use plugin_abi::{AbiError, ErrorCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::calls::Call;
use crate::generation::Generation;

/// The most bytes that one read brings and one write takes.
const TRANSFER_BYTES_MAX: usize = 64 * 1024;

/// A connection whose socket the host keeps; the plugin reads and writes it like any other.
///
/// A write is accepted when the one before it has reached the client's socket. Dropping it closes it.
///
/// # Cancellation
/// Reads and writes lose nothing when their futures are dropped.
pub struct UpgradedStream {
    generation: Arc<Generation>,
    stream: StreamId,
    /// The read under way.
    read: Option<Call>,
    /// What a read brought and nobody has taken yet, from this offset on.
    unread: Option<(Parcel, usize)>,
    /// The write under way, whose bytes the host has already copied.
    write: Option<Call>,
}

impl UpgradedStream {
    pub(crate) fn new(generation: Arc<Generation>, stream: StreamId) -> Self {
        Self { generation, stream, read: None, unread: None, write: None }
    }

    /// Waits for the write under way.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(write) = &mut self.write {
            let outcome = ready!(Pin::new(write).poll(cx));
            self.write = None;
            outcome.map_err(io_error)?;
        }
        Poll::Ready(Ok(()))
    }

    fn take_unread(&mut self, into: &mut ReadBuf<'_>) {
        let Some((parcel, offset)) = &mut self.unread else { return };
        let n_bytes = into.remaining().min(parcel.len() - *offset);
        into.put_slice(&parcel[*offset..*offset + n_bytes]);
        *offset += n_bytes;
        if *offset == parcel.len() {
            self.unread = None;
        }
    }
}

impl AsyncRead for UpgradedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.unread.is_none() {
            let stream = this.stream;
            let read = this.read.get_or_insert_with(|| {
                let bytes_max = TRANSFER_BYTES_MAX as u64;
                this.generation.call(|call| Outbound::StreamRead { stream, call, bytes_max })
            });
            let outcome = ready!(Pin::new(read).poll(cx));
            this.read = None;
            let parcel = outcome.map_err(io_error)?;
            this.unread = (!parcel.is_empty()).then_some((parcel, 0));
        }
        this.take_unread(into);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpgradedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_written(cx))?;
        let bytes = &bytes[..bytes.len().min(TRANSFER_BYTES_MAX)];
        if !bytes.is_empty() {
            let stream = self.stream;
            let write = self.generation.call(|call| Outbound::StreamWrite { stream, call, bytes });
            self.write = Some(write);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(cx)
    }

    /// Waits for what was written. The connection is closed, in both directions, by the drop.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(cx)
    }
}

impl Drop for UpgradedStream {
    fn drop(&mut self) {
        self.generation.host.send(Outbound::StreamClose { stream: self.stream });
    }
}

impl fmt::Debug for UpgradedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpgradedStream({})", self.stream)
    }
}

fn io_error(error: AbiError) -> io::Error {
    let kind = if error.code == ErrorCode::Closed {
        io::ErrorKind::BrokenPipe
    } else {
        io::ErrorKind::Other
    };
    io::Error::new(kind, error)
}

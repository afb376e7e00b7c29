//! Connections that were handed to the plugin as streams: upgraded requests, and what listeners accept.
//!
//! The socket stays the host's. The plugin asks for bytes and gives bytes, each with a completion, so both
//! directions have back-pressure and a stream can be cut off whatever the plugin does. One task owns a
//! stream; [`Streams::run`] is that task.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use plugin_abi::message::{CallId, StreamId};
use plugin_abi::{AbiError, ErrorCode};
use slab::Slab;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Conversation;
use super::number::{number, place_of};

/// The most bytes that one read brings.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// How many reads, and how many writes, a plugin may have waiting on one stream.
const CALLS_WAITING_MAX: usize = 4;

/// The open streams of one generation.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    places: Slab<Place>,
    n_opened: u32,
}

#[derive(Debug)]
struct Place {
    stream: StreamId,
    reads: mpsc::Sender<Read>,
    /// `None` once the plugin closed the stream: what it wrote before is still written.
    writes: Option<mpsc::Sender<Write>>,
    /// Ends the task at once, when the generation is cut off.
    cut_off: CancellationToken,
}

#[derive(Debug)]
struct Read {
    call: CallId,
    bytes_max: u64,
}

#[derive(Debug)]
struct Write {
    call: CallId,
    bytes: Bytes,
}

/// A stream that has its number and waits for its connection.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Its number.
    pub(crate) stream: StreamId,
    reads: mpsc::Receiver<Read>,
    writes: mpsc::Receiver<Write>,
    cut_off: CancellationToken,
}

impl Streams {
    /// Gives a stream its number. [`Streams::run`] must follow.
    pub(crate) fn open(&self) -> Opened {
        let (reads, reads_receiver) = mpsc::channel(CALLS_WAITING_MAX);
        let (writes, writes_receiver) = mpsc::channel(CALLS_WAITING_MAX);
        let cut_off = CancellationToken::new();
        let mut table = self.lock();
        table.n_opened = table.n_opened.wrapping_add(1);
        let n_opened = table.n_opened;
        let place = table.places.vacant_entry();
        let stream = number(n_opened, place.key());
        place.insert(Place { stream, reads, writes: Some(writes), cut_off: cut_off.clone() });
        Opened { stream, reads: reads_receiver, writes: writes_receiver, cut_off }
    }

    /// Moves bytes between `connection` and the plugin until either closes.
    ///
    /// # Cancellation
    /// Dropping the future closes the connection; the stream's number is given back all the same.
    pub(crate) async fn run(
        conversation: Arc<Conversation>,
        opened: Opened,
        connection: impl AsyncRead + AsyncWrite,
    ) {
        let Opened { stream, reads, writes, cut_off } = opened;
        let mut calls = Calls { conversation: &conversation, stream, reads, writes };
        let (reader, writer) = tokio::io::split(connection);
        tokio::select! {
            () = cut_off.cancelled() => {}
            () = serve_writes(&conversation, &mut calls.writes, writer) => {}
            () = serve_reads(&conversation, &mut calls.reads, reader) => {}
        }
    }

    pub(super) fn read(&self, on: &Conversation, stream: StreamId, call: CallId, bytes_max: u64) {
        let sent = match self.lock().find(stream) {
            None => Err(closed()),
            Some(place) => {
                place.reads.try_send(Read { call, bytes_max }).map_err(|error| refused(&error))
            }
        };
        if let Err(error) = sent {
            on.complete(call, Err(error));
        }
    }

    pub(super) fn write(&self, on: &Conversation, stream: StreamId, call: CallId, bytes: &[u8]) {
        let sent = match self.lock().find(stream).and_then(|place| place.writes.as_ref()) {
            None => Err(closed()),
            Some(writes) => {
                let bytes = Bytes::copy_from_slice(bytes);
                writes.try_send(Write { call, bytes }).map_err(|error| refused(&error))
            }
        };
        if let Err(error) = sent {
            on.complete(call, Err(error));
        }
    }

    /// Closes a stream behind what was written to it.
    pub(super) fn close(&self, stream: StreamId) {
        if let Some(place) = self.lock().find_mut(stream) {
            place.writes = None;
        }
    }

    /// Closes every stream at once.
    pub(super) fn cut_off(&self) {
        self.lock().places.iter().for_each(|(_key, place)| place.cut_off.cancel());
    }

    /// How many streams are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().places.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that runs under the lock can panic half-way through a change of the table.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, stream: StreamId) -> Option<&Place> {
        self.places.get(place_of(stream)).filter(|place| place.stream == stream)
    }

    fn find_mut(&mut self, stream: StreamId) -> Option<&mut Place> {
        self.places.get_mut(place_of(stream)).filter(|place| place.stream == stream)
    }
}

/// What the plugin asks of one stream. However its task ends, the place is given back and what still waits
/// is completed.
struct Calls<'a> {
    conversation: &'a Conversation,
    stream: StreamId,
    reads: mpsc::Receiver<Read>,
    writes: mpsc::Receiver<Write>,
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        let mut table = self.conversation.streams.lock();
        if table.find(self.stream).is_some() {
            table.places.remove(place_of(self.stream));
        }
        drop(table);
        while let Ok(Read { call, .. }) = self.reads.try_recv() {
            self.conversation.complete(call, Ok(Vec::new()));
        }
        while let Ok(Write { call, .. }) = self.writes.try_recv() {
            self.conversation.complete(call, Err(closed()));
        }
    }
}

async fn serve_reads(
    conversation: &Conversation,
    reads: &mut mpsc::Receiver<Read>,
    mut reader: impl AsyncRead + Unpin,
) {
    while let Some(Read { call, bytes_max }) = reads.recv().await {
        let n_max = usize::try_from(bytes_max.clamp(1, READ_BYTES_MAX)).unwrap_or(1);
        let mut bytes = Vec::with_capacity(n_max);
        let unanswered = Unanswered { conversation, call };
        let read = (&mut reader).take(n_max as u64).read_buf(&mut bytes).await;
        unanswered.complete(read.map(|_n_bytes| bytes).map_err(|error| broken(&error)));
    }
}

/// Ends when the plugin has closed the stream and all it wrote before is written.
async fn serve_writes(
    conversation: &Conversation,
    writes: &mut mpsc::Receiver<Write>,
    mut writer: impl AsyncWrite + Unpin,
) {
    while let Some(Write { call, bytes }) = writes.recv().await {
        let unanswered = Unanswered { conversation, call };
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        unanswered.complete(written.await.map(|()| Vec::new()).map_err(|error| broken(&error)));
    }
    // A peer that is gone needs no farewell.
    let _closed = writer.shutdown().await;
}

/// A call that must be completed even when the task is dropped in the middle of it.
struct Unanswered<'a> {
    conversation: &'a Conversation,
    call: CallId,
}

impl Unanswered<'_> {
    fn complete(mut self, outcome: Result<Vec<u8>, AbiError>) {
        let call = std::mem::take(&mut self.call);
        self.conversation.complete(call, outcome);
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if self.call != 0 {
            self.conversation.complete(self.call, Err(closed()));
        }
    }
}

fn closed() -> AbiError {
    AbiError::new(ErrorCode::Closed, "the stream is closed")
}

fn broken(error: &std::io::Error) -> AbiError {
    AbiError::new(ErrorCode::Io, format!("the connection broke: {error}"))
}

fn refused<T>(error: &mpsc::error::TrySendError<T>) -> AbiError {
    match error {
        mpsc::error::TrySendError::Closed(_) => closed(),
        mpsc::error::TrySendError::Full(_) => {
            AbiError::new(ErrorCode::Invalid, "too many calls wait on one stream")
        }
    }
}

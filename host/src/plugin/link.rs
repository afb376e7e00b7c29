//! The link between a daemon and a worker: messages in frames over a Unix socket.
//!
//! A frame is a fixed header and two byte runs, the very fields in which a message crosses in-process.
//! Frames are appended to one buffer and written together, so under load one system call carries many.
//! Both ends use this same code; what a frame means is theirs.
//!
//! Bounded by what is in flight: each request, stream and call accounts for a few frames. A frame beyond
//! [`FRAME_BYTES_MAX`] is a broken peer and ends the link.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use plugin_abi::api::RawOutbound;
use plugin_abi::message::{Inbound, InboundParts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

/// The longest frame: a whole body and its head, with room to spare.
pub(crate) const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Length, kind, id, call, detail, length of the head.
const HEADER_BYTES: usize = 4 + 4 + 8 + 8 + 8 + 4;

/// How much is read from the socket at once.
const READ_BYTES: usize = 64 * 1024;

/// The way out of one end of a link.
#[derive(Debug, Default)]
pub(crate) struct Link {
    outgoing: Mutex<Outgoing>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Outgoing {
    frames: Vec<u8>,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Frames are taken and written.
    #[default]
    Open,
    /// What was taken is still written.
    Finishing,
    /// Nothing is taken or written.
    Closed,
}

/// A frame that came in, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u32,
    pub(crate) id: u64,
    pub(crate) call: u64,
    pub(crate) detail: u64,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Frame<'_> {
    fn append_to(&self, frames: &mut Vec<u8>) {
        let len = HEADER_BYTES + self.head.len() + self.body.len();
        let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        frames.reserve(len);
        frames.extend_from_slice(&word(len));
        frames.extend_from_slice(&self.kind.to_le_bytes());
        for number in [self.id, self.call, self.detail] {
            frames.extend_from_slice(&number.to_le_bytes());
        }
        frames.extend_from_slice(&word(self.head.len()));
        frames.extend_from_slice(self.head);
        frames.extend_from_slice(self.body);
    }
}

impl Link {
    /// Sends a frame on its way. After the link has closed it goes nowhere.
    pub(crate) fn send(&self, frame: Frame<'_>) {
        let was_empty = {
            let mut outgoing = self.lock();
            if outgoing.state != State::Open {
                return;
            }
            let was_empty = outgoing.frames.is_empty();
            frame.append_to(&mut outgoing.frames);
            was_empty
        };
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Sends a message to a plugin.
    pub(crate) fn post(&self, message: Inbound) {
        let InboundParts { kind, id, detail, payload } = message.into_parts();
        self.send(Frame { kind, id, call: 0, detail, head: &payload, body: &[] });
    }

    /// Sends what a plugin said.
    pub(crate) fn say(&self, message: RawOutbound<'_>) {
        let RawOutbound { kind, id, call, detail, head, body } = message;
        self.send(Frame { kind, id, call, detail, head: head.as_slice(), body: body.as_slice() });
    }

    /// Writes whatever is sent, until the socket breaks or everything is written after [`Link::finish`].
    ///
    /// # Cancellation
    /// Dropping the future loses what was not written yet: the link is over.
    pub(crate) async fn write_to(&self, mut socket: OwnedWriteHalf) -> io::Result<()> {
        let mut writing = Vec::new();
        loop {
            let state = {
                let mut outgoing = self.lock();
                std::mem::swap(&mut writing, &mut outgoing.frames);
                outgoing.state
            };
            match (writing.is_empty(), state) {
                (false, _any) => {}
                (true, State::Open) => {
                    self.wake.notified().await;
                    continue;
                }
                (true, State::Finishing | State::Closed) => return Ok(()),
            }
            let written = socket.write_all(&writing).await;
            if written.is_err() {
                self.close();
                return written;
            }
            writing.clear();
            writing.shrink_to(READ_BYTES);
        }
    }

    /// Takes nothing more, and lets the writer end when all is written.
    pub(crate) fn finish(&self) {
        self.lock().state = State::Finishing;
        self.wake.notify_one();
    }

    /// Takes nothing more and forgets what was not written.
    pub(crate) fn close(&self) {
        *self.lock() = Outgoing { frames: Vec::new(), state: State::Closed };
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        // An append that panics half-way would be an allocation failure, which ends the process.
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives every frame that comes in to `take`, until the other end closes.
///
/// # Errors
/// The socket broke, or what came is no frame.
pub(crate) async fn read_from(
    mut socket: OwnedReadHalf,
    mut take: impl FnMut(Frame<'_>),
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        buffer.reserve(READ_BYTES);
        if socket.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..];
        while let Some((frame, n_bytes)) = parse(rest)? {
            take(frame);
            rest = &rest[n_bytes..];
        }
        let n_taken = buffer.len() - rest.len();
        buffer.drain(..n_taken);
    }
}

/// The first frame of `bytes` and its length, or `None` when it is not all there yet.
fn parse(bytes: &[u8]) -> io::Result<Option<(Frame<'_>, usize)>> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let word = |at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&header[at..at + 4]);
        u32::from_le_bytes(word)
    };
    let number = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    let len = word(0) as usize;
    if !(HEADER_BYTES..=FRAME_BYTES_MAX).contains(&len) {
        return Err(broken("a frame of the link has an impossible length"));
    }
    let Some(payload) = bytes.get(HEADER_BYTES..len) else { return Ok(None) };
    let split = payload.split_at_checked(word(32) as usize);
    let (head, body) =
        split.ok_or_else(|| broken("the head of a frame is longer than the frame"))?;
    let frame =
        Frame { kind: word(4), id: number(8), call: number(16), detail: number(24), head, body };
    Ok(Some((frame, len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame<'static> =
        Frame { kind: 3, id: u64::MAX, call: 2, detail: 1 << 40, head: b"head", body: b"body" };

    #[test]
    fn frames_survive_any_cut_of_the_byte_stream() {
        let mut bytes = Vec::new();
        FRAME.append_to(&mut bytes);
        for n_bytes in 0..bytes.len() {
            assert_eq!(parse(&bytes[..n_bytes]).unwrap(), None);
        }
        let n_bytes = bytes.len();
        FRAME.append_to(&mut bytes);
        assert_eq!(parse(&bytes).unwrap(), Some((FRAME, n_bytes)));
    }

    #[test]
    fn a_frame_that_cannot_be_is_refused() {
        let mut too_short = Vec::new();
        FRAME.append_to(&mut too_short);
        too_short[0] = 1;
        let mut head_too_long = Vec::new();
        FRAME.append_to(&mut head_too_long);
        head_too_long[32] = 255;
        for bytes in [too_short, head_too_long, vec![0xff; 64]] {
            parse(&bytes).unwrap_err();
        }
    }
}

//! The plugin's face of the seam: [`HostApi`], [`GenerationInfo`] and [`DescriptorSink`] with safe methods.
//!
//! A [`Parcel`] is lent memory that gives itself back; a [`Message`] is one inbound message with its
//! parcel. Both may be used on any thread of the plugin, and only until `run` has returned: that promise
//! is the plugin's, which is trusted code (`ABI.md`).
#![expect(unsafe_code, reason = "parcels are raw memory of the host")]

use std::fmt;
use std::ops::Deref;
use std::os::fd::RawFd;
use std::slice;
use std::time::Duration;

use abi_stable::std_types::{RSlice, RSliceMut};

use crate::api::{DescriptorSink, GenerationInfo, HostApi, RawInbound, RawParcel};
use crate::descriptor::StartDocument;
use crate::error::AbiError;
use crate::message::inbound::kind;
use crate::message::{CallId, CancelReason, Origin, Outbound, RequestId, StreamId};
use crate::root::Mode;
use crate::wire::WireError;

/// How many messages one call of `receive` may bring.
const BATCH_MESSAGES_MAX: usize = 32;

/// One inbound message, as the plugin sees it.
#[derive(Debug)]
pub enum Message {
    /// See [`crate::message::Inbound::Request`].
    Request {
        /// Its number.
        request: RequestId,
        /// The head and perhaps the body.
        parcel: Parcel,
    },
    /// See [`crate::message::Inbound::Completed`].
    Completed {
        /// Which call.
        call: CallId,
        /// What it brought.
        outcome: Result<Parcel, AbiError>,
    },
    /// See [`crate::message::Inbound::Cancel`].
    Cancel {
        /// Which request.
        request: RequestId,
        /// Why.
        reason: CancelReason,
    },
    /// See [`crate::message::Inbound::Wake`].
    Wake {
        /// The resource's name.
        resource: Parcel,
    },
    /// See [`crate::message::Inbound::Accepted`].
    Accepted {
        /// Its number.
        stream: StreamId,
        /// Where it came from.
        origin: Origin,
    },
    /// See [`crate::message::Inbound::Stop`].
    Stop {
        /// How long the host waits.
        deadline: Duration,
    },
}

/// Memory of the host, lent to the plugin; dropping it gives it back.
pub struct Parcel {
    raw: RawParcel,
    host: HostApi,
}

// SAFETY: a parcel is plain bytes that nobody writes to, and the host takes it back from any thread.
unsafe impl Send for Parcel {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Parcel {}

impl Deref for Parcel {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the host lends `len` initialized bytes at `start` (never null) until the release in `drop`.
        unsafe { slice::from_raw_parts(self.raw.start, self.raw.len) }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.host.functions.release()(self.host.context, self.raw);
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parcel({} bytes)", self.raw.len)
    }
}

// SAFETY: `context` is only passed back to the host's functions, which may be called from any thread.
unsafe impl Send for HostApi {}
// SAFETY: as above.
unsafe impl Sync for HostApi {}

impl HostApi {
    /// The descriptor that becomes readable when there is something to receive after [`HostApi::arm`].
    ///
    /// The host owns it: watch it edge-triggered, do not read and do not close it.
    #[must_use]
    pub fn mailbox_fd(&self) -> RawFd {
        self.functions.mailbox_fd()(self.context)
    }

    /// Moves waiting messages to the end of `messages` and says how many there were.
    ///
    /// # Errors
    /// A message could not be read; those before it have been moved, it has been given back.
    pub fn receive(&self, messages: &mut Vec<Message>) -> Result<usize, WireError> {
        let mut batch = [EMPTY; BATCH_MESSAGES_MAX];
        let n_received =
            self.functions.receive()(self.context, RSliceMut::from_mut_slice(&mut batch));
        let mut outcome = Ok(n_received);
        for raw in &batch[..n_received] {
            match self.message(raw) {
                Ok(message) => messages.extend(message),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// Announces that this plugin will now wait for [`HostApi::mailbox_fd`]. `false`: do not wait, receive.
    #[must_use]
    pub fn arm(&self) -> bool {
        self.functions.arm()(self.context)
    }

    /// Says something to the host.
    pub fn send(&self, message: Outbound<'_>) {
        self.functions.send()(self.context, message.to_raw());
    }

    fn message(&self, raw: &RawInbound) -> Result<Option<Message>, WireError> {
        let RawInbound { kind, id, detail, parcel } = *raw;
        let parcel = Parcel { raw: parcel, host: *self };
        Ok(Some(match kind {
            kind::REQUEST => Message::Request { request: id, parcel },
            kind::COMPLETED if detail == 0 => Message::Completed { call: id, outcome: Ok(parcel) },
            kind::COMPLETED => {
                Message::Completed { call: id, outcome: Err(AbiError::decode(&parcel)?) }
            }
            kind::CANCEL => {
                Message::Cancel { request: id, reason: CancelReason::from_number(detail) }
            }
            kind::WAKE => Message::Wake { resource: parcel },
            kind::ACCEPTED => Message::Accepted { stream: id, origin: Origin::decode(&parcel)? },
            kind::STOP => Message::Stop { deadline: Duration::from_millis(detail) },
            _of_a_later_revision => return Ok(None),
        }))
    }
}

const EMPTY: RawInbound = RawInbound {
    kind: 0,
    id: 0,
    detail: 0,
    parcel: RawParcel { start: std::ptr::dangling_mut(), len: 0, capacity: 0 },
};

impl GenerationInfo<'_> {
    /// The number of this generation, unique in the life of a daemon.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Why it is run.
    #[must_use]
    pub fn mode(&self) -> Mode {
        Mode::from_number(self.mode)
    }

    /// What it is started with.
    ///
    /// # Errors
    /// When the document is not what this revision expects.
    pub fn document(&self) -> Result<StartDocument, serde_json::Error> {
        serde_json::from_slice(self.document.as_slice())
    }
}

impl DescriptorSink {
    /// Hands the host a copy of the descriptor's JSON.
    pub fn write(&self, json: &[u8]) {
        (self.write)(self.context, RSlice::from_slice(json));
    }
}

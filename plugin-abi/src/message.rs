//! Everything that is said across the boundary, as one closed enum for each direction.
//!
//! In a daemon's own process a message crosses as [`crate::api::RawInbound`] or
//! [`RawOutbound`]; between a daemon and a worker the same fields travel in a
//! frame. So a lane is only a way to carry these two enums, and nothing else.
//!
//! Ids are chosen by whoever begins: requests and streams by the host, calls by the plugin. What refers
//! to something that is over is ignored by the host and completed with `Closed` where a completion is due.

use abi_stable::std_types::RSlice;

use crate::api::RawOutbound;
use crate::error::AbiError;
use crate::wire::{Reader, WireError, Writer};

/// The number of a request in flight, chosen by the host, never 0.
pub type RequestId = u64;
/// The number of a stream, chosen by the host, never 0.
pub type StreamId = u64;
/// The number of a call awaiting its completion, chosen by the plugin, never 0.
pub type CallId = u64;

/// The numbers of [`Inbound`] kinds. New ones are appended; a plugin ignores those it does not know.
pub mod inbound {
    /// See [`super::Inbound::Request`].
    pub const REQUEST: u32 = 1;
    /// See [`super::Inbound::Completed`].
    pub const COMPLETED: u32 = 2;
    /// See [`super::Inbound::Cancel`].
    pub const CANCEL: u32 = 3;
    /// See [`super::Inbound::Wake`].
    pub const WAKE: u32 = 4;
    /// See [`super::Inbound::Accepted`].
    pub const ACCEPTED: u32 = 5;
    /// See [`super::Inbound::Stop`].
    pub const STOP: u32 = 6;
}

/// The numbers of [`Outbound`] kinds. New ones are appended; a host completes those it does not know
/// with `Unsupported`.
pub mod outbound {
    /// See [`super::Outbound::Started`].
    pub const STARTED: u32 = 1;
    /// See [`super::Outbound::StartFailed`].
    pub const START_FAILED: u32 = 2;
    /// See [`super::Outbound::Respond`].
    pub const RESPOND: u32 = 3;
    /// See [`super::Outbound::Head`].
    pub const HEAD: u32 = 4;
    /// See [`super::Outbound::Chunk`].
    pub const CHUNK: u32 = 5;
    /// See [`super::Outbound::End`].
    pub const END: u32 = 6;
    /// See [`super::Outbound::BodyRead`].
    pub const BODY_READ: u32 = 7;
    /// See [`super::Outbound::Upgrade`].
    pub const UPGRADE: u32 = 8;
    /// See [`super::Outbound::StreamRead`].
    pub const STREAM_READ: u32 = 9;
    /// See [`super::Outbound::StreamWrite`].
    pub const STREAM_WRITE: u32 = 10;
    /// See [`super::Outbound::StreamClose`].
    pub const STREAM_CLOSE: u32 = 11;
    /// See [`super::Outbound::Log`].
    pub const LOG: u32 = 12;
    /// See [`super::Outbound::Metric`].
    pub const METRIC: u32 = 13;
    /// See [`super::Outbound::Panicked`].
    pub const PANICKED: u32 = 14;
    /// See [`super::Outbound::Service`].
    pub const SERVICE: u32 = 15;
}

/// Host to plugin. The payloads are the host's memory and reach the plugin as parcels.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A request for one of the descriptor's routes; [`crate::request`] is the layout of the parcel.
    Request {
        /// Its number.
        request: RequestId,
        /// The head, and the body too when it is whole.
        parcel: Vec<u8>,
    },
    /// A call that the plugin made is done.
    Completed {
        /// The number the plugin gave it.
        call: CallId,
        /// What it brought. For a body or stream read an empty run means the end; for an upgrade it is
        /// the stream's number as eight little-endian bytes.
        outcome: Result<Vec<u8>, AbiError>,
    },
    /// Nobody waits for this request any more: stop working on it and say [`Outbound::End`].
    Cancel {
        /// Which request.
        request: RequestId,
        /// Why.
        reason: CancelReason,
    },
    /// A resource that the plugin looks after has changed; [`Outbound::Service`] reads it.
    Wake {
        /// Its name, as the service that gave it out writes it.
        resource: Vec<u8>,
    },
    /// A connection came in on a listener that was granted to the plugin.
    Accepted {
        /// Its number.
        stream: StreamId,
        /// The listener's name and the peer's address, laid out by [`Origin::encode`].
        origin: Vec<u8>,
    },
    /// No request is left and none will come: finish and return from `run`.
    Stop {
        /// How long the host waits before it gives the generation up.
        deadline_ms: u64,
    },
}

/// Why a request is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum CancelReason {
    /// The client closed its connection.
    ClientGone = 1,
    /// The request's deadline passed.
    Deadline = 2,
    /// The generation is being replaced and its time to drain is over.
    Draining = 3,
}

impl CancelReason {
    /// The reason of this number; unknown ones read as [`CancelReason::ClientGone`].
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            2 => Self::Deadline,
            3 => Self::Draining,
            _unknown => Self::ClientGone,
        }
    }
}

/// Plugin to host. Everything borrowed is copied by the host before the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outbound<'a> {
    /// The generation is ready for requests.
    Started,
    /// The generation will not serve; `run` returns next.
    StartFailed {
        /// For the operator.
        reason: &'a str,
    },
    /// A whole answer.
    Respond {
        /// To which request.
        request: RequestId,
        /// [`crate::response`].
        head: &'a [u8],
        /// The whole body.
        body: &'a [u8],
    },
    /// The head of an answer whose body follows in chunks.
    Head {
        /// To which request.
        request: RequestId,
        /// [`crate::response`].
        head: &'a [u8],
    },
    /// The next part of a body; the next one may be sent when this call is completed.
    Chunk {
        /// Of which request.
        request: RequestId,
        /// Completed when the client's connection has taken it.
        call: CallId,
        /// Not empty.
        bytes: &'a [u8],
    },
    /// The plugin is done with this request.
    End {
        /// Which one.
        request: RequestId,
        /// Whether what was sent is all of it.
        outcome: EndOutcome,
    },
    /// Asks for the next part of a request body that did not come whole.
    BodyRead {
        /// Of which request.
        request: RequestId,
        /// Completed with the bytes, empty at the end.
        call: CallId,
        /// The most bytes wanted.
        bytes_max: u64,
    },
    /// Answers an upgrade request with this head; the connection becomes a stream.
    Upgrade {
        /// To which request.
        request: RequestId,
        /// Completed with the stream's number.
        call: CallId,
        /// [`crate::response`], status 101.
        head: &'a [u8],
    },
    /// Asks for bytes of a stream.
    StreamRead {
        /// Which stream.
        stream: StreamId,
        /// Completed with the bytes, empty at the end.
        call: CallId,
        /// The most bytes wanted.
        bytes_max: u64,
    },
    /// Writes to a stream; the next write may follow when this call is completed.
    StreamWrite {
        /// Which stream.
        stream: StreamId,
        /// Completed when the peer's socket has taken it.
        call: CallId,
        /// Not empty.
        bytes: &'a [u8],
    },
    /// Closes a stream; reads in flight are completed as at its end.
    StreamClose {
        /// Which stream.
        stream: StreamId,
    },
    /// A line for the host's log, laid out by [`crate::record::LogRecord`].
    Log {
        /// The record.
        record: &'a [u8],
    },
    /// A measurement for the host's metrics, laid out by [`crate::record::MetricRecord`].
    Metric {
        /// The record.
        record: &'a [u8],
    },
    /// The plugin panicked.
    Panicked {
        /// In which request, or `None` when in its shared state.
        request: Option<RequestId>,
        /// The panic's message and place.
        message: &'a str,
        /// Where it came from.
        backtrace: &'a str,
    },
    /// Asks something of one of the host's services.
    Service {
        /// Completed with the answer.
        call: CallId,
        /// Which service; the numbers are given with the services.
        service: u64,
        /// The question, as that service lays it out.
        payload: &'a [u8],
    },
}

/// Something a plugin said that this revision cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Unreadable {
    /// The call that the plugin waits for, or 0: the host completes it with `Unsupported`.
    pub call: CallId,
    /// What is wrong with it.
    pub error: WireError,
}

/// How the plugin's part in a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum EndOutcome {
    /// The body is complete.
    Complete = 0,
    /// The body broke off; the client must not take it for whole.
    Broken = 1,
    /// A cancellation was obeyed.
    Cancelled = 2,
}

impl EndOutcome {
    /// The outcome of this number; unknown ones read as [`EndOutcome::Broken`].
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Complete,
            2 => Self::Cancelled,
            _unknown => Self::Broken,
        }
    }
}

// === impl Inbound ===

/// An [`Inbound`] taken apart into the fields that travel.
#[derive(Debug, PartialEq, Eq)]
pub struct InboundParts {
    /// One of [`inbound`].
    pub kind: u32,
    /// The request, call or stream.
    pub id: u64,
    /// Depends on the kind.
    pub detail: u64,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Inbound {
    /// Takes the message apart.
    #[must_use]
    pub fn into_parts(self) -> InboundParts {
        let parts = |kind, id, detail, payload| InboundParts { kind, id, detail, payload };
        match self {
            Self::Request { request, parcel } => parts(inbound::REQUEST, request, 0, parcel),
            Self::Completed { call, outcome: Ok(bytes) } => {
                parts(inbound::COMPLETED, call, 0, bytes)
            }
            Self::Completed { call, outcome: Err(error) } => {
                parts(inbound::COMPLETED, call, 1, error.encode())
            }
            Self::Cancel { request, reason } => {
                parts(inbound::CANCEL, request, reason as u64, Vec::new())
            }
            Self::Wake { resource } => parts(inbound::WAKE, 0, 0, resource),
            Self::Accepted { stream, origin } => parts(inbound::ACCEPTED, stream, 0, origin),
            Self::Stop { deadline_ms } => parts(inbound::STOP, 0, deadline_ms, Vec::new()),
        }
    }

    /// Puts a message together again.
    ///
    /// # Errors
    /// When the kind is not known or an error payload is malformed.
    pub fn from_parts(parts: InboundParts) -> Result<Self, WireError> {
        let InboundParts { kind, id, detail, payload } = parts;
        Ok(match kind {
            inbound::REQUEST => Self::Request { request: id, parcel: payload },
            inbound::COMPLETED if detail == 0 => Self::Completed { call: id, outcome: Ok(payload) },
            inbound::COMPLETED => {
                Self::Completed { call: id, outcome: Err(AbiError::decode(&payload)?) }
            }
            inbound::CANCEL => {
                Self::Cancel { request: id, reason: CancelReason::from_number(detail) }
            }
            inbound::WAKE => Self::Wake { resource: payload },
            inbound::ACCEPTED => Self::Accepted { stream: id, origin: payload },
            inbound::STOP => Self::Stop { deadline_ms: detail },
            _unknown => return Err(WireError { what: "inbound kind", offset: 0 }),
        })
    }
}

// === impl Outbound ===

impl<'a> Outbound<'a> {
    /// The fields that travel.
    #[must_use]
    pub fn to_raw(self) -> RawOutbound<'a> {
        let raw = |kind, id, call, detail, head: &'a [u8], body: &'a [u8]| RawOutbound {
            kind,
            id,
            call,
            detail,
            head: RSlice::from_slice(head),
            body: RSlice::from_slice(body),
        };
        match self {
            Self::Started => raw(outbound::STARTED, 0, 0, 0, &[], &[]),
            Self::StartFailed { reason } => {
                raw(outbound::START_FAILED, 0, 0, 0, reason.as_bytes(), &[])
            }
            Self::Respond { request, head, body } => {
                raw(outbound::RESPOND, request, 0, 0, head, body)
            }
            Self::Head { request, head } => raw(outbound::HEAD, request, 0, 0, head, &[]),
            Self::Chunk { request, call, bytes } => {
                raw(outbound::CHUNK, request, call, 0, &[], bytes)
            }
            Self::End { request, outcome } => {
                raw(outbound::END, request, 0, outcome as u64, &[], &[])
            }
            Self::BodyRead { request, call, bytes_max } => {
                raw(outbound::BODY_READ, request, call, bytes_max, &[], &[])
            }
            Self::Upgrade { request, call, head } => {
                raw(outbound::UPGRADE, request, call, 0, head, &[])
            }
            Self::StreamRead { stream, call, bytes_max } => {
                raw(outbound::STREAM_READ, stream, call, bytes_max, &[], &[])
            }
            Self::StreamWrite { stream, call, bytes } => {
                raw(outbound::STREAM_WRITE, stream, call, 0, &[], bytes)
            }
            Self::StreamClose { stream } => raw(outbound::STREAM_CLOSE, stream, 0, 0, &[], &[]),
            Self::Log { record } => raw(outbound::LOG, 0, 0, 0, record, &[]),
            Self::Metric { record } => raw(outbound::METRIC, 0, 0, 0, record, &[]),
            Self::Panicked { request, message, backtrace } => raw(
                outbound::PANICKED,
                request.unwrap_or(0),
                0,
                0,
                message.as_bytes(),
                backtrace.as_bytes(),
            ),
            Self::Service { call, service, payload } => {
                raw(outbound::SERVICE, 0, call, service, payload, &[])
            }
        }
    }

    /// Reads the fields that traveled.
    ///
    /// # Errors
    /// When the kind is not known or text is not UTF-8.
    pub fn from_raw(raw: RawOutbound<'a>) -> Result<Self, Unreadable> {
        Self::read(raw).map_err(|error| Unreadable { call: raw.call, error })
    }

    fn read(raw: RawOutbound<'a>) -> Result<Self, WireError> {
        let RawOutbound { kind, id, call, detail, head, body } = raw;
        let (head, body) = (head.as_slice(), body.as_slice());
        let text = |bytes: &'a [u8], what| {
            str::from_utf8(bytes)
                .map_err(|not_utf8| WireError { what, offset: not_utf8.valid_up_to() })
        };
        Ok(match kind {
            outbound::STARTED => Self::Started,
            outbound::START_FAILED => Self::StartFailed { reason: text(head, "start failure")? },
            outbound::RESPOND => Self::Respond { request: id, head, body },
            outbound::HEAD => Self::Head { request: id, head },
            outbound::CHUNK => Self::Chunk { request: id, call, bytes: body },
            outbound::END => Self::End { request: id, outcome: EndOutcome::from_number(detail) },
            outbound::BODY_READ => Self::BodyRead { request: id, call, bytes_max: detail },
            outbound::UPGRADE => Self::Upgrade { request: id, call, head },
            outbound::STREAM_READ => Self::StreamRead { stream: id, call, bytes_max: detail },
            outbound::STREAM_WRITE => Self::StreamWrite { stream: id, call, bytes: body },
            outbound::STREAM_CLOSE => Self::StreamClose { stream: id },
            outbound::LOG => Self::Log { record: head },
            outbound::METRIC => Self::Metric { record: head },
            outbound::PANICKED => Self::Panicked {
                request: (id != 0).then_some(id),
                message: text(head, "panic message")?,
                backtrace: text(body, "panic backtrace")?,
            },
            outbound::SERVICE => Self::Service { call, service: detail, payload: head },
            _unknown => return Err(WireError { what: "outbound kind", offset: 0 }),
        })
    }
}

// === impl Origin ===

/// Where an accepted connection came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The listener's name in the descriptor.
    pub listener: String,
    /// The peer's socket address.
    pub peer: String,
}

impl Origin {
    /// The bytes of [`Inbound::Accepted`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.listener.len() + self.peer.len() + 8);
        writer.str(&self.listener);
        writer.str(&self.peer);
        writer.finish()
    }

    /// Reads what [`Origin::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are not such an origin.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let listener = reader.str("listener")?.to_owned();
        Ok(Self { listener, peer: reader.str("peer")?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn every_inbound_message_survives_the_crossing() {
        let all = || {
            vec![
                Inbound::Request { request: 1, parcel: vec![1, 2] },
                Inbound::Completed { call: 2, outcome: Ok(vec![3]) },
                Inbound::Completed {
                    call: 2,
                    outcome: Err(AbiError::new(ErrorCode::Closed, "stream 4 is closed")),
                },
                Inbound::Cancel { request: 3, reason: CancelReason::Draining },
                Inbound::Wake { resource: vec![9] },
                Inbound::Accepted { stream: 4, origin: vec![5] },
                Inbound::Stop { deadline_ms: 5_000 },
            ]
        };
        let crossed: Vec<_> =
            all().into_iter().map(|it| Inbound::from_parts(it.into_parts())).collect();
        assert_eq!(crossed, all().into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn every_outbound_message_survives_the_crossing() {
        let all = [
            Outbound::Started,
            Outbound::StartFailed { reason: "no port" },
            Outbound::Respond { request: 1, head: b"h", body: b"b" },
            Outbound::Head { request: 1, head: b"h" },
            Outbound::Chunk { request: 1, call: 2, bytes: b"c" },
            Outbound::End { request: 1, outcome: EndOutcome::Cancelled },
            Outbound::BodyRead { request: 1, call: 3, bytes_max: 4 },
            Outbound::Upgrade { request: 1, call: 5, head: b"h" },
            Outbound::StreamRead { stream: 6, call: 7, bytes_max: 8 },
            Outbound::StreamWrite { stream: 6, call: 9, bytes: b"w" },
            Outbound::StreamClose { stream: 6 },
            Outbound::Log { record: b"l" },
            Outbound::Metric { record: b"m" },
            Outbound::Panicked { request: None, message: "m", backtrace: "b" },
            Outbound::Panicked { request: Some(1), message: "m", backtrace: "b" },
            Outbound::Service { call: 10, service: 11, payload: b"p" },
        ];
        for message in all {
            assert_eq!(Outbound::from_raw(message.to_raw()), Ok(message));
        }
    }

    #[test]
    fn an_unknown_kind_is_told_and_not_guessed() {
        let raw = RawOutbound { kind: 999, ..Outbound::Started.to_raw() };
        let error = Outbound::from_raw(raw).unwrap_err();
        assert_eq!(error.to_string(), "malformed `outbound kind` at byte 0 of a message");
        let parts = InboundParts { kind: 999, id: 0, detail: 0, payload: Vec::new() };
        assert!(Inbound::from_parts(parts).is_err());
    }
}

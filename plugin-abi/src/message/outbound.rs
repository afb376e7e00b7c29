//! What a plugin says to the host.

use abi_stable::std_types::RSlice;

use super::{CallId, RequestId, StreamId};
use crate::api::RawOutbound;
use crate::wire::WireError;

/// The numbers of [`Outbound`] kinds. New ones are appended; a host completes those it does not know
/// with `Unsupported`.
pub(crate) mod kind {
    /// See [`super::Outbound::Started`].
    pub(crate) const STARTED: u32 = 1;
    /// See [`super::Outbound::StartFailed`].
    pub(crate) const START_FAILED: u32 = 2;
    /// See [`super::Outbound::Respond`].
    pub(crate) const RESPOND: u32 = 3;
    /// See [`super::Outbound::Head`].
    pub(crate) const HEAD: u32 = 4;
    /// See [`super::Outbound::Chunk`].
    pub(crate) const CHUNK: u32 = 5;
    /// See [`super::Outbound::End`].
    pub(crate) const END: u32 = 6;
    /// See [`super::Outbound::BodyRead`].
    pub(crate) const BODY_READ: u32 = 7;
    /// See [`super::Outbound::Upgrade`].
    pub(crate) const UPGRADE: u32 = 8;
    /// See [`super::Outbound::StreamRead`].
    pub(crate) const STREAM_READ: u32 = 9;
    /// See [`super::Outbound::StreamWrite`].
    pub(crate) const STREAM_WRITE: u32 = 10;
    /// See [`super::Outbound::StreamClose`].
    pub(crate) const STREAM_CLOSE: u32 = 11;
    /// See [`super::Outbound::Log`].
    pub(crate) const LOG: u32 = 12;
    /// See [`super::Outbound::Metric`].
    pub(crate) const METRIC: u32 = 13;
    /// See [`super::Outbound::Panicked`].
    pub(crate) const PANICKED: u32 = 14;
    /// See [`super::Outbound::Service`].
    pub(crate) const SERVICE: u32 = 15;
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
            Self::Started => raw(kind::STARTED, 0, 0, 0, &[], &[]),
            Self::StartFailed { reason } => {
                raw(kind::START_FAILED, 0, 0, 0, reason.as_bytes(), &[])
            }
            Self::Respond { request, head, body } => raw(kind::RESPOND, request, 0, 0, head, body),
            Self::Head { request, head } => raw(kind::HEAD, request, 0, 0, head, &[]),
            Self::Chunk { request, call, bytes } => raw(kind::CHUNK, request, call, 0, &[], bytes),
            Self::End { request, outcome } => raw(kind::END, request, 0, outcome as u64, &[], &[]),
            Self::BodyRead { request, call, bytes_max } => {
                raw(kind::BODY_READ, request, call, bytes_max, &[], &[])
            }
            Self::Upgrade { request, call, head } => {
                raw(kind::UPGRADE, request, call, 0, head, &[])
            }
            Self::StreamRead { stream, call, bytes_max } => {
                raw(kind::STREAM_READ, stream, call, bytes_max, &[], &[])
            }
            Self::StreamWrite { stream, call, bytes } => {
                raw(kind::STREAM_WRITE, stream, call, 0, &[], bytes)
            }
            Self::StreamClose { stream } => raw(kind::STREAM_CLOSE, stream, 0, 0, &[], &[]),
            Self::Log { record } => raw(kind::LOG, 0, 0, 0, record, &[]),
            Self::Metric { record } => raw(kind::METRIC, 0, 0, 0, record, &[]),
            Self::Panicked { request, message, backtrace } => raw(
                kind::PANICKED,
                request.unwrap_or(0),
                0,
                0,
                message.as_bytes(),
                backtrace.as_bytes(),
            ),
            Self::Service { call, service, payload } => {
                raw(kind::SERVICE, 0, call, service, payload, &[])
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
            kind::STARTED => Self::Started,
            kind::START_FAILED => Self::StartFailed { reason: text(head, "start failure")? },
            kind::RESPOND => Self::Respond { request: id, head, body },
            kind::HEAD => Self::Head { request: id, head },
            kind::CHUNK => Self::Chunk { request: id, call, bytes: body },
            kind::END => Self::End { request: id, outcome: EndOutcome::from_number(detail) },
            kind::BODY_READ => Self::BodyRead { request: id, call, bytes_max: detail },
            kind::UPGRADE => Self::Upgrade { request: id, call, head },
            kind::STREAM_READ => Self::StreamRead { stream: id, call, bytes_max: detail },
            kind::STREAM_WRITE => Self::StreamWrite { stream: id, call, bytes: body },
            kind::STREAM_CLOSE => Self::StreamClose { stream: id },
            kind::LOG => Self::Log { record: head },
            kind::METRIC => Self::Metric { record: head },
            kind::PANICKED => Self::Panicked {
                request: (id != 0).then_some(id),
                message: text(head, "panic message")?,
                backtrace: text(body, "panic backtrace")?,
            },
            kind::SERVICE => Self::Service { call, service: detail, payload: head },
            _unknown => return Err(WireError { what: "outbound kind", offset: 0 }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_unknown_kind_is_told_with_the_call_that_waits() {
        let raw = RawOutbound { kind: 999, call: 7, ..Outbound::Started.to_raw() };
        let unreadable = Outbound::from_raw(raw).unwrap_err();
        assert_eq!(unreadable.call, 7);
        assert_eq!(unreadable.to_string(), "malformed `outbound kind` at byte 0 of a message");
    }
}

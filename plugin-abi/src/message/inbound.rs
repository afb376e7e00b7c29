//! What the host says to a plugin.

use super::{CallId, RequestId, StreamId};
use crate::error::AbiError;
use crate::wire::WireError;

/// The numbers of [`Inbound`] kinds. New ones are appended; a plugin ignores those it does not know.
pub(crate) mod kind {
    /// See [`super::Inbound::Request`].
    pub(crate) const REQUEST: u32 = 1;
    /// See [`super::Inbound::Completed`].
    pub(crate) const COMPLETED: u32 = 2;
    /// See [`super::Inbound::Cancel`].
    pub(crate) const CANCEL: u32 = 3;
    /// See [`super::Inbound::Wake`].
    pub(crate) const WAKE: u32 = 4;
    /// See [`super::Inbound::Accepted`].
    pub(crate) const ACCEPTED: u32 = 5;
    /// See [`super::Inbound::Stop`].
    pub(crate) const STOP: u32 = 6;
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
    /// Nobody waits for this request any more: stop working on it and say [`super::Outbound::End`].
    Cancel {
        /// Which request.
        request: RequestId,
        /// Why.
        reason: CancelReason,
    },
    /// A resource that the plugin looks after has changed; [`super::Outbound::Service`] reads it.
    Wake {
        /// Its name, as the service that gave it out writes it.
        resource: Vec<u8>,
    },
    /// A connection came in on a listener that was granted to the plugin.
    Accepted {
        /// Its number.
        stream: StreamId,
        /// The listener's name and the peer's address, laid out by [`super::Origin::encode`].
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

/// An [`Inbound`] taken apart into the fields that travel.
#[derive(Debug, PartialEq, Eq)]
pub struct InboundParts {
    /// Which message it is, by number.
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
            Self::Request { request, parcel } => parts(kind::REQUEST, request, 0, parcel),
            Self::Completed { call, outcome: Ok(bytes) } => parts(kind::COMPLETED, call, 0, bytes),
            Self::Completed { call, outcome: Err(error) } => {
                parts(kind::COMPLETED, call, 1, error.encode())
            }
            Self::Cancel { request, reason } => {
                parts(kind::CANCEL, request, reason as u64, Vec::new())
            }
            Self::Wake { resource } => parts(kind::WAKE, 0, 0, resource),
            Self::Accepted { stream, origin } => parts(kind::ACCEPTED, stream, 0, origin),
            Self::Stop { deadline_ms } => parts(kind::STOP, 0, deadline_ms, Vec::new()),
        }
    }

    /// Puts a message together again.
    ///
    /// # Errors
    /// When the kind is not known or an error payload is malformed.
    pub fn from_parts(parts: InboundParts) -> Result<Self, WireError> {
        let InboundParts { kind, id, detail, payload } = parts;
        Ok(match kind {
            kind::REQUEST => Self::Request { request: id, parcel: payload },
            kind::COMPLETED if detail == 0 => Self::Completed { call: id, outcome: Ok(payload) },
            kind::COMPLETED => {
                Self::Completed { call: id, outcome: Err(AbiError::decode(&payload)?) }
            }
            kind::CANCEL => Self::Cancel { request: id, reason: CancelReason::from_number(detail) },
            kind::WAKE => Self::Wake { resource: payload },
            kind::ACCEPTED => Self::Accepted { stream: id, origin: payload },
            kind::STOP => Self::Stop { deadline_ms: detail },
            _unknown => return Err(WireError { what: "inbound kind", offset: 0 }),
        })
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
    fn an_unknown_kind_is_told_and_not_guessed() {
        let parts = InboundParts { kind: 999, id: 0, detail: 0, payload: Vec::new() };
        let error = Inbound::from_parts(parts).unwrap_err();
        assert_eq!(error.to_string(), "malformed `inbound kind` at byte 0 of a message");
    }
}

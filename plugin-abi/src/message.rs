//! Everything that is said across the boundary, as one closed enum for each direction.
//!
//! In a daemon's own process a message crosses as [`crate::api::RawInbound`] or
//! [`crate::api::RawOutbound`]; between a daemon and a worker the same fields travel in a
//! frame. So a lane is only a way to carry these two enums, and nothing else.
//!
//! Ids are chosen by whoever begins: requests and streams by the host, calls by the plugin. What refers
//! to something that is over is ignored by the host and completed with `Closed` where a completion is due.

use crate::wire::{Reader, WireError, Writer};

pub(crate) mod inbound;
mod outbound;

pub use inbound::{CancelReason, Inbound, InboundParts};
pub use outbound::{EndOutcome, Outbound, Unreadable};

/// The number of a request in flight, chosen by the host, never 0.
pub type RequestId = u64;
/// The number of a stream, chosen by the host, never 0.
pub type StreamId = u64;
/// The number of a call awaiting its completion, chosen by the plugin, never 0.
pub type CallId = u64;

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

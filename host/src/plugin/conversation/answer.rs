//! What a request can come to.
//!
//! An answer is still in the plugin's own layout: whoever sends it to a client checks it against HTTP
//! there, on the host's threads.

use bytes::{Buf, Bytes};
use plugin_abi::message::CallId;
use tokio::sync::mpsc;

/// What a request came to, as far as its head.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Head and body at once.
    Whole(Whole),
    /// The body follows in chunks.
    Chunked {
        /// [`plugin_abi::response`].
        head: Bytes,
        /// The chunks; what ends them is told by the last.
        chunks: mpsc::Receiver<Result<Chunk, BrokenOff>>,
    },
    /// The connection becomes a stream.
    Upgrade {
        /// [`plugin_abi::response`], status 101.
        head: Bytes,
        /// Completed with the number of the stream.
        call: CallId,
    },
    /// There is no answer.
    Failed(Fault),
}

/// A head and the body behind it, in one allocation.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Vec<u8>,
    head_len: usize,
}

impl Whole {
    /// Copies an answer out of the plugin's memory into `bytes`, which is empty.
    pub(super) fn copied(head: &[u8], body: &[u8], mut bytes: Vec<u8>) -> Self {
        bytes.reserve(head.len() + body.len());
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(body);
        Self { bytes, head_len: head.len() }
    }

    /// [`plugin_abi::response`].
    pub(crate) fn head(&self) -> &[u8] {
        &self.bytes[..self.head_len]
    }

    /// All of what follows the head.
    pub(crate) fn into_body(self) -> Bytes {
        let mut bytes = Bytes::from(self.bytes);
        bytes.advance(self.head_len);
        bytes
    }
}

/// A part of a body on its way to the client.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Completed when the client's connection asks for the next one.
    pub(crate) call: CallId,
    /// The part.
    pub(crate) bytes: Bytes,
}

/// The plugin ended a body before it was whole.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the plugin broke the body off")]
pub(crate) struct BrokenOff;

/// Why a request got no answer from its plugin.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Fault {
    /// The handler panicked; the rest of the plugin goes on.
    #[error("the plugin panicked: {message}")]
    Panicked {
        /// The panic's own message.
        message: String,
    },
    /// The handler took longer than the route allows.
    #[error("the plugin did not answer within the deadline")]
    Deadline,
    /// The generation was replaced and the time to drain ran out.
    #[error("the plugin is being replaced and did not finish the request in time")]
    Draining,
    /// The generation is gone.
    #[error("the plugin ended: {how}")]
    Crashed {
        /// What is known of its end.
        how: String,
    },
    /// The plugin ended the request without an answer, or answered what is no answer.
    #[error("the plugin broke the contract: {what}")]
    Protocol {
        /// What it did.
        what: String,
    },
}

//! How messages reach a generation: through a mailbox in this process, or through a link to a worker.
//!
//! A lane carries and does nothing else; what is carried is the same on both, so everything above it is
//! written once.

use std::sync::Arc;

use plugin_abi::mailbox::Mailbox;
use plugin_abi::message::Inbound;

use super::link::Link;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) enum Lane {
    /// The generation's thread is one of ours.
    InProcess(Arc<Mailbox>),
    /// The generation runs in a process of its own.
    Worker(Arc<Link>),
}

impl Lane {
    /// Sends a message on its way. It arrives, or the generation is over and everything that waited for it
    /// is failed.
    pub(crate) fn post(&self, message: Inbound) {
        match self {
            Self::InProcess(mailbox) => mailbox.post(message),
            Self::Worker(link) => link.post(message),
        }
    }
}

/// Which lane an element's generations run on. The operator chooses.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Isolation {
    /// In the daemon's own process: fastest; a fault of the code is the daemon's fault.
    #[default]
    None,
    /// In a child process: a crash costs the requests in flight.
    Process,
}

impl Isolation {
    /// The one word for logs and the API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Process => "process",
        }
    }
}

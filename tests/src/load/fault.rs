//! Why an exchange does not count.

use std::io;

use thiserror::Error;

/// Why an exchange does not count.
#[derive(Debug, Error)]
pub enum Fault {
    /// No connection.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// The request could not be written.
    #[error("the request could not be sent")]
    Send(#[source] io::Error),
    /// The answer could not be read.
    #[error("the answer broke off after {bytes} bytes of `{place}`")]
    Receive {
        /// What was being read.
        place: &'static str,
        /// How much of it had come.
        bytes: usize,
        /// Why.
        source: io::Error,
    },
    /// No answer in time.
    #[error("no whole answer within {seconds} s")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// Another status than the wanted one.
    #[error("status {seen} instead of {wanted}: {body}")]
    Status {
        /// The status that came.
        seen: u16,
        /// The one that was wanted.
        wanted: u16,
        /// The beginning of the body.
        body: String,
    },
    /// Not HTTP, or not the framing that this route has.
    #[error("malformed: {0}")]
    Malformed(String),
    /// The body is none that the script knows.
    #[error("wrong body at byte {at}: `{piece}`")]
    Body {
        /// Where it leaves every known answer.
        at: usize,
        /// The piece that does.
        piece: String,
    },
    /// Right, but from a version that does not serve any more or not yet.
    #[error("answered by version number {version} although it does not serve")]
    Version {
        /// The position of the version in the script's list.
        version: usize,
    },
    /// Sooner than the handler can have slept.
    #[error("answered after {seen_us} µs, sooner than the {wanted_us} µs it sleeps")]
    TooSoon {
        /// What it took.
        seen_us: u128,
        /// What it must take.
        wanted_us: u128,
    },
}

impl Fault {
    /// The whole chain as one line.
    #[must_use]
    pub fn told(&self) -> String {
        let source = std::error::Error::source(self);
        source.map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }

    /// Whether an answer came and was not right, rather than none.
    #[must_use]
    pub fn is_wrong_answer(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Send(_)
            | Self::Receive { .. }
            | Self::TimedOut { .. }
            | Self::Status { .. } => false,
            Self::Malformed(_)
            | Self::Body { .. }
            | Self::Version { .. }
            | Self::TooSoon { .. } => true,
        }
    }
}

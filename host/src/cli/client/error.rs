//! Why a command of the client failed, with the exit code that says so to a script.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::Problem;
use crate::cli::context::{self, Endpoint};
use crate::cli::exit::Exit;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing listens there, or the way there is closed.
    #[error(
        "nothing answers at {endpoint} ({why}): start a daemon there with `metapaas up`, or name another with `--endpoint URL`"
    )]
    Unreachable {
        /// Where it was looked for.
        endpoint: Endpoint,
        /// The innermost cause.
        why: String,
    },
    /// The certificate is not trusted.
    #[error(
        "the certificate of {endpoint} is not trusted ({why}): name the authority that signed it with `--ca FILE`"
    )]
    Untrusted {
        /// Whose certificate.
        endpoint: Endpoint,
        /// The innermost cause.
        why: String,
    },
    /// Nothing is known that would prove who is calling.
    #[error(
        "no token for {endpoint} is known: `metapaas context add --endpoint URL --token TOKEN` keeps one; on the daemon's own host `metapaas token reset` makes one"
    )]
    NoToken {
        /// Which daemon is meant.
        endpoint: Endpoint,
    },
    /// It took too long.
    #[error("{endpoint} did not answer within {} s: try again, and see the daemon's log", limit.as_secs())]
    Late {
        /// Who was asked.
        endpoint: Endpoint,
        /// How long that was.
        limit: Duration,
    },
    /// The connection ended in the middle.
    #[error(
        "the connection to {endpoint} broke off ({why}): what was asked may or may not have been done"
    )]
    Broken {
        /// Who was asked.
        endpoint: Endpoint,
        /// The innermost cause.
        why: String,
    },
    /// The daemon refused or failed, and says why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// Something else answers there.
    #[error(
        "what answers at {endpoint} is no MetaPaaS daemon (status {status}, {media_type}): correct `--endpoint`"
    )]
    Foreign {
        /// Who was asked.
        endpoint: Endpoint,
        /// The status of the answer.
        status: u16,
        /// What kind of document it has.
        media_type: String,
    },
    /// The answer is not what this version knows.
    #[error(
        "the daemon's answer cannot be read: it may be of another version, see `metapaas version` and its `/version`"
    )]
    Document(#[source] serde_json::Error),
    /// An operation did not succeed; its problem says why.
    #[error("{problem}")]
    Operation {
        /// What the operation says.
        problem: Box<Problem>,
    },
    /// An operation ended without success and without a problem.
    #[error("operation {id} ended as {state}: `metapaas operation get {id}` shows its steps")]
    Ended {
        /// Which.
        id: String,
        /// How.
        state: String,
    },
    /// It was waited long enough.
    #[error("operation {id} goes on after {} s: `metapaas operation wait {id}` waits for it again, `metapaas operation logs {id} --follow` shows what it does", limit.as_secs())]
    Unfinished {
        /// Which.
        id: String,
        /// How long that was.
        limit: Duration,
    },
    /// The user does not want to wait.
    #[error(
        "operation {id} goes on: `metapaas operation wait {id}` waits for it again, `metapaas operation get {id}` shows it"
    )]
    Left {
        /// Which.
        id: String,
    },
    /// The user thought better of it.
    #[error("nothing was changed")]
    Declined,
    /// The command makes no sense.
    #[error("{0}")]
    Usage(&'static str),
    /// The value of a flag makes no sense.
    #[error("{0}")]
    Argument(String),
    /// The client context cannot be used.
    #[error(transparent)]
    Context(#[from] context::Error),
    /// A file that a flag names cannot be read.
    #[error("`{}` cannot be read", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of `--ca` cannot be read.
    #[error("the certificates in `{}` cannot be read: correct `--ca`", path.display())]
    ReadAuthority {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of `--ca` has no certificate.
    #[error("`{}` holds no certificate in PEM: correct `--ca`", path.display())]
    BadAuthority {
        /// The file.
        path: PathBuf,
    },
    /// There is no client.
    #[error("the client cannot be set up: are the system's certificates installed?")]
    Setup(#[source] reqwest::Error),
    /// Standard output is closed or full.
    #[error("the answer cannot be printed")]
    Print(#[source] io::Error),
}

impl Error {
    /// What kept a request from being answered.
    pub(super) fn of_transport(
        endpoint: &Endpoint,
        limit: Duration,
        source: &reqwest::Error,
    ) -> Self {
        let endpoint = endpoint.clone();
        let why = innermost(source);
        if is_about_trust(source) {
            return Self::Untrusted { endpoint, why };
        }
        if source.is_connect() {
            return Self::Unreachable { endpoint, why };
        }
        if source.is_timeout() {
            return Self::Late { endpoint, limit };
        }
        Self::Broken { endpoint, why }
    }

    /// How the process ends with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Late { .. }
            | Self::Broken { .. }
            | Self::Foreign { .. } => Exit::Unreachable,
            Self::NoToken { .. } => Exit::Unauthenticated,
            Self::Problem(problem) => of_status(problem.status()),
            Self::Unfinished { .. } => Exit::Unfinished,
            Self::Left { .. } => Exit::Interrupted,
            Self::Declined
            | Self::Usage(_)
            | Self::Argument(_)
            | Self::ReadFile { .. }
            | Self::ReadAuthority { .. }
            | Self::BadAuthority { .. } => Exit::Refused,
            Self::Operation { .. }
            | Self::Ended { .. }
            | Self::Document(_)
            | Self::Context(_)
            | Self::Setup(_)
            | Self::Print(_) => Exit::Failed,
        }
    }

    /// It as a problem document in JSON: the daemon's own as it came, or one in the same form.
    pub(crate) fn document(&self) -> String {
        if let Self::Problem(problem) | Self::Operation { problem } = self {
            return String::from_utf8_lossy(&problem.document).into_owned();
        }
        let detail = crate::log::chain(self).to_string();
        let document = json!({ "type": "about:blank", "title": self.exit().title(),
            "code": self.code(), "detail": detail, "message": detail });
        document.to_string()
    }

    /// Whether the same question may be answered in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        let is_away =
            matches!(self, Self::Unreachable { .. } | Self::Broken { .. } | Self::Late { .. });
        is_away || matches!(self, Self::Problem(problem) if problem.status() == 503)
    }

    /// The code in a document of the client's own making.
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "CLIENT_UNREACHABLE",
            Self::Untrusted { .. } => "CLIENT_UNTRUSTED",
            Self::NoToken { .. } => "CLIENT_NO_TOKEN",
            Self::Late { .. } => "CLIENT_LATE",
            Self::Broken { .. } => "CLIENT_BROKEN",
            Self::Foreign { .. } => "CLIENT_NO_DAEMON",
            Self::Ended { .. } => "CLIENT_OPERATION_ENDED",
            Self::Unfinished { .. } | Self::Left { .. } => "CLIENT_OPERATION_GOES_ON",
            Self::Declined | Self::Usage(_) | Self::Argument(_) => "CLIENT_USAGE",
            Self::Problem(_)
            | Self::Operation { .. }
            | Self::Document(_)
            | Self::Context(_)
            | Self::ReadFile { .. }
            | Self::ReadAuthority { .. }
            | Self::BadAuthority { .. }
            | Self::Setup(_)
            | Self::Print(_) => "CLIENT_FAILED",
        }
    }
}

fn of_status(status: u16) -> Exit {
    match status {
        401 | 403 => Exit::Unauthenticated,
        404 | 410 => Exit::NotFound,
        409 | 412 | 423 => Exit::Conflict,
        500.. => Exit::Unavailable,
        _other => Exit::Rejected,
    }
}

/// The cause that says most: the last one.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = cause_of(error) {
        error = cause;
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.trim_end_matches('.').to_owned()
}

fn is_about_trust(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let error_of_tls = error.downcast_ref::<rustls::Error>();
        if matches!(error_of_tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = cause_of(error);
    }
    false
}

/// The cause of an error; an [`io::Error`] hides the one that it was made from.
fn cause_of<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match hidden {
        Some(hidden) => Some(hidden),
        None => error.source(),
    }
}

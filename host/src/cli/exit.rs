//! How a run of the binary ends: the exit codes, and the error that carries one.
//!
//! Every exit code of every command is in [`Exit`], so that scripts can rely on the list. An error that ends
//! the process is said once, here, with its chain of causes.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use crate::store::{self, backup};
use crate::{config, data, http, identity, log, plugin, rollout, secret};

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what it was asked; for the daemon: it was told to stop and drained, or cut off what was
    /// left at the drain deadline and said so.
    Ok = 0,
    /// It failed while running; for a command of the client: what it asked for was tried, and did not succeed.
    Failed = 1,
    /// It was refused, or asked in a way that makes no sense (clap uses the same code). For `element plan`,
    /// `migrations plan` and `plugin migration check`: there is something to do.
    Refused = 2,
    /// No daemon answers, or not one that can be trusted.
    Unreachable = 3,
    /// The daemon does not know who is calling, or does not allow it (401, 403).
    Unauthenticated = 4,
    /// The daemon has no such thing (404, 410).
    NotFound = 5,
    /// The daemon cannot do it as things stand (409, 412, 423).
    Conflict = 6,
    /// The daemon refuses what was asked, whatever stands (any other 4xx).
    Rejected = 7,
    /// The daemon failed, or cannot do it now (5xx).
    Unavailable = 8,
    /// The wait is over before the operation, which goes on.
    Unfinished = 9,
    /// The configuration is wrong.
    Config = 64,
    /// The store, or its backup, is none that this version can work with: of somebody else, of a newer
    /// version, or damaged.
    Store = 65,
    /// A second signal ended it at once; for a command of the client: Ctrl-C ended the wait for an operation,
    /// which goes on.
    Interrupted = 130,
}

/// An error that ends the process.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
    audience: Audience,
}

/// Who is told why the process ends.
#[derive(Debug, Clone, Copy)]
enum Audience {
    /// Whoever reads the log, if there is one already.
    Log,
    /// Whoever typed the command.
    Reader,
}

impl Exit {
    /// What it means, in a few words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ok => "Done",
            Self::Failed => "Failed",
            Self::Refused => "Refused",
            Self::Unreachable => "No daemon reached",
            Self::Unauthenticated => "Not authenticated",
            Self::NotFound => "Not found",
            Self::Conflict => "Conflict",
            Self::Rejected => "Rejected",
            Self::Unavailable => "Not available",
            Self::Unfinished => "Not finished",
            Self::Config => "Wrong configuration",
            Self::Store => "Wrong store",
            Self::Interrupted => "Interrupted",
        }
    }
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into(), audience: Audience::Log }
    }

    /// Told as a plain sentence, also when there is a log.
    pub(crate) fn for_a_reader(self) -> Self {
        Self { audience: Audience::Reader, ..self }
    }
}

/// Says the error, if there is one, and gives the process its exit code.
pub(crate) fn code(ended: Result<Exit, Failure>) -> ExitCode {
    let exit = ended.unwrap_or_else(|failure| {
        let Failure { exit, error, audience } = failure;
        say(error.as_ref(), audience);
        exit
    });
    ExitCode::from(exit as u8)
}

fn say(error: &(dyn Error + 'static), audience: Audience) {
    let chain = log::chain(error);
    match audience {
        Audience::Log if tracing::dispatcher::has_been_set() => {
            tracing::error!("{chain}");
            return;
        }
        Audience::Log | Audience::Reader => {}
    }
    // Nobody is left to tell when even stderr is gone; the exit code still speaks.
    writeln!(std::io::stderr(), "metapaas: {chain}").unwrap_or_default();
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::new(Exit::Config, error)
    }
}

impl From<log::Error> for Failure {
    fn from(error: log::Error) -> Self {
        Self::new(Exit::Config, error)
    }
}

impl From<data::Error> for Failure {
    fn from(error: data::Error) -> Self {
        let exit = match error {
            data::Error::InUse { .. } => Exit::Refused,
            data::Error::Create { .. }
            | data::Error::Lock { .. }
            | data::Error::Look { .. }
            | data::Error::Write { .. } => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<identity::Error> for Failure {
    fn from(error: identity::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<secret::RingError> for Failure {
    fn from(error: secret::RingError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<http::server::Error> for Failure {
    fn from(error: http::server::Error) -> Self {
        use http::server::Error::{Bind, LocalAddr, Tls};
        let exit = match error {
            Tls(_) => Exit::Config,
            Bind { .. } | LocalAddr(_) => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<http::paging::Error> for Failure {
    fn from(error: http::paging::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<plugin::OpenError> for Failure {
    fn from(error: plugin::OpenError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<rollout::OpenError> for Failure {
    fn from(error: rollout::OpenError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<rollout::Error> for Failure {
    fn from(error: rollout::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::new(exit_of_store(&error), error)
    }
}

impl From<backup::Error> for Failure {
    fn from(error: backup::Error) -> Self {
        use backup::Error;
        let exit = match &error {
            Error::Store(error) => exit_of_store(error),
            Error::Exists { .. }
            | Error::NotEmpty { .. }
            | Error::NoStore { .. }
            | Error::Unfinished { .. }
            | Error::OtherBackend { .. } => Exit::Refused,
            Error::NotABackup { .. } | Error::Damaged { .. } | Error::Newer { .. } => Exit::Store,
            Error::Data(_)
            | Error::Write { .. }
            | Error::Read { .. }
            | Error::Unsupported { .. } => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

fn exit_of_store(error: &store::Error) -> Exit {
    use store::Error;
    match error {
        Error::InUse { .. } | Error::Locked { .. } => Exit::Refused,
        Error::Foreign { .. }
        | Error::Newer { .. }
        | Error::Damaged { .. }
        | Error::NotADatabase { .. } => Exit::Store,
        Error::File { .. }
        | Error::NotWritable { .. }
        | Error::Full { .. }
        | Error::NoWriteAhead { .. }
        | Error::Unreachable { .. }
        | Error::Unauthorized { .. }
        | Error::Absent { .. }
        | Error::NotAllowed { .. }
        | Error::Statement { .. } => Exit::Failed,
    }
}

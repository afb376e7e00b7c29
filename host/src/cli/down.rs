//! `metapaas down`: stops the daemon of a data directory and waits until it is gone.
//!
//! Guarantees: only the process that holds the directory is signalled (it is known by the open lock file, and
//! signalled through a handle that cannot come to mean another process); it is fine when nothing runs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::exit::{Exit, Failure};
use super::serve;
use super::up::Guide;
use crate::config::Config;
use crate::data;

/// The flags of `down`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The data directory; without it the one that `up` would use here.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file of `up`.
    #[arg(long, value_name = "FILE", env = "METAPAAS_CONFIG")]
    config: Option<PathBuf>,
    /// How many seconds to wait for the end.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u32,
}

/// Why nothing was stopped.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The process cannot be told.
    #[error("process {pid}, which holds `{}`, cannot be told to stop: it may be another user's", data.display())]
    Signal {
        /// The process.
        pid: u32,
        /// What it holds.
        data: PathBuf,
        /// What the system said.
        source: rustix::io::Errno,
    },
    /// It takes longer.
    #[error(
        "process {pid} is still stopping after {seconds} s: wait for it, or run `down` again, which makes it stop at once"
    )]
    StillStopping {
        /// The process.
        pid: u32,
        /// How long it was waited for.
        seconds: u32,
    },
}

/// Stops what runs.
pub(crate) fn run(flags: &Flags) -> Result<Exit, Failure> {
    let Flags { data, config, timeout } = flags;
    let data = match data {
        Some(data) => data.clone(),
        None => {
            let flags = serve::Flags::of_config(config.clone());
            Config::load(Guide::of_this_folder().sources(&flags))?.data
        }
    };
    let ended = match data::holder(&data)? {
        None => format!("nothing runs in `{}`", data.display()),
        Some(pid) => stop(pid, &data, *timeout)?,
    };
    writeln!(io::stdout(), "{ended}").map_err(|source| Failure::new(Exit::Failed, source))?;
    Ok(Exit::Ok)
}

fn stop(pid: u32, data: &Path, seconds: u32) -> Result<String, Failure> {
    let began = Instant::now();
    let failed = |source| Error::Signal { pid, data: data.to_owned(), source };
    let gone = || format!("process {pid} is gone already, nothing runs in `{}`", data.display());
    let id = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let Some(id) = id else { return Ok(gone()) };
    let process = match pidfd_open(id, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(rustix::io::Errno::SRCH) => return Ok(gone()),
        Err(source) => return Err(failed(source).into()),
    };
    // The handle may be of a later process with the same number; if this one holds the directory, it is not.
    if data::holder(data)? != Some(pid) {
        return Ok(gone());
    }
    match pidfd_send_signal(&process, Signal::TERM) {
        Ok(()) => {}
        Err(rustix::io::Errno::SRCH) => return Ok(gone()),
        Err(source) => return Err(failed(source).into()),
    }
    let limit = Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    match poll(&mut ended, Some(&limit)).map_err(failed)? {
        0 => Err(Error::StillStopping { pid, seconds }.into()),
        _ended => Ok(format!(
            "stopped process {pid} after {:.1} s; nothing runs in `{}` any more",
            began.elapsed().as_secs_f64(),
            data.display()
        )),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

//! `metapaas serve`: its flags, its runtime, and the one line that it prints.
//!
//! The run itself is told in `main.rs`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use super::context;
use super::exit::{Exit, Failure};
use crate::config::{Config, Flag, Reserved, Sources};
use crate::identity::Token;
use crate::log;

/// The flags of `serve`. Each overrides the setting of the same name.
#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    /// The directory that holds all of the daemon's state.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address of the user API.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The directory of bundles that elements are installed from.
    #[arg(long, value_name = "DIR")]
    bundles: Option<PathBuf>,
    /// A directory of manifests that say which elements are wanted.
    #[arg(long, value_name = "DIR")]
    elements: Option<PathBuf>,
    /// The PostgreSQL database to keep the state in, instead of SQLite in the data directory. Others on this
    /// machine can read a command line: the environment or the file is the better place for a password.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The address of the orch-api; reserved, nothing listens there in this version.
    #[arg(long, value_name = "ADDR")]
    orch_listen: Option<SocketAddr>,
    /// The address of the status-api; reserved, nothing listens there in this version.
    #[arg(long, value_name = "ADDR")]
    status_listen: Option<SocketAddr>,
    /// The configuration file; without it `metapaas.toml`, if there is one.
    #[arg(long, value_name = "FILE", env = "METAPAAS_CONFIG")]
    config: Option<PathBuf>,
}

impl Flags {
    /// The flags of somebody who gave this one at the most.
    pub(crate) fn of_config(config: Option<PathBuf>) -> Self {
        Self { config, ..Self::default() }
    }

    /// Where the settings of this run come from.
    pub(crate) fn sources(&self) -> Sources {
        let Self {
            data,
            listen,
            bundles,
            elements,
            database_url,
            orch_listen,
            status_listen,
            config,
        } = self;
        let path = |path: &Option<PathBuf>| Some(path.as_ref()?.to_string_lossy().into_owned());
        let address = |address: &Option<SocketAddr>| Some(address.as_ref()?.to_string());
        let flags = [
            ("--data", "data", path(data)),
            ("--listen", "http.listen", address(listen)),
            ("--bundles", "bundles", path(bundles)),
            ("--elements", "elements", path(elements)),
            ("--database-url", "store.database_url", database_url.clone()),
            ("--orch-listen", "orch.listen", address(orch_listen)),
            ("--status-listen", "status.listen", address(status_listen)),
        ];
        let given = |(name, key, value)| Some(Flag { name, key, value: value? });
        Sources::of_this_process(config.clone(), flags.into_iter().filter_map(given).collect())
    }
}

/// Says of each listener that is only a name yet that nothing will answer there.
pub(crate) fn warn_of_reserved(config: &Config) {
    for (key, Reserved { listen }) in [("orch", &config.orch), ("status", &config.status)] {
        if let Some(listen) = listen {
            tracing::warn!(%listen, "`{key}.listen` is reserved: this version listens on no such address");
        }
    }
}

/// The daemon's runtime: one worker per core.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let n_workers = thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(n_workers)
        .thread_name("http")
        // Before a worker sleeps, whoever waits for its core has a turn: under load that is the plugin it has just
        // posted to, whose answers then meet a worker that is awake and cost no wake-up.
        .on_thread_park(thread::yield_now)
        .enable_all()
        .build()
        .map_err(|source| Failure::new(Exit::Failed, source))
}

/// Prints the admin token, which nothing but this line will ever show, and gives it to this user's client.
pub(crate) fn show_first_token(token: &Token, endpoint: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "admin token: {}", token.reveal())?;
    match context::remember(endpoint, token.reveal()) {
        Ok(path) => writeln!(stdout, "the client has it too, in `{}`", path.display())?,
        // The token was shown, so nothing is lost; a service often has no home to keep it in.
        Err(error) => {
            let why = log::chain(&error).to_string();
            tracing::warn!("the client of this user was not given the admin token: {why}");
        }
    }
    stdout.flush()
}

/// Prints where the user API is, for whoever started this.
pub(crate) fn show_address(endpoint: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {endpoint}")?;
    stdout.flush()
}

//! The `metapaas` binary: the daemon, its hidden children and its client.
//!
//! This file is the story of a run: parse, configure, log, own the data directory, bind, serve, drain,
//! say how it ended. Each step lives in the module that it names; no step is decided here.

#![allow(
    dead_code,
    reason = "the plugin side that calls the rest of these rooms is not linked in yet"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::cli::exit::{Exit, Failure};
use crate::cli::{Cli, Command, serve};
use crate::config::Config;
use crate::data::DataDir;
use crate::http::readiness::Standing;
use crate::http::server::Server;
use crate::http::{State, server};
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::shutdown::{Outcome, Signals};

mod cli;
mod config;
mod data;
mod http;
mod identity;
mod log;
mod metrics;
mod nearest;
mod shutdown;

fn main() -> ExitCode {
    let started = Instant::now();
    let ended = match Cli::parse().command {
        Command::Serve(flags) => run_daemon(&flags, started),
        Command::Version => cli::version::print(),
    };
    cli::exit::code(ended)
}

/// What happens before there is a runtime: nothing here waits for anybody.
fn run_daemon(flags: &serve::Flags, started: Instant) -> Result<Exit, Failure> {
    let config = Config::load(flags.sources())?;
    log::start(&config.log)?;
    let data = DataDir::open(&config.data)?;
    let identity = Identity::open(&data, serve::show_first_token)?;
    let runtime = serve::runtime()?;
    let ended = runtime.block_on(serve_until_told(config, identity, started));
    runtime.shutdown_timeout(Duration::from_millis(100));
    drop(data);
    ended
}

/// What happens while there is one: bind, serve, drain.
async fn serve_until_told(
    config: Config,
    identity: Identity,
    started: Instant,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen().map_err(|source| Failure::new(Exit::Failed, source))?;
    let listener = server::bind(config.http.listen).await?;
    let state = Arc::new(State::new(config.http.clone(), identity, Metrics::new()));
    let server =
        Server::start(listener, &config.http, state.metrics.http.clone(), Arc::clone(&state))?;
    state.readiness.set("daemon", Standing::Ready);
    tracing::info!(listen = %server.local_addr(), after_ms = started.elapsed().as_millis(), "ready");

    let signal = signals.next().await;
    tracing::info!(%signal, "draining");
    state.readiness.set("daemon", Standing::NotReady("draining".to_owned()));
    tokio::select! {
        outcome = server.drain(config.http.drain_deadline()) => Ok(ended(&outcome)),
        signal = signals.next() => {
            tracing::warn!(%signal, "told twice: ending at once");
            Ok(Exit::Interrupted)
        }
    }
}

fn ended(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Clean => tracing::info!("drained"),
        Outcome::Abandoned(left) => {
            tracing::warn!(?left, "drain deadline reached: cut off what was left")
        }
    }
    Exit::Ok
}

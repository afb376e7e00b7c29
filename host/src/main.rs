//! The `metapaas` binary: the daemon, its hidden children and its client.
//!
//! This file is the story of a run: parse, configure, log, own the data directory, bind, serve, drain,
//! say how it ended. Each step lives in the module that it names; no step is decided here.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::exit::{Exit, Failure};
use crate::cli::up::Guide;
use crate::cli::{Cli, Command, serve};
use crate::config::{Config, Sources};
use crate::data::DataDir;
use crate::event::Events;
use crate::http::readiness::Standing;
use crate::http::server::{Listener, Server};
use crate::http::{State, Writing, paging};
use crate::idempotency::Attempts;
use crate::identity::{Identity, Token};
use crate::metrics::Metrics;
use crate::migration::Migrations;
use crate::operation::Operations;
use crate::plugin::Plugins;
use crate::resource::reconcile::{self, Reconciler};
use crate::resource::sealed::Pending;
use crate::resource::usage::Instances;
use crate::resource::write::{Writes, writes};
use crate::rollout::{Elements, Folders};
use crate::secret::Secrets;
use crate::services::Offer;
use crate::shutdown::{Outcome, Signals, Tasks};
use crate::store::Store;
use crate::store::fence::Fences;
use crate::store::writer::Writer;

mod cli;
mod config;
mod data;
mod event;
#[allow(
    dead_code,
    unused_imports,
    reason = "the points are there before the code that reaches them"
)]
mod fault;
mod http;
mod idempotency;
mod identity;
mod log;
mod metrics;
mod migration;
mod model;
mod nearest;
mod operation;
mod plugin;
mod resource;
mod rollout;
#[allow(dead_code, reason = "the services that open secrets come with the rest of the engine")]
mod secret;
mod services;
mod shutdown;
mod store;
mod timestamp;

fn main() -> ExitCode {
    let started = Instant::now();
    let Cli { reach, command } = cli::parse();
    let ended = match command {
        Command::Serve(flags) => run_daemon(flags.sources(), &Guide::silent(), started),
        Command::Up(flags) => up(&flags, started),
        Command::Down(flags) => cli::down::run(&flags),
        Command::Client(command) => cli::command::run(reach, command),
        Command::Config(command) => cli::config::run(&command),
        Command::Store(command) => cli::store::run(&command),
        Command::Plugin(command) => cli::plugin::run(command),
        Command::Repository(command) => cli::repository::run(&command),
        Command::Probe(flags) => cli::probe::run(&flags),
        Command::Worker => cli::worker::run(),
        Command::Completions(flags) => cli::completions::print(&flags),
        Command::Version => cli::version::print(),
    };
    cli::exit::code(ended)
}

/// The daemon, for somebody who sees it for the first time.
fn up(flags: &serve::Flags, started: Instant) -> Result<Exit, Failure> {
    let guide = Guide::of_this_folder();
    let ended = run_daemon(guide.sources(flags), &guide, started);
    ended.map_err(Failure::for_a_reader)
}

/// What happens before and after there are requests.
fn run_daemon(sources: Sources, guide: &Guide, started: Instant) -> Result<Exit, Failure> {
    let config = Config::load(sources)?;
    log::start(&config.log)?;
    serve::warn_of_reserved(&config);
    let data = Arc::new(DataDir::open(&config.data)?);
    let runtime = serve::runtime()?;
    let store = runtime.block_on(Store::open(&config.store, &data))?;
    let serving = serve_until_told(config, Arc::clone(&data), store.clone(), guide, started);
    let ended = runtime.block_on(serving);
    runtime.block_on(store.close());
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended.inspect(|_exit| guide.show_ended(data.path()))
}

/// What happens while there is one: bind, serve, drain.
async fn serve_until_told(
    config: Config,
    data: Arc<DataDir>,
    store: Store,
    guide: &Guide,
    started: Instant,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen().map_err(|source| Failure::new(Exit::Failed, source))?;
    let listener = Listener::bind(&config.http).await?;
    let endpoint = listener.endpoint();
    let (requests, plugin_side, metrics) = (Tasks::default(), Tasks::default(), Metrics::new());
    let show = |token: &Token| serve::show_first_token(token, &endpoint);
    let identity =
        Arc::new(Identity::open(&data, &store, &config.iam, config.http.rate(), show).await?);
    Arc::clone(&identity).follow(&plugin_side);
    let fences = Fences::new(store.clone(), config.store.clone());
    let offer = Offer::new(fences.clone(), plugin_side.clone());
    let (limits, measured) = (config.plugin.clone(), metrics.plugin.clone());
    let plugins = Plugins::open(limits, &data, measured, offer, plugin_side.clone())?;
    let events = Events::start(store.clone(), &config.event, &plugin_side);
    let operations = Operations::new(store.clone(), events, plugin_side.clone());
    operations.prune_by_period(&config.operation);
    let secrets = Secrets::open(&config.secret, &data)?;
    identity.count_with(Arc::new(Instances::new(store.clone(), Arc::clone(&plugins))));
    let writing = bring_about(&config, &store, &plugins, &operations, secrets, &plugin_side).await;
    let migrations = Migrations::new(store.clone(), fences, config.migration.clone());
    let kept = store.clone();
    let folders = Folders { bundles: config.bundles(), elements: config.elements.clone() };
    let tasks = plugin_side.clone();
    let elements = Elements::open(plugins, tasks, store, operations, migrations, &data, folders)?;
    let page_key = paging::Key::open(&data)?;
    let state = State::new(
        config.http.clone(),
        identity,
        metrics,
        elements,
        writing,
        page_key,
        requests.clone(),
    );
    let state = Arc::new(state);
    let resumed = state.elements.resume().await;
    let measured = state.metrics.http.clone();
    let server = Server::start(listener, &config.http, measured, requests, Arc::clone(&state));
    serve::show_address(&endpoint).map_err(|source| Failure::new(Exit::Failed, source))?;

    // Requests are answered already: a first start may take its time.
    let starting = async {
        guide.make_demo(&state, &config.bundles()).await;
        match resumed {
            Ok(resumed) => resumed.settled().await,
            Err(error) => {
                let cause = log::chain(&error).to_string();
                tracing::error!("what is wanted cannot be brought up: {cause}");
                return state.readiness.set("daemon", Standing::NotReady(cause));
            }
        }
        plugin_side.spawn("reconciler", Arc::clone(&state.elements).follow());
        guide.install_demo(&state, &data, &config.bundles()).await;
        state.readiness.set("daemon", Standing::Ready);
        tracing::info!(endpoint, after_ms = started.elapsed().as_millis(), "ready");
        guide.show_ready(&state, &config, &endpoint, started.elapsed());
    };
    let lost = tokio::select! {
        signal = signals.next_beside(starting) => {
            tracing::info!(%signal, "draining");
            None
        }
        lost = kept.lost() => {
            tracing::error!("draining: {lost}");
            Some(lost)
        }
    };
    guide.show_stopping();
    state.readiness.set("daemon", Standing::NotReady("draining".to_owned()));
    let ended = end(server, signals, &config, &plugin_side).await;
    lost.map_or(Ok(ended), |lost| Err(lost.into()))
}

/// Lets clients change resources, and has plugins bring about what they want, until the daemon ends.
async fn bring_about(
    config: &Config,
    store: &Store,
    plugins: &Arc<Plugins>,
    operations: &Operations,
    secrets: Secrets,
    plugin_side: &Tasks,
) -> Writing {
    let reconciler = Reconciler::new(reconcile::Parts {
        store: store.clone(),
        plugins: Arc::clone(plugins),
        operations: operations.clone(),
        secrets: secrets.clone(),
        config: config.resource.clone(),
        tasks: plugin_side.clone(),
    });
    let writes = Writes::new(writes::Parts {
        store: store.clone(),
        writer: Writer::start(store, plugin_side),
        operations: operations.clone(),
        secrets: secrets.clone(),
        reconciler: reconciler.clone(),
        plugins: Arc::clone(plugins),
        pending: Pending::default(),
        config: config.resource.clone(),
        tasks: plugin_side.clone(),
    });
    writes.end_interrupted().await;
    plugins.offer.lead_to(&writes);
    plugin_side.spawn("resources", reconciler.follow());
    let attempts = Attempts::new(store.clone(), &config.idempotency, plugin_side.clone());
    attempts.prune_by_period();
    Writing { writes, attempts }
}

/// Drains, unless somebody is in a hurry.
async fn end(server: Server, mut signals: Signals, config: &Config, plugin_side: &Tasks) -> Exit {
    tokio::select! {
        ended = drain(server, config, plugin_side) => ended,
        signal = signals.next() => {
            tracing::warn!(%signal, "told twice: ending at once");
            Exit::Interrupted
        }
    }
}

/// Requests first, then the plugins that answer them.
async fn drain(server: Server, config: &Config, plugin_side: &Tasks) -> Exit {
    let served = server.drain(config.http.drain_deadline()).await;
    let ended = plugin_side.shut_down(config.plugin.shutdown_deadline()).await;
    for outcome in [served, ended] {
        match outcome {
            Outcome::Clean => {}
            Outcome::Abandoned(left) => {
                tracing::warn!(?left, "drain deadline reached: cut off what was left");
            }
        }
    }
    tracing::info!("drained");
    Exit::Ok
}

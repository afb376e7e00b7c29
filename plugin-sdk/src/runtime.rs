//! One run of a plugin, from settings to the last task, on the thread that the host gave it.
//!
//! Guarantees: no panic leaves [`run`]; when it returns, the plugin's value is dropped, no task is alive
//! and the runtime's own threads are gone, if they let themselves be joined until the deadline. The
//! runtime is single-threaded and watches the host's mailbox; nothing of it is ever seen by the host.

mod exchange;
mod mail;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use plugin_abi::api::{DescriptorSink, GenerationInfo, HostApi};
use plugin_abi::descriptor::StartDocument;
use plugin_abi::message::Outbound;
use plugin_abi::root::AbiExit;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use self::mail::{Mail, Serving};
use crate::calls::Calls;
use crate::caught::{self, Caught, PanicReport, catch};
use crate::context::Context;
use crate::generation::Generation;
use crate::log;
use crate::plugin::Plugin;
use crate::router::declaration::Declaration;
use crate::tasks::Tasks;

/// How long tasks may take to fall when they are dropped after the deadline, and how long threads of the
/// blocking pool are awaited at least.
const LAST_GRACE: Duration = Duration::from_millis(250);

/// The `descriptor` function of a plugin. What is wrong with the declaration is written instead of it.
pub fn describe<P: Plugin>(sink: DescriptorSink) {
    caught::install_hook();
    let document = catch(&mut None, || match Declaration::<P>::of_plugin() {
        Ok(declaration) => declaration.json(),
        Err(error) => format!("plugin `{}`: {error}", P::ELEMENT).into_bytes(),
    });
    match document {
        Ok(document) => sink.write(&document),
        Err(report) => sink.write(format!("plugin `{}` panicked: {report}", P::ELEMENT).as_bytes()),
    }
}

/// The `run` function of a plugin.
pub fn run<P: Plugin>(host: HostApi, info: GenerationInfo<'_>) -> AbiExit {
    caught::install_hook();
    let _connection = log::connect(host);
    match catch(&mut None, || start_and_serve::<P>(host, info)) {
        Ok(Ok(())) => AbiExit::Stopped,
        Ok(Err(Failure::NotStarted(reason))) => {
            host.send(Outbound::StartFailed { reason: &reason });
            AbiExit::StartFailed
        }
        Ok(Err(Failure::Panicked(report))) | Err(report) => {
            report.send(&host, None);
            AbiExit::Panicked
        }
    }
}

/// Why a run did not end well.
enum Failure {
    NotStarted(String),
    Panicked(PanicReport),
}

fn start_and_serve<P: Plugin>(host: HostApi, info: GenerationInfo<'_>) -> Result<(), Failure> {
    let not_started = |reason: String| Failure::NotStarted(reason);
    let declaration =
        Declaration::<P>::of_plugin().map_err(|error| not_started(error.to_string()))?;
    let document = info.document().map_err(|error| {
        not_started(format!("the start document is not of this SDK's kind: {error}"))
    })?;
    let StartDocument { schema_version: _, element, version, settings, database } = document;
    let settings = read_settings::<P>(settings).map_err(not_started)?;
    let runtime =
        runtime(host).map_err(|error| not_started(format!("no runtime can be made: {error}")))?;
    let generation = Arc::new(Generation {
        element,
        version,
        number: info.generation(),
        database,
        by_struct: declaration.by_struct.clone(),
        mode: info.mode(),
        host,
        calls: Calls::default(),
        tasks: Tasks::default(),
        runtime: runtime.handle().clone(),
        stopping: watch::Sender::new(false),
    });
    let life = runtime.spawn(live::<P>(generation, declaration, settings));
    let (deadline, outcome) = match runtime.block_on(life) {
        Ok((deadline, outcome)) => (deadline, outcome),
        Err(error) => (Instant::now(), Err(Failure::Panicked(PanicReport::of_join_error(error)))),
    };
    let left = deadline.saturating_duration_since(Instant::now());
    runtime.shutdown_timeout(left.max(LAST_GRACE));
    outcome
}

fn read_settings<P: Plugin>(settings: Value) -> Result<P::Settings, String> {
    serde_path_to_error::deserialize(settings).map_err(|error| {
        let place = error.path().to_string();
        match place.as_str() {
            "." | "?" => format!("the settings do not fit: {}", error.inner()),
            setting => format!("setting `{setting}` does not fit: {}", error.inner()),
        }
    })
}

fn runtime(host: HostApi) -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_name("plugin-blocking")
        .on_thread_start(move || log::connect_thread(Some(host)))
        .on_thread_stop(|| log::connect_thread(None))
        .build()
}

/// The life of a generation. It is a task, not the main future of the runtime, because a task that gives
/// way costs no system call.
async fn live<P: Plugin>(
    generation: Arc<Generation>,
    declaration: Declaration<P>,
    settings: P::Settings,
) -> (Instant, Result<(), Failure>) {
    let mut mail = match Mail::new(Arc::clone(&generation)) {
        Ok(mail) => mail,
        Err(error) => {
            let reason = format!("the mailbox cannot be watched: {error}");
            return (Instant::now(), Err(Failure::NotStarted(reason)));
        }
    };
    let context = Context { generation: Arc::clone(&generation) };
    let start = Caught::in_shared(Box::pin(P::start(context, settings)));
    let plugin = match mail.until(start).await {
        Ok(Ok(Ok(plugin))) => Arc::new(plugin),
        Ok(Ok(Err(error))) => {
            let reason = error.reason().to_owned();
            return (Instant::now(), Err(Failure::NotStarted(reason)));
        }
        Ok(Err(report)) => return (Instant::now(), Err(Failure::Panicked(report))),
        // Stopped before it had started: there is nothing to stop.
        Err(deadline) => return (deadline, Ok(())),
    };
    mail.serve(Serving { plugin: Arc::clone(&plugin), declaration: Arc::new(declaration) });
    generation.host.send(Outbound::Started);
    let deadline = match mail.until(pending::<Infallible>()).await {
        Ok(never) => match never {},
        Err(deadline) => deadline,
    };
    (deadline, stop(&generation, mail, plugin, deadline).await)
}

/// Ends a generation: tasks first, then the plugin.
async fn stop<P: Plugin>(
    generation: &Generation,
    mut mail: Mail<P>,
    plugin: Arc<P>,
    deadline: Instant,
) -> Result<(), Failure> {
    generation.stopping.send_replace(true);
    let drained = timeout_at(deadline, generation.tasks.drained());
    // What is not drained at the deadline is dropped and named below.
    let _late = mail.until_stopped_again(drained).await;
    let last_words = Caught::in_shared(Box::pin(Arc::clone(&plugin).stop()));
    let said = mail.until_stopped_again(timeout_at(deadline, last_words)).await;
    let dropped = generation.tasks.abort_all();
    if !dropped.is_empty() {
        let names = dropped.join("`, `");
        tracing::warn!("still running at the deadline and dropped: `{names}`");
        let fallen = timeout_at(Instant::now() + LAST_GRACE, generation.tasks.drained());
        if mail.until_stopped_again(fallen).await.is_err() {
            tracing::error!("a dropped task does not give way; its thread cannot be taken from it");
        }
    }
    drop(mail);
    let buried = catch(&mut None, || drop(plugin));
    match said {
        Ok(Err(report)) => return Err(Failure::Panicked(report)),
        Ok(Ok(())) => {}
        Err(_elapsed) => tracing::warn!("`stop` was not done at the deadline and was dropped"),
    }
    buried.map_err(Failure::Panicked)
}

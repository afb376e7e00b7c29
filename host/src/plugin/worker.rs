//! The worker lane: a generation in a child process of this same binary.
//!
//! The child runs the generation exactly as the daemon would (`child`); only its port forwards what the
//! plugin says over the [`Link`], and what the daemon says arrives in its mailbox. So a crash of the code
//! costs its requests in flight and nothing else.
//!
//! Guarantees: a child never outlives its daemon (it ends when the link closes), nor its generation (it is
//! killed when it does not stop). Deliberately absent: a sandbox.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use plugin_abi::message::{Outbound, Unreadable};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::conversation::Conversation;
use super::identity::Phase;
use super::link::{self, Frame, Link};
use crate::services::Services;
use crate::shutdown::Tasks;

pub(crate) mod child;

/// The kind of the first frame, which tells a worker what to run. No message has this kind.
const START: u32 = 0;

/// What a worker is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StartFrame {
    /// The number the plugin is told.
    pub(crate) generation: u64,
    /// The name of the generation's thread.
    pub(crate) thread: String,
    /// The library to map.
    pub(crate) library: std::path::PathBuf,
    /// The descriptor in the bundle, byte for byte.
    pub(crate) descriptor: String,
    /// What the plugin is started with.
    pub(crate) document: String,
}

/// A child process that runs a generation.
#[derive(Debug)]
pub(crate) struct WorkerPlace {
    /// The child's end, once it has ended. Written by the task that owns the child.
    ended: watch::Receiver<Option<String>>,
    /// Kills the child when dropped or told.
    kill: tokio_util::sync::CancellationToken,
}

/// What a worker needs before it can be spoken to.
#[derive(Debug)]
pub(crate) struct Spawned {
    child: Child,
    socket: UnixStream,
    link: Arc<Link>,
}

/// Starts a child and tells it what to run.
///
/// # Errors
/// When the process may have no further child or socket.
pub(crate) fn spawn(link: Arc<Link>, start: &StartFrame) -> anyhow::Result<Spawned> {
    let (ours, theirs) = StdUnixStream::pair().context("no socket for a worker")?;
    ours.set_nonblocking(true).context("no socket for a worker")?;
    let child = Command::new(Path::new("/proc/self/exe"))
        .arg0("metapaas")
        .arg("worker")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a worker process")?;
    let head = serde_json::to_vec(start).context("a start frame is plain data")?;
    link.send(Frame { kind: START, id: 0, call: 0, detail: 0, head: &head, body: &[] });
    Ok(Spawned { child, socket: UnixStream::from_std(ours)?, link })
}

impl Spawned {
    /// Lets the child speak: everything it says goes to `conversation`, its end ends everything.
    pub(crate) fn run(
        self,
        conversation: Arc<Conversation>,
        services: Services,
        tasks: &Tasks,
    ) -> WorkerPlace {
        let (tell_end, ended) = watch::channel(None);
        let kill = tokio_util::sync::CancellationToken::new();
        let killed = kill.clone();
        tasks.spawn("worker", async move {
            let how = converse(self, &conversation, &services, killed).await;
            conversation.lost(&format!("its worker process ended by {how}"));
            tell_end.send_replace(Some(how));
        });
        WorkerPlace { ended, kill }
    }
}

async fn converse(
    spawned: Spawned,
    conversation: &Arc<Conversation>,
    services: &Services,
    killed: tokio_util::sync::CancellationToken,
) -> String {
    let Spawned { mut child, socket, link } = spawned;
    let stderr = child.stderr.take().map(|stderr| forward(stderr, services));
    let (read_half, write_half) = socket.into_split();
    let reading = link::read_from(read_half, |frame| conversation.said(outbound(&frame)));
    let exit = async {
        tokio::select! {
            // The socket ends with the process; its status says more.
            _closed = reading => {}
            _closed = link.write_to(write_half) => {}
            () = killed.cancelled() => {}
        }
        link.close();
        if timeout(Duration::from_millis(200), child.wait()).await.is_err() {
            // It may have ended in between, which is as good.
            let _signalled = child.start_kill();
        }
        child.wait().await
    };
    let forwarding = async {
        if let Some(stderr) = stderr {
            stderr.await;
        }
    };
    let (exit, ()) = tokio::join!(exit, forwarding);
    exit.map_or_else(|error| error.to_string(), describe)
}

fn outbound<'a>(frame: &Frame<'a>) -> Result<Outbound<'a>, Unreadable> {
    let Frame { kind, id, call, detail, head, body } = *frame;
    Outbound::from_raw(plugin_abi::api::RawOutbound {
        kind,
        id,
        call,
        detail,
        head: head.into(),
        body: body.into(),
    })
}

/// Copies what the worker prints into the log, a line a record.
async fn forward(stderr: ChildStderr, services: &Services) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        services.printed(&line);
    }
}

/// An exit status in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

impl WorkerPlace {
    /// Waits until the child has ended, and kills it when it does not. It was told to stop.
    pub(crate) async fn end(&self, limit: Duration) -> Phase {
        let mut ended = self.ended.clone();
        if timeout(limit, ended.wait_for(Option::is_some)).await.is_err() {
            self.kill.cancel();
            // The task that owns the child ends in bounded time once it is killed.
            let _ended = ended.wait_for(Option::is_some).await;
        }
        Phase::Unloaded
    }
}

//! The inside of a worker process: one generation, whose port forwards everything over the link.
//!
//! The process ends when its plugin has returned, or at once when the daemon's end of the link closes.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use plugin_abi::host::HostPort;
use plugin_abi::mailbox::Mailbox;
use plugin_abi::message::{EndOutcome, Inbound, InboundParts, Outbound, Unreadable};
use plugin_abi::root::Mode;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{START, StartFrame};
use crate::plugin::link::{self, Frame, Link};
use crate::plugin::run::{self, Load, PluginRun};

/// The longest whole answer that fits a frame of the link; longer ones are for streams.
const BODY_BYTES_MAX: usize = link::FRAME_BYTES_MAX / 2;

/// How long the daemon may take to read what the plugin said last.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// The host as the plugin's code reaches it in a worker.
#[derive(Debug)]
struct Port {
    mailbox: Arc<Mailbox>,
    link: Arc<Link>,
}

impl HostPort for Port {
    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn said(&self, message: Result<Outbound<'_>, Unreadable>) {
        match message {
            Ok(Outbound::Respond { request, body, .. }) if body.len() > BODY_BYTES_MAX => {
                tracing::error!(
                    "an answer of {} bytes is too long for a worker; stream it",
                    body.len()
                );
                self.link.say(Outbound::End { request, outcome: EndOutcome::Broken }.to_raw());
            }
            Ok(message) => self.link.say(message.to_raw()),
            // The daemon counts what cannot be read and completes the call; an impossible kind tells it so.
            Err(Unreadable { call, .. }) => {
                self.link.send(Frame {
                    kind: u32::MAX,
                    id: 0,
                    call,
                    detail: 0,
                    head: &[],
                    body: &[],
                });
            }
        }
    }
}

/// Runs the generation that the daemon asks for on standard input, which is a socket.
///
/// # Errors
/// When standard input is no link of a daemon, or the generation could not be run.
pub(crate) fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve());
    // A thread of the plugin may be stuck; nothing of this process is worth waiting for.
    runtime.shutdown_background();
    outcome
}

async fn serve() -> anyhow::Result<()> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let socket = StdUnixStream::from(socket);
    socket.set_nonblocking(true)?;
    let socket = UnixStream::from_std(socket)
        .context("standard input is not a link; workers are started by the daemon")?;
    let (read_half, write_half) = socket.into_split();
    let link = Arc::new(Link::default());
    let mailbox = Arc::new(Mailbox::new()?);
    let (start_sender, mut start) = mpsc::channel(1);
    let reading = link::read_from(read_half, |frame| receive(&frame, &mailbox, &start_sender));
    tokio::pin!(reading);
    let start = tokio::select! {
        closed = &mut reading => bail!("the daemon closed the link before it said what to run: {closed:?}"),
        start = start.recv() => start.context("the start frame is held by the reader")?,
    };
    let port = Arc::new(Port { mailbox: Arc::clone(&mailbox), link: Arc::clone(&link) });
    let PluginRun { mut returned, .. } = run(start, port)?;
    let writing = link.write_to(write_half);
    tokio::pin!(writing);
    tokio::select! {
        // Whatever the plugin does, without its daemon it has nobody to do it for.
        _closed = &mut reading => Ok(()),
        _broken = &mut writing => Ok(()),
        returned = &mut returned => {
            let returned = returned.context("the generation's thread is gone")?;
            if let Err(error) = &returned.end {
                let reason = error.to_string();
                link.say(Outbound::StartFailed { reason: &reason }.to_raw());
            }
            // What the plugin said last is still to be written.
            link.finish();
            let _flushed = timeout(FLUSH_WITHIN, writing).await;
            Ok(())
        }
    }
}

fn receive(frame: &Frame<'_>, mailbox: &Mailbox, start: &mpsc::Sender<StartFrame>) {
    if frame.kind == START {
        if let Ok(start_frame) = serde_json::from_slice(frame.head) {
            // There is one start frame; a second one finds the channel full and changes nothing.
            let _sent = start.try_send(start_frame);
        }
        return;
    }
    let Frame { kind, id, detail, head, .. } = *frame;
    let parts = InboundParts { kind, id, detail, payload: head.to_vec() };
    if let Ok(message) = Inbound::from_parts(parts) {
        mailbox.post(message);
    }
}

fn run(start: StartFrame, port: Arc<Port>) -> std::io::Result<PluginRun> {
    let StartFrame { generation, thread, library, descriptor, document } = start;
    let load = Load {
        generation,
        mode: Mode::Serve,
        descriptor: Arc::from(descriptor.into_bytes()),
        document: document.into_bytes(),
    };
    run::spawn(thread, library, load, port, |_returned| {})
}

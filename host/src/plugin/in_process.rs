//! The in-process lane: a generation on a thread of its own in the daemon, until it has been taken down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plugin_abi::host::HostPort;
use plugin_abi::mailbox::Mailbox;
use plugin_abi::message::{Outbound, Unreadable};
use tokio::time::timeout;

use super::conversation::Conversation;
use super::identity::{Identity, Phase};
use super::retained::Retained;
use super::run::{PluginRun, Returned, Running};
use super::unload::{self, Unloading};

/// A generation's thread, until it has been joined.
#[derive(Debug)]
pub(crate) struct InProcess {
    identity: Identity,
    running: Mutex<Option<Running>>,
    retained: Arc<Retained>,
}

/// The host as the plugin's code reaches it in this process.
#[derive(Debug)]
pub(crate) struct Port {
    mailbox: Arc<Mailbox>,
    conversation: Arc<Conversation>,
}

impl Port {
    /// The port of `conversation`, whose lane is `mailbox`.
    pub(crate) fn new(mailbox: Arc<Mailbox>, conversation: Arc<Conversation>) -> Arc<Self> {
        Arc::new(Self { mailbox, conversation })
    }
}

impl HostPort for Port {
    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn said(&self, message: Result<Outbound<'_>, Unreadable>) {
        self.conversation.said(message);
    }

    fn released(&self, memory: Vec<u8>) {
        self.conversation.released(memory);
    }
}

impl InProcess {
    /// A place for a generation whose thread runs.
    pub(crate) fn new(identity: Identity, running: Running, retained: Arc<Retained>) -> Self {
        Self { identity, running: Mutex::new(Some(running)), retained }
    }

    /// Waits until the thread has returned, and takes everything down. The generation was told to stop.
    pub(crate) async fn end(&self, limit: Duration, stopped: impl FnOnce()) -> Phase {
        let Some(mut running) = self.take() else { return Phase::Unloaded };
        let Ok(returned) = timeout(limit, &mut running.thread.returned).await else {
            return self.retained.keep_running(self.identity.clone(), running, limit);
        };
        stopped();
        self.unload(running, returned.expect(HANDS_BACK)).await
    }

    async fn unload(&self, running: Running, returned: Returned) -> Phase {
        let Running { thread: PluginRun { mark, handle, .. }, image } = running;
        match unload::unload(returned.code, Some(handle), mark, image).await {
            Unloading::Done => Phase::Unloaded,
            Unloading::Kept(kept) => self.retained.keep(self.identity.clone(), kept),
        }
    }

    fn take(&self) -> Option<Running> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const HANDS_BACK: &str = "the thread hands back as its last act";

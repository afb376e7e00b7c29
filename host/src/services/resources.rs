//! Services 2 and 3: a plugin's own resources, and the secrets in them.
//!
//! Guarantees: every call is completed; nothing here waits on the plugin's thread; a generation has at most
//! [`CALLS_MAX`] calls under way, and one more is refused at once; when the generation ends, nobody waits for an
//! answer any more. Not here: what a plugin may do ([`crate::resource::own`]).

use std::sync::{Arc, OnceLock};

use packer::bundle::ElementName;
use plugin_abi::message::CallId;
use plugin_abi::resource::access;
use plugin_abi::{AbiError, ErrorCode, secret};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::plugin::conversation::Conversation;
use crate::resource::own::Own;
use crate::resource::write::WeakWrites;
use crate::shutdown::Tasks;

/// So many calls of one generation are under way at most.
const CALLS_MAX: usize = 64;

/// The way to the resources, once there is one: they need plugins, which need this.
pub(crate) type Way = Arc<OnceLock<WeakWrites>>;

/// The two services of one generation.
#[derive(Debug)]
pub(super) struct Resources {
    /// To the one task that takes them: a plugin's thread has no runtime of the host's.
    calls: mpsc::UnboundedSender<Call>,
    /// One for each call that may be under way; this is what bounds the queue.
    places: Arc<Semaphore>,
    ended: CancellationToken,
}

/// What is asked, and of which of the two.
#[derive(Debug)]
enum Asked {
    Resources(access::Request),
    Secrets(secret::Request),
}

/// A call that a plugin made and waits for. It is completed when it is dropped, if it was not before.
#[derive(Debug)]
struct Call {
    conversation: Arc<Conversation>,
    id: CallId,
    asked: Option<Asked>,
    outcome: Result<Vec<u8>, AbiError>,
    _place: OwnedSemaphorePermit,
}

impl Resources {
    pub(super) fn new(element: &ElementName, way: &Way, tasks: &Tasks) -> Self {
        let (calls, to_take) = mpsc::unbounded_channel();
        let ended = CancellationToken::new();
        let (element, way) = (element.clone(), Arc::clone(way));
        tasks.spawn("resources of a plugin", take_all(to_take, ended.clone(), element, way));
        Self { calls, places: Arc::new(Semaphore::new(CALLS_MAX)), ended }
    }

    /// Takes what the plugin asks of its resources. Runs on the plugin's thread: it copies and returns.
    pub(super) fn ask(&self, conversation: &Arc<Conversation>, call: CallId, payload: &[u8]) {
        if payload.len() > access::REQUEST_BYTES_MAX {
            let message = format!("{} bytes are the most", access::REQUEST_BYTES_MAX);
            let answer = access::Answer::fault(access::FaultKind::Invalid, message);
            return conversation.complete(call, Ok(answer.encode()));
        }
        self.take(conversation, call, access::Request::decode(payload).map(Asked::Resources));
    }

    /// The same of its secrets.
    pub(super) fn ask_secret(
        &self,
        conversation: &Arc<Conversation>,
        call: CallId,
        payload: &[u8],
    ) {
        self.take(conversation, call, secret::Request::decode(payload).map(Asked::Secrets));
    }

    fn take(
        &self,
        conversation: &Arc<Conversation>,
        id: CallId,
        asked: Result<Asked, serde_json::Error>,
    ) {
        let refuse = |code, message: String| {
            conversation.complete(id, Err(AbiError::new(code, message)));
        };
        let asked = match asked {
            Ok(asked) => Some(asked),
            Err(error) => return refuse(ErrorCode::Invalid, error.to_string()),
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let message = format!("{CALLS_MAX} calls of this generation are under way");
            return refuse(ErrorCode::Unavailable, message);
        };
        let outcome = Err(AbiError::new(ErrorCode::Closed, "the generation has ended"));
        let conversation = Arc::clone(conversation);
        let call = Call { conversation, id, asked, outcome, _place: place };
        // When nobody takes it, the generation has ended, and the call that comes back says so by itself.
        let _taken = self.calls.send(call);
    }

    /// Ends everything: the plugin will take no answer any more.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let closed = AbiError::new(ErrorCode::Closed, String::new());
        let outcome = std::mem::replace(&mut self.outcome, Err(closed));
        self.conversation.complete(self.id, outcome);
    }
}

/// Has each call answered in a task of its own, until the generation has ended.
async fn take_all(
    mut calls: mpsc::UnboundedReceiver<Call>,
    ended: CancellationToken,
    element: ElementName,
    way: Way,
) {
    let mut work = JoinSet::new();
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            Some(_done) = work.join_next(), if !work.is_empty() => {}
            call = calls.recv() => match call {
                Some(call) => { work.spawn(answer(call, element.clone(), Way::clone(&way))); }
                None => return,
            },
        }
    }
}

async fn answer(mut call: Call, element: ElementName, way: Way) {
    let Some(asked) = call.asked.take() else { return };
    let Some(writes) = way.get().and_then(WeakWrites::upgrade) else {
        let message = "the daemon is not ready for that";
        call.outcome = Err(AbiError::new(ErrorCode::Unavailable, message));
        return;
    };
    let own = Own::new(writes, element);
    call.outcome = Ok(match asked {
        Asked::Resources(request) => own.answer(request).await.encode(),
        Asked::Secrets(request) => own.open(request).await.encode(),
    });
}

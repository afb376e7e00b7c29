//! The tasks of a generation: each has an owner, a name and an end.
//!
//! A request that could not be answered at once is a task that its cancellation aborts; everything else
//! (what an author spawns, streams) is a named background task. The generation is drained when there are
//! none of either. A task is noted before it runs and struck off by its own drop, so the count is never
//! wrong, however the task ends.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin_abi::message::RequestId;
use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::generation::Generation;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    alive: Mutex<Alive>,
    /// Notified when the last task ends.
    drained: Notify,
}

#[derive(Debug, Default)]
struct Alive {
    requests: HashMap<RequestId, AbortHandle, BuildHasherDefault<IdHasher>>,
    background: Slab<Background>,
}

#[derive(Debug)]
struct Background {
    name: String,
    /// `None` until it has been spawned.
    abort: Option<AbortHandle>,
}

impl Alive {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.background.is_empty()
    }
}

impl Tasks {
    /// Notes the task that answers a request.
    pub(crate) fn add_request(&self, request: RequestId, abort: AbortHandle) {
        self.lock().requests.insert(request, abort);
    }

    /// Strikes a request off; nothing when it never became a task.
    pub(crate) fn remove_request(&self, request: RequestId) {
        let mut alive = self.lock();
        if alive.requests.remove(&request).is_some() && alive.is_empty() {
            self.drained.notify_waiters();
        }
    }

    /// Aborts the task that answers a request; nothing when it is over.
    pub(crate) fn cancel(&self, request: RequestId) {
        let abort = self.lock().requests.get(&request).cloned();
        if let Some(abort) = abort {
            abort.abort();
        }
    }

    /// Aborts everything that is alive and says what that was.
    pub(crate) fn abort_all(&self) -> Vec<String> {
        let alive = self.lock();
        let requests = alive.requests.keys().map(|request| format!("request {request}"));
        let names = requests.chain(alive.background.iter().map(|(_idx, task)| task.name.clone()));
        let names = names.collect();
        let background = alive.background.iter().filter_map(|(_idx, task)| task.abort.clone());
        let aborts: Vec<_> = alive.requests.values().cloned().chain(background).collect();
        drop(alive);
        aborts.iter().for_each(AbortHandle::abort);
        names
    }

    /// Completes when no task is alive.
    pub(crate) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.lock().is_empty() {
                return;
            }
            drained.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Alive> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `future` as a background task of `generation`.
pub(crate) fn spawn_background<F>(generation: &Arc<Generation>, name: String, future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let background = Background { name, abort: None };
    let idx = generation.tasks.lock().background.insert(background);
    let membership = Membership { generation: Arc::clone(generation), idx };
    let task = generation.runtime.spawn(async move {
        let _membership = membership;
        future.await;
    });
    if let Some(background) = generation.tasks.lock().background.get_mut(idx) {
        background.abort = Some(task.abort_handle());
    }
}

/// A background task's place in the list; its drop is the end of the task.
struct Membership {
    generation: Arc<Generation>,
    idx: usize,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let tasks = &self.generation.tasks;
        let mut alive = tasks.lock();
        alive.background.remove(self.idx);
        if alive.is_empty() {
            tasks.drained.notify_waiters();
        }
    }
}

/// Spreads ids that the host counts up; nobody chooses them to collide.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(self.0 << 8 | u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

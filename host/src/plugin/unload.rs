//! Giving a generation's code back, and proving that it is gone.
//!
//! The order is the safety: the generation's thread is joined; no thread of its mark may be alive; its
//! pthread keys are deleted; `dlclose`; then the process's own mappings are looked up. It happens on a
//! short-lived thread, because the library's destructors run there and leave thread-locals behind. What
//! cannot be closed safely is kept for ever rather than closed at a guess.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::image::Image;
use super::library::{Closed, Mapped};
use super::run::Code;
use super::threads::{self, Mark, PluginThread};

/// How long the kernel may take to forget a thread that was joined.
pub(crate) const THREAD_GONE_WITHIN: Duration = Duration::from_secs(1);

/// What became of a generation's code.
#[derive(Debug)]
pub(crate) enum Unloading {
    /// Nothing of it is mapped.
    Done,
    /// Something of it is, and stays.
    Kept(Kept),
}

/// Code that could not be given back.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Held so that nothing frees what foreign threads may use; `None` once `dlclose` was called.
    pub(crate) code: Code,
    /// Held so that nobody maps this inode again.
    pub(crate) image: Image,
    /// Of the threads that are in the way.
    pub(crate) mark: Mark,
    /// How much is mapped.
    pub(crate) bytes: u64,
    /// Why.
    pub(crate) reason: KeptReason,
}

/// Why code could not be given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeptReason {
    /// Closing would unmap code that a thread executes.
    #[error(
        "threads that the plugin started are still running ({n_threads}); end them when the plugin is stopped"
    )]
    ForeignThreads {
        /// How many.
        n_threads: usize,
    },
    /// `dlclose` was called and the mapping is still there.
    #[error(
        "the dynamic linker keeps it mapped; a thread of the daemon may hold one of its thread-locals"
    )]
    StillMapped,
    /// The thread has not returned.
    #[error("its thread did not return within {} ms of being told to stop; it may be blocked or busy", limit.as_millis())]
    StillRunning {
        /// How long it was given.
        limit: Duration,
    },
    /// The system has no thread to unload it on.
    #[error("the system has no thread to unload it on; it is tried again")]
    NoThread,
    /// The kernel does not show our own mappings, so nothing can be proved.
    #[error("the process's mappings cannot be read, so nothing was closed")]
    Unprovable,
}

/// Takes down what a generation's thread handed back. The thread, unless it was joined
/// before, has nothing left to do but end.
pub(crate) async fn unload(
    code: Code,
    thread: Option<JoinHandle<()>>,
    mark: Mark,
    image: Image,
) -> Unloading {
    let (done, unloading) = oneshot::channel();
    // Behind a lock so that nothing is lost when there is no thread to be had.
    let load = Arc::new(Mutex::new(Some((code, image))));
    let taken = Arc::clone(&load);
    let take = |load: &Mutex<Option<_>>| load.lock().unwrap_or_else(PoisonError::into_inner).take();
    let spawned = threads::spawn("unload".to_owned(), Mark::new(), move |here| {
        // A plugin's panic was caught long before; what the join says is of no interest any more.
        let _joined = thread.map(JoinHandle::join);
        let closed = take(&taken).map(|(code, image)| close(code, mark, image, here));
        let _received = done.send(closed);
    });
    let closed = match spawned {
        Ok(_detached) => unloading.await.expect("the unload thread sends before it ends"),
        Err(_no_thread) => take(&load).map(|(code, image)| {
            let bytes = image.mapped_bytes();
            Unloading::Kept(Kept { code, image, mark, bytes, reason: KeptReason::NoThread })
        }),
    };
    closed.expect("code and image are taken once")
}

fn close(code: Code, mark: Mark, image: Image, here: &PluginThread) -> Unloading {
    let n_threads = wait_for_threads(mark);
    let mapped = match code {
        Code::None => return Unloading::Done,
        Code::Refused(mapped) => mapped,
        Code::Library(library) if n_threads == 0 => library.into_mapped(),
        Code::Library(library) => {
            let bytes = image.mapped_bytes();
            let reason = KeptReason::ForeignThreads { n_threads };
            return Unloading::Kept(Kept {
                code: Code::Library(library),
                image,
                mark,
                bytes,
                reason,
            });
        }
    };
    close_mapped(mapped, mark, image, here)
}

fn close_mapped(mapped: Mapped, mark: Mark, image: Image, here: &PluginThread) -> Unloading {
    let kept =
        |bytes, reason| Unloading::Kept(Kept { code: Code::None, image, mark, bytes, reason });
    match mapped.close(here) {
        Ok(Closed::Unmapped) => Unloading::Done,
        Ok(Closed::StillMapped { bytes }) => kept(bytes, KeptReason::StillMapped),
        Err(_unreadable) => kept(0, KeptReason::Unprovable),
    }
}

/// How many threads of `mark` are alive, once those that have ended are gone from the kernel's list too.
#[expect(clippy::disallowed_methods, reason = "the unload thread serves nobody else")]
pub(crate) fn wait_for_threads(mark: Mark) -> usize {
    let deadline = Instant::now() + THREAD_GONE_WITHIN;
    loop {
        match threads::n_alive(mark) {
            0 => return 0,
            n_alive if Instant::now() >= deadline => return n_alive,
            _ending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

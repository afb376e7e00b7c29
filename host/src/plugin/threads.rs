//! The threads that plugin code runs on, and how the ones a plugin made itself are found.
//!
//! Only a thread made by [`spawn`] has a [`PluginThread`], and everything that executes code of a library
//! asks for one: so no thread of the host's pools can do it. Such a thread is short-lived or ends with its
//! generation, and is always joined before the library is closed.
//!
//! Each generation has a timer slack of its own, a few nanoseconds off the default. Threads inherit it from
//! their maker and the kernel shows it, so a thread that a plugin left behind tells whose it is, whatever
//! it calls itself.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

/// Linux's default slack. Marks lie just above it, so that timers stay as precise as everybody's.
const DEFAULT_SLACK_NS: u64 = 50_000;

/// Marks come round again after so many generations; by then the early ones are long gone.
const N_MARKS: u64 = 100_000;

/// Proof that the current thread was made to run plugin code. It cannot leave its thread.
#[derive(Debug)]
pub(crate) struct PluginThread {
    _not_send: PhantomData<*const ()>,
}

/// What tells the threads of one generation from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(NonZeroU64);

impl Mark {
    /// A mark that no living generation has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let offset = 1 + NEXT.fetch_add(1, Ordering::Relaxed) % N_MARKS;
        Self(NonZeroU64::MIN.saturating_add(DEFAULT_SLACK_NS + offset - 1))
    }
}

/// Starts a thread of `mark` on which plugin code may run.
///
/// # Errors
/// When the process may have no further thread.
pub(crate) fn spawn<T: Send + 'static>(
    name: String,
    mark: Mark,
    body: impl FnOnce(&PluginThread) -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name).spawn(move || {
        // Not being marked would only hide a thread that this one leaves behind.
        let _marked = rustix::thread::set_current_timer_slack(Some(mark.0));
        body(&PluginThread { _not_send: PhantomData })
    })
}

/// How many threads of `mark` are alive.
pub(crate) fn n_alive(mark: Mark) -> usize {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return 0 };
    let is_marked = |thread: &fs::DirEntry| {
        // The file is only under the thread's own number, not under its process's `task`.
        let file = Path::new("/proc").join(thread.file_name()).join("timerslack_ns");
        // A thread that ends while we look is not alive.
        let slack = fs::read_to_string(file).unwrap_or_default();
        slack.trim_end().parse() == Ok(mark.0.get())
    };
    threads.flatten().filter(is_marked).count()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_thread_that_a_plugin_leaves_behind_is_found_by_its_mark() {
        let (mark, other) = (Mark::new(), Mark::new());
        let (release, wait) = mpsc::channel::<()>();
        let (ready, is_ready) = mpsc::channel();
        let outer = spawn("plugin:test#1".to_owned(), mark, move |_thread| {
            std::thread::spawn(move || {
                ready.send(()).unwrap();
                wait.recv()
            })
        });
        let left_behind = outer.unwrap().join().unwrap();
        is_ready.recv().unwrap();
        // The kernel lists the joined thread for a moment longer.
        let deadline = Instant::now() + Duration::from_secs(10);
        while n_alive(mark) > 1 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!((n_alive(mark), n_alive(other)), (1, 0));
        drop(release);
        left_behind.join().unwrap().unwrap_err();
    }
}

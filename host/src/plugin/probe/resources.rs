//! What a process holds, counted before and after, to see what a plugin leaves behind.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::plugin::unload::THREAD_GONE_WITHIN;

/// What this process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holdings {
    n_fds: usize,
    n_threads: usize,
    private_bytes: u64,
}

/// What stayed after a plugin was started, stopped and unloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leftovers {
    /// File descriptors.
    pub(crate) n_fds: usize,
    /// Threads.
    pub(crate) n_threads: usize,
    /// Bytes of its file that are still mapped.
    pub(crate) mapped_bytes: u64,
    /// Private memory that each further start and stop costs.
    pub(crate) bytes_per_cycle: u64,
}

impl Holdings {
    /// Counts.
    pub(crate) fn count() -> Self {
        let n_entries = |folder| fs::read_dir(folder).map_or(0, Iterator::count);
        Self {
            n_fds: n_entries("/proc/self/fd"),
            n_threads: n_entries("/proc/self/task"),
            private_bytes: private_bytes(),
        }
    }

    /// Counts once the threads that have ended since `before` are gone from the kernel's list too.
    #[expect(clippy::disallowed_methods, reason = "a probe serves nobody else")]
    pub(crate) fn count_settled(before: &Self) -> Self {
        let deadline = Instant::now() + THREAD_GONE_WITHIN;
        loop {
            let now = Self::count();
            if now.threads_since(before) == 0 || Instant::now() >= deadline {
                return now;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Descriptors that were not there `before`.
    pub(crate) fn fds_since(&self, before: &Self) -> usize {
        self.n_fds.saturating_sub(before.n_fds)
    }

    /// Threads that were not there `before`.
    pub(crate) fn threads_since(&self, before: &Self) -> usize {
        self.n_threads.saturating_sub(before.n_threads)
    }

    /// Private memory that was not there `before`.
    pub(crate) fn private_bytes_since(&self, before: &Self) -> u64 {
        self.private_bytes.saturating_sub(before.private_bytes)
    }
}

fn private_bytes() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0u64) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_and_a_thread_are_counted() {
        let before = Holdings::count();
        let file = fs::File::open("/proc/self/exe").unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || wait.recv());
        let during = Holdings::count();
        // Other tests may open and close files meanwhile; ours are certain.
        assert!(during.private_bytes > 0);
        assert!(during.n_fds > 0 && during.n_threads > 1);
        drop((file, release));
        thread.join().unwrap().unwrap_err();
        assert_eq!(during.fds_since(&during), 0);
        assert!(during.fds_since(&before) < during.n_fds);
    }
}

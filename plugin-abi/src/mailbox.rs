//! The queue through which everything reaches a generation.
//!
//! Guarantees: messages leave in the order they came, each once; a plugin that armed the mailbox is woken
//! by the next message. A wake-up is a write to an eventfd and happens only when the plugin waits, so a
//! busy plugin costs the host no system call.
//!
//! Deliberately absent: a limit. Who posts holds a place in a bounded table (requests, streams), and each
//! place accounts for a handful of messages at most.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use crate::message::Inbound;

/// See the module.
#[derive(Debug)]
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    wake: OwnedFd,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Inbound>,
    /// Whether the plugin sleeps until the eventfd is written to. Set by the plugin, cleared by the host.
    is_armed: bool,
}

impl Mailbox {
    /// An empty mailbox.
    ///
    /// # Errors
    /// When the process may open no further file.
    pub fn new() -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { waiting: Mutex::default(), wake })
    }

    /// Puts a message at the end and wakes the plugin if it waits.
    pub fn post(&self, message: Inbound) {
        let must_wake = {
            let mut waiting = self.lock();
            waiting.messages.push_back(message);
            std::mem::take(&mut waiting.is_armed)
        };
        if must_wake {
            // The counter is far from full and the descriptor is ours, so this cannot fail; if it did, the
            // next message would wake the plugin.
            let _written = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }

    /// Takes up to `n_max` messages off the front, gives each to `take`, and says how many there were.
    pub fn drain(&self, n_max: usize, take: impl FnMut(Inbound)) -> usize {
        let mut waiting = self.lock();
        let n_drained = waiting.messages.len().min(n_max);
        waiting.messages.drain(..n_drained).for_each(take);
        n_drained
    }

    /// Notes that the plugin is about to wait, unless something is there already: then `false`.
    #[must_use]
    pub fn arm(&self) -> bool {
        let mut waiting = self.lock();
        waiting.is_armed = waiting.messages.is_empty();
        waiting.is_armed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic while the lock is held leaves the queue whole: every change of it is a single call.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRawFd for Mailbox {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wakes(mailbox: &Mailbox) -> u64 {
        let mut counter = [0; 8];
        match rustix::io::read(&mailbox.wake, &mut counter) {
            Ok(_n_bytes) => u64::from_ne_bytes(counter),
            Err(_would_block) => 0,
        }
    }

    fn stop(deadline_ms: u64) -> Inbound {
        Inbound::Stop { deadline_ms }
    }

    #[test]
    fn a_waiting_plugin_is_woken_once_however_many_messages_come() {
        let mailbox = Mailbox::new().unwrap();
        assert!(mailbox.arm());
        mailbox.post(stop(1));
        mailbox.post(stop(2));
        assert_eq!(wakes(&mailbox), 1);
    }

    #[test]
    fn a_busy_plugin_is_not_woken_and_may_not_go_to_sleep() {
        let mailbox = Mailbox::new().unwrap();
        mailbox.post(stop(1));
        assert_eq!(wakes(&mailbox), 0);
        assert!(!mailbox.arm());
    }

    #[test]
    fn messages_leave_in_order_and_in_the_portions_asked_for() {
        let mailbox = Mailbox::new().unwrap();
        (0..5).for_each(|n| mailbox.post(stop(n)));
        let mut seen = Vec::new();
        assert_eq!(mailbox.drain(3, |message| seen.push(message)), 3);
        assert_eq!(mailbox.drain(3, |message| seen.push(message)), 2);
        assert_eq!(mailbox.drain(3, |message| seen.push(message)), 0);
        assert_eq!(seen, (0..5).map(stop).collect::<Vec<_>>());
    }
}

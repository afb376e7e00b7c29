//! Says when something in a directory has changed.
//!
//! By inotify, so that a bundle is seen when its last byte is written. Events are not looked at: whoever is woken
//! reads everything anew. What the kernel cannot watch is seen at the next period.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe;

/// How many bytes of events are read at once.
const EVENT_BYTES: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    /// Not a pipe, but read like one.
    events: pipe::Receiver,
}

impl Watch {
    /// Watches these directories; those that are not there are left out.
    ///
    /// # Errors
    /// When the kernel has no watch to give.
    pub(super) fn of<'p>(folders: impl Iterator<Item = &'p Path>) -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let changes = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE;
        for folder in folders.filter(|folder| folder.is_dir()) {
            let _number = inotify::add_watch(&fd, folder, changes)?;
        }
        Ok(Self { events: pipe::Receiver::from_owned_fd_unchecked(fd)? })
    }

    /// Ends when something has changed since it ended last. Cancel-safe.
    pub(super) async fn changed(&self) -> io::Result<()> {
        self.events.readable().await?;
        let mut buffer = [0; EVENT_BYTES];
        // All that is there is one change.
        loop {
            match self.events.try_read(&mut buffer) {
                Ok(_events) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

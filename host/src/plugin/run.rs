//! The life of a generation's thread, in whichever process it is.
//!
//! On it happen `dlopen`, the checks, `descriptor` and `run`; it ends by handing the library back, because
//! code cannot unmap itself. Taking it down again is [`super::unload`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use plugin_abi::host::HostPort;
use plugin_abi::root::{AbiExit, Mode};
use tokio::sync::oneshot;

use super::image::Image;
use super::library::{Library, LibraryError, Mapped};
use super::threads::{self, Mark, PluginThread};

/// What is needed to take a generation down.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its thread.
    pub(crate) thread: PluginRun,
    /// Given back after the code is unmapped.
    pub(crate) image: Image,
}

/// A thread that lives a generation's life.
#[derive(Debug)]
pub(crate) struct PluginRun {
    /// Of the thread and of all that it makes.
    pub(crate) mark: Mark,
    /// To be joined when `returned` has come.
    pub(crate) handle: JoinHandle<()>,
    /// Comes as the last thing the thread does.
    pub(crate) returned: oneshot::Receiver<Returned>,
}

/// What a generation's thread hands back.
#[derive(Debug)]
pub(crate) struct Returned {
    /// What is still mapped.
    pub(crate) code: Code,
    /// How it ended.
    pub(crate) end: Result<AbiExit, LoadError>,
}

impl Returned {
    /// How the thread ended, in words.
    pub(crate) fn how(&self) -> String {
        match &self.end {
            Ok(AbiExit::Stopped) => "its `run` returned".to_owned(),
            Ok(AbiExit::StartFailed) => "its start failed".to_owned(),
            Ok(AbiExit::Panicked) => "a panic reached the edge of its `run`".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

/// What a generation's thread mapped.
#[derive(Debug)]
pub(crate) enum Code {
    /// Nothing.
    None,
    /// A file that turned out to be no plugin of ours.
    Refused(Mapped),
    /// A plugin's library.
    Library(Library),
}

/// Why a generation's thread never called `run`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The file is not a plugin that this daemon can use.
    #[error(transparent)]
    Library(LibraryError),
    /// The code describes something else than its bundle.
    #[error(
        "the plugin's own descriptor differs from its bundle's at byte {at}; pack the bundle anew from this library"
    )]
    CompareDescriptor {
        /// The first byte that differs.
        at: usize,
    },
}

/// What a generation's thread needs to know.
#[derive(Debug)]
pub(crate) struct Load {
    /// The number the plugin is told.
    pub(crate) generation: u64,
    /// Why it is run.
    pub(crate) mode: Mode,
    /// The descriptor in the bundle.
    pub(crate) descriptor: Arc<[u8]>,
    /// What it is started with.
    pub(crate) document: Vec<u8>,
}

/// Starts the generation's thread. It has said nothing yet when this returns; `ended` is told when its code
/// has returned, whether that was wanted or not.
///
/// # Errors
/// When the process may have no further thread.
pub(crate) fn spawn<P: HostPort>(
    name: String,
    library: PathBuf,
    load: Load,
    port: Arc<P>,
    ended: impl FnOnce(&Returned) + Send + 'static,
) -> std::io::Result<PluginRun> {
    let mark = Mark::new();
    let (hand_back, returned) = oneshot::channel();
    let handle = threads::spawn(name, mark, move |thread| {
        let returned = live(&library, &load, port, thread);
        ended(&returned);
        // Whoever holds the receiver keeps it until this has come, or leaks it with the thread.
        let _handed_back = hand_back.send(returned);
    })?;
    Ok(PluginRun { mark, handle, returned })
}

/// The whole life of a generation's thread.
fn live<P: HostPort>(path: &Path, load: &Load, port: Arc<P>, thread: &PluginThread) -> Returned {
    let library = match Library::open(path, thread) {
        Ok(library) => library,
        Err((error, mapped)) => {
            let code = mapped.map_or(Code::None, Code::Refused);
            return Returned { code, end: Err(LoadError::Library(error)) };
        }
    };
    let described = library.descriptor(thread);
    let end = match first_difference(&described, &load.descriptor) {
        Some(at) => Err(LoadError::CompareDescriptor { at }),
        None => Ok(library.run(port, load.generation, load.mode, &load.document, thread)),
    };
    Returned { code: Code::Library(library), end }
}

/// The first byte at which two documents differ.
pub(crate) fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let n_equal = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (n_equal < a.len().max(b.len())).then_some(n_equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_differ_where_they_differ_or_where_the_shorter_ends() {
        for (a, b, expected) in [
            ("abc", "abc", None),
            ("abc", "abd", Some(2)),
            ("abc", "ab", Some(2)),
            ("", "a", Some(0)),
        ] {
            assert_eq!(first_difference(a.as_bytes(), b.as_bytes()), expected, "{a:?} and {b:?}");
        }
    }
}

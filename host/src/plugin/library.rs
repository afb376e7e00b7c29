//! Mapped code of one digest: the only place that opens, calls and closes a plugin's `.so`.
//!
//! What a hostile file could do: its constructors run when it is mapped, and everything after that is code
//! in our address space. What is required: the bytes were verified, and a probe child has loaded, run and
//! closed them before (the rollout's stages are types, so nothing else reaches this room). What stays safe
//! whatever the plugin does: none of it runs on a thread of the host's pools, because every function that
//! executes plugin code asks for a [`PluginThread`].
//!
//! `abi_stable` is used in exactly the way that survives unloading: no process-global layout state (fresh
//! `CheckingGlobals` for each check), no cached root module, no leaked handle.
#![expect(unsafe_code, reason = "dlopen, the root module and dlclose are the seam itself")]

use std::any::Any;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{
    CheckingGlobals, check_layout_compatibility_with_globals,
};
use abi_stable::library::{AbiHeaderRef, LibHeader, ROOT_MODULE_LOADER_NAME_WITH_NUL};
use abi_stable::type_layout::TypeLayout;
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};
use plugin_abi::host::{HostPort, export, generation_info, read_descriptor};
use plugin_abi::root::{ABI_REVISION, AbiExit, Mode, PluginRootRef};

use super::layout_report;
use super::mappings::{self, FileId};
use super::threads::PluginThread;
use super::tls_keys;

/// Why a file is not a library that this daemon can use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LibraryError {
    /// The file is not there or not ours to read.
    #[error("cannot read `{}`", path.display())]
    ReadFile {
        /// Which file.
        path: PathBuf,
        source: io::Error,
    },
    /// The dynamic linker refused it.
    #[error("the dynamic linker refused `{}`: {reason}", path.display())]
    OpenLibrary {
        /// Which file.
        path: PathBuf,
        /// What the linker says.
        reason: String,
    },
    /// It is a library, but not a plugin.
    #[error("`{}` exports no plugin root module; build it with `#[plugin_sdk::plugin]` as a cdylib", path.display())]
    FindRoot {
        /// Which file.
        path: PathBuf,
    },
    /// Its `abi_stable` is not ours.
    #[error(
        "the plugin was built with an incompatible abi_stable: {reason}; rebuild it with the plugin-sdk of this daemon"
    )]
    CheckHeader {
        /// What abi_stable says.
        reason: String,
    },
    /// It speaks another revision.
    #[error("the plugin speaks ABI revision {theirs}, this daemon speaks {ABI_REVISION}; {}", revision_advice(*theirs))]
    CheckRevision {
        /// The plugin's.
        theirs: u32,
    },
    /// The revision is ours, the types are not.
    #[error(
        "the plugin's ABI layout differs from this daemon's at revision {ABI_REVISION}: {difference}; rebuild it with the plugin-sdk of this daemon"
    )]
    CheckLayout {
        /// The first type and field that differ.
        difference: String,
    },
    /// Its root module could not be made.
    #[error("the plugin's root module could not be made: {reason}")]
    MakeRoot {
        /// What abi_stable says.
        reason: String,
    },
}

fn revision_advice(theirs: u32) -> &'static str {
    if theirs > ABI_REVISION {
        "upgrade the daemon, or install a version of the plugin built for it"
    } else {
        "rebuild the plugin with the plugin-sdk of this daemon"
    }
}

/// A library whose layout was checked.
#[derive(Debug)]
pub(crate) struct Library {
    root: PluginRootRef,
    /// Every port whose address the plugin's code was given. They live as long as the mapping does: if that
    /// is never closed because a thread of the plugin lives on, that thread may still call them.
    ports: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
    mapped: Mapped,
}

/// A mapping made by `dlopen`, whatever is in it. Dropping it leaves it mapped: see [`Mapped::close`].
#[derive(Debug)]
pub(crate) struct Mapped {
    handle: Option<Handle>,
    file: FileId,
}

/// What became of a mapping.
#[derive(Debug)]
pub(crate) enum Closed {
    /// No byte of the file is mapped any more: looked up, not assumed.
    Unmapped,
    /// `dlclose` left something mapped.
    StillMapped {
        /// How much.
        bytes: u64,
    },
}

impl Library {
    /// Maps the file and checks that it is a plugin of this revision.
    ///
    /// # Errors
    /// What is wrong with it, and what had been mapped by then, which the caller closes.
    pub(crate) fn open(
        path: &Path,
        thread: &PluginThread,
    ) -> Result<Self, (LibraryError, Option<Mapped>)> {
        let mapped = Mapped::open(path, thread).map_err(|error| (error, None))?;
        match mapped.root(path) {
            Ok(root) => Ok(Self { root, ports: Mutex::default(), mapped }),
            Err(error) => Err((error, Some(mapped))),
        }
    }

    /// Asks the code for its descriptor.
    pub(crate) fn descriptor(&self, _thread: &PluginThread) -> Vec<u8> {
        read_descriptor(self.root)
    }

    /// Runs one generation on the current thread, until it returns.
    pub(crate) fn run<P: HostPort>(
        &self,
        port: Arc<P>,
        generation: u64,
        mode: Mode,
        document: &[u8],
        _thread: &PluginThread,
    ) -> AbiExit {
        // SAFETY: the port is kept below for as long as any code of this library can run.
        let host = unsafe { export(&port) };
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).push(port);
        self.root.run()(host, generation_info(generation, mode, document))
    }

    /// Gives up the checked root and leaves the mapping to be closed. The ports go with it.
    pub(crate) fn into_mapped(self) -> Mapped {
        self.mapped
    }
}

impl Mapped {
    fn open(path: &Path, _thread: &PluginThread) -> Result<Self, LibraryError> {
        let metadata = fs::metadata(path)
            .map_err(|source| LibraryError::ReadFile { path: path.to_owned(), source })?;
        // SAFETY: the constructors of a verified and probed file run here, on a thread made for that.
        let handle =
            unsafe { Handle::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
                LibraryError::OpenLibrary { path: path.to_owned(), reason: error.to_string() }
            })?;
        Ok(Self { handle: Some(handle), file: FileId::from(&metadata) })
    }

    fn root(&self, path: &Path) -> Result<PluginRootRef, LibraryError> {
        let handle = self.handle.as_ref().expect("an open mapping has its handle");
        // SAFETY: a static of this name is an `abi_stable` header, whose address is what the type holds.
        let header =
            unsafe { handle.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes()) }
                .map_err(|_no_symbol| LibraryError::FindRoot { path: path.to_owned() })?;
        let header = (*header)
            .upgrade()
            .map_err(|error| LibraryError::CheckHeader { reason: error.to_string() })?;
        // SAFETY: `abi_revision` is the first field of every revision, and only it is used before the
        // layout is checked.
        let root = unsafe { header.unchecked_layout::<PluginRootRef>() }
            .map_err(|error| LibraryError::MakeRoot { reason: error.to_string() })?;
        let theirs = root.abi_revision()();
        if theirs != ABI_REVISION {
            return Err(LibraryError::CheckRevision { theirs });
        }
        check_layout(header)?;
        Ok(root)
    }

    /// Where the file is mapped.
    ///
    /// # Errors
    /// When the kernel does not show this process its own mappings.
    pub(crate) fn ranges(&self) -> io::Result<Vec<std::ops::Range<usize>>> {
        mappings::of(self.file)
    }

    /// Gives back the keys of this code, unmaps it, and looks whether it is gone.
    ///
    /// Every thread that ran this code has been joined and none that it made is alive; the caller has
    /// looked. Its destructors run on the current thread.
    ///
    /// # Errors
    /// When the kernel does not show this process its own mappings; then nothing was closed.
    pub(crate) fn close(mut self, _thread: &PluginThread) -> io::Result<Closed> {
        tls_keys::delete_keys_of(&self.ranges()?);
        // `dlclose` says 0 whatever it did, so its answer is not looked at: the mappings are.
        drop(self.handle.take());
        Ok(match mappings::bytes(&self.ranges()?) {
            0 => Closed::Unmapped,
            bytes => Closed::StillMapped { bytes },
        })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // Only `close` may unmap: anything else would do it on the wrong thread or too early.
        std::mem::forget(self.handle.take());
    }
}

/// Accepts a plugin whose tables are a prefix of ours, or ours a prefix of its.
fn check_layout(header: &'static LibHeader) -> Result<(), LibraryError> {
    let ours = PluginRootRef::LAYOUT;
    let theirs = header.layout().ok_or_else(|| LibraryError::CheckLayout {
        difference: "the plugin was built without its layout".to_owned(),
    })?;
    let check = |interface: &'static TypeLayout, implementation: &'static TypeLayout| {
        check_layout_compatibility_with_globals(interface, implementation, &CheckingGlobals::new())
    };
    let Err(mismatch) = check(ours, theirs) else { return Ok(()) };
    if check(theirs, ours).is_ok() {
        return Ok(());
    }
    Err(LibraryError::CheckLayout { difference: layout_report::difference(&mismatch.to_string()) })
}

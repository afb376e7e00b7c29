//! The inside of a probe: everything a plugin could do to a daemon, it may do here.
//!
//! Each step is told before it begins; whoever waits for the verdict also keeps the time, so nothing here
//! has a deadline. The process ends with the verdict.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use packer::bundle::Digest;
use plugin_abi::database::Backend;
use plugin_abi::descriptor::{Descriptor, SCHEMA_VERSION, StartDocument};
use plugin_abi::mailbox::Mailbox;
use plugin_abi::root::{AbiExit, Mode};
use semver::Version;
use serde_json::Value;

use super::resources::{Holdings, Leftovers};
use super::{Step, Verdict, declared};
use crate::plugin::conversation::Conversation;
use crate::plugin::elf;
use crate::plugin::identity::{GenerationId, Identity};
use crate::plugin::in_process::Port;
use crate::plugin::lane::{Isolation, Lane};
use crate::plugin::library::{Closed, Library};
use crate::plugin::run::first_difference;
use crate::plugin::threads::{self, Mark};
use crate::plugin::unload::wait_for_threads;
use crate::services::Services;

/// How often a plugin is started and stopped.
const N_CYCLES: u64 = 3;

/// How many requests a plugin could work on in a probe; it gets none.
const REQUESTS_MAX: usize = 1;

/// A reason to say no, which is what a probe is for.
type Checked<T> = Result<T, Verdict>;

/// Examines a library. `tell` is called as each step begins.
///
/// Without a descriptor to compare with, whatever the code describes is taken, as when a bundle is packed.
pub(crate) fn examine(
    library: &Path,
    descriptor: Option<&Path>,
    settings: &Value,
    tell: impl Fn(Step),
) -> Verdict {
    match examine_all(library, descriptor, settings, &tell) {
        Ok(leftovers) => Verdict::Passed { leftovers },
        Err(verdict) => verdict,
    }
}

/// Loads a library, asks for its descriptor, and unloads it.
///
/// # Errors
/// Why it is no plugin.
pub(crate) fn describe(library: &Path) -> Result<Vec<u8>, String> {
    elf::check(library).map_err(|error| error.to_string())?;
    let path = library.to_owned();
    on_plugin_thread(Mark::new(), move |thread| {
        let library = Library::open(&path, thread).map_err(|(error, _mapped)| error.to_string())?;
        let descriptor = library.descriptor(thread);
        match declared::said_instead(&descriptor) {
            Some(reason) => Err(format!("it declares what cannot be: {reason}")),
            None => Ok(descriptor),
        }
    })
}

fn examine_all(
    path: &Path,
    expected: Option<&Path>,
    settings: &Value,
    tell: &impl Fn(Step),
) -> Checked<Leftovers> {
    tell(Step::Examine);
    elf::check(path).map_err(|error| refused(&error))?;
    let before = Holdings::count();
    tell(Step::Load);
    let library = Arc::new(load(path)?);
    tell(Step::Describe);
    let descriptor = check_descriptor(&library, expected)?;
    let mut settled = before;
    for cycle in 1..=N_CYCLES {
        settled = Holdings::count();
        run_once(&library, &descriptor, settings, cycle, tell)?;
    }
    let bytes_per_cycle = Holdings::count().private_bytes_since(&settled);
    tell(Step::Unload);
    let library = Arc::into_inner(library).expect("each cycle has given its share back");
    let mapped_bytes = unload(library)?;
    let after = Holdings::count_settled(&before);
    judge(Leftovers {
        n_fds: after.fds_since(&before),
        n_threads: after.threads_since(&before),
        mapped_bytes,
        bytes_per_cycle,
    })
}

fn load(path: &Path) -> Checked<Library> {
    let path = path.to_owned();
    on_plugin_thread(Mark::new(), move |thread| {
        Library::open(&path, thread).map_err(|(error, _mapped)| refused(&error))
    })
}

fn check_descriptor(library: &Arc<Library>, expected: Option<&Path>) -> Checked<Descriptor> {
    let describing = Arc::clone(library);
    let described = on_plugin_thread(Mark::new(), move |thread| describing.descriptor(thread));
    if let Some(path) = expected {
        let in_bundle = fs::read(path).map_err(|error| refused(&error))?;
        if let Some(at) = first_difference(&described, &in_bundle) {
            let reason = format!(
                "its own descriptor differs from its bundle's at byte {at}; pack the bundle anew from this library"
            );
            return Err(Verdict::Refused { reason });
        }
    }
    declared::parse(&described).map_err(|error| refused(&error))
}

fn run_once(
    library: &Arc<Library>,
    descriptor: &Descriptor,
    settings: &Value,
    cycle: u64,
    tell: &impl Fn(Step),
) -> Checked<()> {
    tell(Step::Start);
    let document = start_document(descriptor, settings);
    let mailbox = Arc::new(Mailbox::new().map_err(|error| refused(&error))?);
    let lane = Lane::InProcess(Arc::clone(&mailbox));
    let (conversation, started) =
        Conversation::new(lane, Services::of_probe(identity(descriptor)), REQUESTS_MAX);
    let mark = Mark::new();
    let (running, port) = (Arc::clone(library), Port::new(mailbox, Arc::clone(&conversation)));
    let speaking = Arc::clone(&conversation);
    let thread = threads::spawn("plugin:probe".to_owned(), mark, move |thread| {
        let exit = running.run(port, cycle, Mode::Probe, &document, thread);
        speaking.lost("its `run` returned before it said that it is ready");
        exit
    });
    let thread = thread.map_err(|error| refused(&error))?;
    let said = started.blocking_recv().unwrap_or_else(|_unsaid| Err("it said nothing".to_owned()));
    tell(Step::Stop);
    conversation.stop(std::time::Duration::from_secs(5));
    let exit = thread.join();
    said.map_err(|reason| Verdict::NotStarted { reason })?;
    match exit {
        Ok(AbiExit::Stopped) => {}
        Ok(exit @ (AbiExit::StartFailed | AbiExit::Panicked)) => {
            let fault = conversation.fault().borrow().clone().unwrap_or_default();
            let reason = format!("told to stop, it returned `{exit:?}`: {fault}");
            return Err(Verdict::Refused { reason });
        }
        Err(_panic) => {
            let reason = "a panic went through the edge of its `run`".to_owned();
            return Err(Verdict::Refused { reason });
        }
    }
    match wait_for_threads(mark) {
        0 => Ok(()),
        n_threads => {
            let reason = format!(
                "it left threads running when it stopped ({n_threads}); end them when the plugin is stopped"
            );
            Err(Verdict::Refused { reason })
        }
    }
}

fn unload(library: Library) -> Checked<u64> {
    let closed = on_plugin_thread(Mark::new(), move |thread| library.into_mapped().close(thread));
    match closed.map_err(|error| refused(&error))? {
        Closed::Unmapped => Ok(0),
        Closed::StillMapped { bytes } => Ok(bytes),
    }
}

/// A plugin may cost memory; what the daemon could never get back it may not keep.
fn judge(leftovers: Leftovers) -> Checked<Leftovers> {
    let Leftovers { n_fds, n_threads, mapped_bytes, bytes_per_cycle: _ } = leftovers;
    let reason = if n_fds > 0 {
        format!(
            "file descriptors stayed open after it was unloaded ({n_fds}); close them when the plugin is stopped, and build it without tokio's `signal`, `process` and `full` features"
        )
    } else if n_threads > 0 {
        format!("threads stayed after it was unloaded ({n_threads}); end them when it is stopped")
    } else if mapped_bytes > 0 {
        format!("{mapped_bytes} bytes of it stayed mapped after it was unloaded")
    } else {
        return Ok(leftovers);
    };
    Err(Verdict::Refused { reason })
}

fn start_document(descriptor: &Descriptor, settings: &Value) -> Vec<u8> {
    let document = StartDocument {
        schema_version: SCHEMA_VERSION,
        element: descriptor.element.clone(),
        version: descriptor.version.clone(),
        settings: settings.clone(),
        // No service stands behind a probe.
        database: Backend::default(),
    };
    serde_json::to_vec(&document).expect("a start document is plain data")
}

/// Only for the log of a probe, which nobody reads.
fn identity(descriptor: &Descriptor) -> Identity {
    Identity {
        id: GenerationId::next(),
        element: descriptor
            .element
            .parse()
            .unwrap_or_else(|_invalid| "probe".parse().expect("`probe` is an element's name")),
        version: Version::parse(&descriptor.version).unwrap_or(Version::new(0, 0, 0)),
        digest: Digest::of_bytes(&[]),
        isolation: Isolation::None,
    }
}

fn on_plugin_thread<T: Send + 'static>(
    mark: Mark,
    body: impl FnOnce(&threads::PluginThread) -> T + Send + 'static,
) -> T {
    let thread = threads::spawn("plugin:probe".to_owned(), mark, body);
    let thread = thread.expect("a probe that gets no thread has nothing to say");
    thread.join().expect("a panic of the host's own code in a probe")
}

fn refused(error: &(dyn std::error::Error + 'static)) -> Verdict {
    Verdict::Refused { reason: crate::log::chain(error).to_string() }
}

//! The examination of a library in a child process, before it is mapped into the daemon.
//!
//! A child (`metapaas probe`) reads the ELF headers, loads the library, compares its descriptor with the
//! bundle's, starts and stops it three times, closes it, and says what stayed. Whatever the code does there
//! (crash in a constructor, hang, leak) it does to the child. The verdict is kept by digest and daemon
//! build, so a plugin is examined once.
//!
//! What passed is a [`ProbedPlugin`]; nothing else makes one, and nothing else can be started.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use packer::bundle::{Digest, ElementName, Unpacked};
use plugin_abi::descriptor::Descriptor;
use semver::Version;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::Plugins;

pub(crate) mod child;
mod declared;
mod resources;
pub(crate) mod verdicts;

pub(crate) use resources::Leftovers;

/// How much of what a probe prints is kept.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;

/// A plugin that a probe child has loaded, run and closed.
#[derive(Debug, Clone)]
pub(crate) struct ProbedPlugin {
    element: ElementName,
    version: Version,
    digest: Digest,
    library: PathBuf,
    descriptor_bytes: Arc<[u8]>,
    descriptor: Arc<Descriptor>,
}

/// What a probe comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It may be loaded.
    Passed {
        /// What stayed behind, all of it within bounds.
        leftovers: Leftovers,
    },
    /// It may not, and never will be: the file itself is at fault.
    Refused {
        /// Why.
        reason: String,
    },
    /// It could not be started with these settings, here and now.
    NotStarted {
        /// Why, in its own words.
        reason: String,
    },
}

/// The steps of a probe, told as they begin, so that a crash can be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Reading the ELF headers.
    Examine,
    /// Mapping it and checking the ABI.
    Load,
    /// Asking for its descriptor.
    Describe,
    /// Waiting for it to start.
    Start,
    /// Waiting for it to stop.
    Stop,
    /// Unmapping it.
    Unload,
}

impl Step {
    fn doing(self) -> &'static str {
        match self {
            Self::Examine => "the file was being read",
            Self::Load => "it was being loaded",
            Self::Describe => "it was asked for its descriptor",
            Self::Start => "it was starting",
            Self::Stop => "it was stopping",
            Self::Unload => "it was being unloaded",
        }
    }
}

/// One line that a probe prints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// A step begins.
    Step(Step),
    /// The last line.
    Verdict(Verdict),
}

/// Why a plugin is not a [`ProbedPlugin`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The probe says no.
    #[error("the probe refused the plugin: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// No child could be had.
    #[error("the probe could not be run")]
    RunChild(#[source] std::io::Error),
}

/// Examines an unpacked plugin, or finds that it was examined before.
///
/// # Errors
/// Why it must not be loaded.
///
/// # Cancellation
/// Dropping the future kills the child.
pub(crate) async fn probe(
    plugins: &Plugins,
    unpacked: &Unpacked,
    settings: &serde_json::Value,
) -> Result<ProbedPlugin, ProbeError> {
    let refused = |reason: String| ProbeError::Refused { reason };
    let digest = unpacked.digest();
    let verdict = match plugins.verdicts.find(digest) {
        Some(verdict) => verdict,
        None => {
            let limit = Duration::from_millis(plugins.config.probe_deadline_ms);
            let verdict = examine(
                &unpacked.library(),
                &unpacked.dir().join("descriptor.json"),
                settings,
                limit,
            )
            .await
            .map_err(ProbeError::RunChild)?;
            plugins.verdicts.keep(digest, &verdict);
            verdict
        }
    };
    match verdict {
        Verdict::Passed { .. } => {}
        Verdict::Refused { reason } => return Err(refused(reason)),
        Verdict::NotStarted { reason } => {
            return Err(refused(format!("it did not start: {reason}")));
        }
    }
    let descriptor =
        declared::parse(unpacked.descriptor()).map_err(|error| refused(error.to_string()))?;
    let head = unpacked.head();
    declared::check_identity(&descriptor, head.element(), head.version())
        .map_err(|error| refused(error.to_string()))?;
    Ok(ProbedPlugin {
        element: head.element().clone(),
        version: head.version().clone(),
        digest,
        library: unpacked.library(),
        descriptor_bytes: Arc::from(unpacked.descriptor()),
        descriptor: Arc::new(descriptor),
    })
}

impl ProbedPlugin {
    /// Whose code it is.
    pub(crate) fn element(&self) -> &ElementName {
        &self.element
    }

    /// Which version.
    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// The digest of its bundle.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Its library in the store.
    pub(super) fn library(&self) -> &Path {
        &self.library
    }

    /// What it declares.
    pub(crate) fn descriptor(&self) -> Arc<Descriptor> {
        Arc::clone(&self.descriptor)
    }

    /// What it declares, as the bundle has it.
    pub(super) fn descriptor_bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.descriptor_bytes)
    }
}

/// Runs a probe child on a library and waits for its verdict.
///
/// # Errors
/// When no child can be started.
///
/// # Cancellation
/// Dropping the future kills the child.
pub(crate) async fn examine(
    library: &Path,
    descriptor: &Path,
    settings: &serde_json::Value,
    limit: Duration,
) -> std::io::Result<Verdict> {
    let mut child = Command::new("/proc/self/exe")
        .arg0("metapaas")
        .arg("probe")
        .arg(library)
        .arg("--descriptor")
        .arg(descriptor)
        .arg("--settings")
        .arg(settings.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let stderr = child.stderr.take().expect("standard error is piped");
    let mut last_step = Step::Examine;
    let mut verdict = None;
    let reading = async {
        let lines = read_lines(stdout, &mut last_step, &mut verdict);
        let (said, ()) = tokio::join!(tail(stderr), lines);
        said
    };
    let finished = timeout(limit, async { (reading.await, child.wait().await) }).await;
    let doing = last_step.doing();
    Ok(match (verdict, finished) {
        (Some(verdict), _any) => verdict,
        (None, Ok((said, status))) => {
            let how = super::worker::describe(status?);
            let reason = format!("the probe ended by {how} while {doing}{}", last_words(&said));
            Verdict::Refused { reason }
        }
        (None, Err(_elapsed)) => {
            let limit_ms = limit.as_millis();
            Verdict::Refused { reason: format!("it hung: after {limit_ms} ms {doing}") }
        }
    })
}

/// Why a library does not describe itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DescribeError {
    /// No child could be had.
    #[error("no process to load the library in")]
    RunChild(#[source] std::io::Error),
    /// The child said no, or said nothing.
    #[error("`{}` cannot be described: {reason}", library.display())]
    Refused {
        /// The library.
        library: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Asks a library for its descriptor, in a child process: what it does there, it does to the child.
///
/// # Errors
/// Why it has none.
pub(crate) fn describe(library: &Path) -> Result<Vec<u8>, DescribeError> {
    let child = std::process::Command::new("/proc/self/exe")
        .arg0("metapaas")
        .args(["probe", "--describe"])
        .arg(library)
        .stdin(Stdio::null())
        .output()
        .map_err(DescribeError::RunChild)?;
    if child.status.success() {
        return Ok(child.stdout);
    }
    let said = String::from_utf8_lossy(&child.stderr);
    let reason = match child.status.code() {
        Some(_said_why) => said.trim().trim_start_matches("metapaas: ").to_owned(),
        None => {
            let how = super::worker::describe(child.status);
            format!("loading it ended the process by {how}{}", last_words(&said))
        }
    };
    Err(DescribeError::Refused { library: library.to_owned(), reason })
}

async fn read_lines(
    stdout: impl AsyncRead + Unpin,
    last_step: &mut Step,
    verdict: &mut Option<Verdict>,
) {
    let mut lines = BufReader::new(stdout.take(OUTPUT_BYTES_MAX)).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // What is no line of ours was printed by the plugin.
        match serde_json::from_str(&line) {
            Ok(Line::Step(step)) => *last_step = step,
            Ok(Line::Verdict(found)) => *verdict = Some(found),
            Err(_printed) => {}
        }
    }
}

async fn tail(stderr: impl AsyncRead + Unpin) -> String {
    let mut said = Vec::new();
    // A pipe that breaks has said all it will.
    let _read = stderr.take(OUTPUT_BYTES_MAX).read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// The last line that was printed, as the end of a sentence.
fn last_words(said: &str) -> String {
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).map_or_else(String::new, |line| {
        let line: String = line.chars().take(300).collect();
        format!(" (it said: {line})")
    })
}

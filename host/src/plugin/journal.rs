//! The load journal: what is about to be mapped into the daemon, for the daemon that comes after a crash.
//!
//! A note is a file named by the digest, written before the load and removed after it. A note that is there
//! at the next start names what ended the daemon; that digest is quarantined and not mapped again. The
//! quarantine is a folder of such files too: removing one lifts it.
//!
//! Nothing is synced to the disk: what a process wrote outlives it without that. A machine that went down
//! says nothing about a plugin, so a note of another boot is forgotten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use packer::bundle::Digest;

use super::identity::Identity;

/// See the module.
#[derive(Debug)]
pub(crate) struct Journal {
    loading: PathBuf,
    quarantine: PathBuf,
    /// What tells this boot of the machine from all others.
    boot: String,
}

/// A load that is under way. Dropping it removes the note: the daemon has survived the load.
#[derive(Debug)]
#[must_use = "the note must stay until the load is done"]
pub(crate) struct Loading {
    note: PathBuf,
}

impl Journal {
    /// Opens the journal, and quarantines what the daemon before us was loading when it ended.
    ///
    /// # Errors
    /// When a folder cannot be made or read.
    pub(crate) fn open(loading: &Path, quarantine: &Path) -> io::Result<Self> {
        fs::create_dir_all(loading)?;
        fs::create_dir_all(quarantine)?;
        let boot = boot_id();
        for entry in fs::read_dir(loading)? {
            let note = entry?.path();
            let text = fs::read_to_string(&note).unwrap_or_default();
            let Some(what) = text.strip_suffix(&*boot) else {
                fs::remove_file(&note)?;
                continue;
            };
            tracing::error!(plugin = %what.trim(), "loading this plugin ended the daemon; it is quarantined");
            if let Some(name) = note.file_name() {
                // Two generations of one digest leave two notes and one entry.
                let digest = name.to_string_lossy();
                let digest = digest.split('.').next().unwrap_or_default();
                fs::rename(&note, quarantine.join(digest))?;
            }
        }
        Ok(Self { loading: loading.to_owned(), quarantine: quarantine.to_owned(), boot })
    }

    /// Whether this code ended a daemon.
    pub(crate) fn is_quarantined(&self, digest: Digest) -> bool {
        self.quarantine.join(digest.file_name()).exists()
    }

    /// Notes that a load begins.
    ///
    /// # Errors
    /// When the note cannot be written; then nothing must be loaded.
    pub(crate) fn note_loading(&self, identity: &Identity) -> io::Result<Loading> {
        let Identity { id, element, version, digest, .. } = identity;
        let note = self.loading.join(format!("{}.{}", digest.file_name(), id.number()));
        fs::write(&note, format!("{element} {version} {digest}\n{}", self.boot))?;
        Ok(Loading { note })
    }
}

/// A kernel that does not say which boot it is makes every boot the same one.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

impl Drop for Loading {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.note) {
            // The next start would quarantine a plugin that did nothing wrong; somebody should know.
            tracing::warn!(note = %self.note.display(), %error, "cannot remove the note of a finished load");
        }
    }
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::*;
    use crate::plugin::identity::GenerationId;
    use crate::plugin::lane::Isolation;

    fn identity(content: &[u8]) -> Identity {
        Identity {
            id: GenerationId::next(),
            element: "demo".parse().unwrap(),
            version: Version::new(1, 0, 0),
            digest: Digest::of_bytes(content),
            isolation: Isolation::None,
        }
    }

    #[test]
    fn what_was_being_loaded_when_the_daemon_ended_is_quarantined() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            Journal::open(&folder.path().join("loading"), &folder.path().join("quarantine"))
                .unwrap()
        };
        let (survivor, killer) = (identity(b"survivor"), identity(b"killer"));
        let journal = open();
        drop(journal.note_loading(&survivor).unwrap());
        let unfinished = journal.note_loading(&killer).unwrap();
        assert!(!journal.is_quarantined(killer.digest));
        std::mem::forget(unfinished);

        let journal = open();
        assert!(journal.is_quarantined(killer.digest));
        assert!(!journal.is_quarantined(survivor.digest));
        assert!(open().is_quarantined(killer.digest), "until somebody lifts it");
    }

    #[test]
    fn a_load_that_a_machine_went_down_in_accuses_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (loading, quarantine) =
            (folder.path().join("loading"), folder.path().join("quarantine"));
        let mut journal = Journal::open(&loading, &quarantine).unwrap();
        journal.boot = "another boot".to_owned();
        let innocent = identity(b"innocent");
        std::mem::forget(journal.note_loading(&innocent).unwrap());

        let journal = Journal::open(&loading, &quarantine).unwrap();
        assert!(!journal.is_quarantined(innocent.digest));
        assert_eq!(fs::read_dir(&loading).unwrap().count(), 0);
    }
}

//! The verdicts of past probes, by digest of the bundle and build of the daemon.
//!
//! A verdict is a file, written aside and renamed. What cannot be read is as good as absent: the plugin is
//! examined again. A start that failed is not kept, for it may have been the settings or the moment.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use object::Object;
use packer::bundle::Digest;

use super::Verdict;

/// See the module.
#[derive(Debug)]
pub(crate) struct Verdicts {
    folder: PathBuf,
}

impl Verdicts {
    /// Opens the verdicts of this daemon's build; those of other builds are removed.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn open(all_builds: &Path) -> io::Result<Self> {
        let folder = all_builds.join(own_build()?);
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(all_builds)?.flatten() {
            if entry.path() != folder {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Self { folder })
    }

    /// What was found about this code.
    pub(crate) fn find(&self, digest: Digest) -> Option<Verdict> {
        let document = fs::read(self.path(digest)).ok()?;
        serde_json::from_slice(&document).ok()
    }

    /// Keeps a verdict, if it is one about the code.
    pub(crate) fn keep(&self, digest: Digest, verdict: &Verdict) {
        match verdict {
            Verdict::NotStarted { .. } => {}
            Verdict::Passed { .. } | Verdict::Refused { .. } => {
                if let Err(error) = self.write(&self.path(digest), verdict) {
                    tracing::warn!(%digest, %error, "a verdict is not kept; the plugin will be probed again");
                }
            }
        }
    }

    fn write(&self, path: &Path, verdict: &Verdict) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&serde_json::to_vec(verdict)?)?;
        file.persist(path)?;
        Ok(())
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.file_name())
    }
}

/// What tells this daemon's build from all others: the linker's build id, or the digest of the program.
fn own_build() -> io::Result<String> {
    let program = fs::read("/proc/self/exe")?;
    let build_id = object::File::parse(&*program).ok().and_then(|file| {
        let id = file.build_id().ok()??;
        Some(hex::encode(id))
    });
    Ok(build_id.unwrap_or_else(|| Digest::of_bytes(&program).file_name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::probe::Leftovers;

    #[test]
    fn verdicts_about_the_code_are_kept_and_those_of_other_builds_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let other_build = folder.path().join("other");
        fs::create_dir(&other_build).unwrap();
        let leftovers =
            Leftovers { n_fds: 0, n_threads: 0, mapped_bytes: 0, bytes_per_cycle: 1024 };
        let [passed, refused, not_started] =
            [b"a", b"b", b"c"].map(|bytes| Digest::of_bytes(bytes));
        let reason = || "why".to_owned();

        let verdicts = Verdicts::open(folder.path()).unwrap();
        assert!(!other_build.exists());
        verdicts.keep(passed, &Verdict::Passed { leftovers });
        verdicts.keep(refused, &Verdict::Refused { reason: reason() });
        verdicts.keep(not_started, &Verdict::NotStarted { reason: reason() });

        let verdicts = Verdicts::open(folder.path()).unwrap();
        assert_eq!(verdicts.find(passed), Some(Verdict::Passed { leftovers }));
        assert_eq!(verdicts.find(refused), Some(Verdict::Refused { reason: reason() }));
        assert_eq!(verdicts.find(not_started), None);
    }
}

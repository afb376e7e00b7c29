//! The file that a generation maps: the store's own, or a private copy when that is mapped already.
//!
//! The dynamic linker knows files by device and inode: the same file opened twice is one mapping with its
//! old statics. So an inode is mapped by one generation at a time. The first load of a digest maps the
//! store's file; only a load beside it pays for a copy, which is deleted with its generation.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::identity::GenerationId;
use super::mappings::{self, FileId};

/// Which files are mapped.
#[derive(Debug)]
pub(crate) struct Images {
    /// Where private copies live; nothing else does.
    copies: PathBuf,
    in_use: Mutex<HashSet<FileId>>,
}

/// A file that one generation may map. Given back when dropped, so it must outlive the mapping.
#[derive(Debug)]
pub(crate) struct Image {
    images: Arc<Images>,
    path: PathBuf,
    file: FileId,
    origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Store,
    Copy,
}

impl Images {
    /// Copies will go to `copies`, which is emptied: what a daemon before us left there maps nowhere.
    ///
    /// # Errors
    /// When the folder cannot be made anew.
    pub(crate) fn new(copies: PathBuf) -> io::Result<Arc<Self>> {
        match fs::remove_dir_all(&copies) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(&copies)?;
        Ok(Arc::new(Self { copies, in_use: Mutex::default() }))
    }

    /// The file to map for a load of `library`.
    ///
    /// # Errors
    /// When it cannot be read, or not be copied.
    pub(crate) fn take(self: &Arc<Self>, library: &Path, id: GenerationId) -> io::Result<Image> {
        let file = FileId::from(&fs::metadata(library)?);
        if self.lock().insert(file) {
            return Ok(self.image(library.to_owned(), file, Origin::Store));
        }
        let path = self.copies.join(format!("{}.so", id.number()));
        fs::copy(library, &path)?;
        let file = FileId::from(&fs::metadata(&path)?);
        self.lock().insert(file);
        Ok(self.image(path, file, Origin::Copy))
    }

    fn image(self: &Arc<Self>, path: PathBuf, file: FileId, origin: Origin) -> Image {
        Image { images: Arc::clone(self), path, file, origin }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<FileId>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Image {
    /// What to open.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How much of it is mapped, as far as the kernel tells.
    pub(crate) fn mapped_bytes(&self) -> u64 {
        mappings::of(self.file).map_or(0, |ranges| mappings::bytes(&ranges))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.origin == Origin::Copy {
            // A copy that stays costs disk until the next start empties the folder; nothing else.
            let _removed = fs::remove_file(&self.path);
        }
        self.images.lock().remove(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_second_load_beside_the_first_makes_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("plugin.so");
        fs::write(&library, "code").unwrap();
        let images = Images::new(folder.path().join("run")).unwrap();
        let take = || images.take(&library, GenerationId::next()).unwrap();

        let first = take();
        assert_eq!(first.path(), library);
        let second = take();
        let copy = second.path().to_owned();
        assert_ne!(copy, library);
        assert_eq!(fs::read(&copy).unwrap(), b"code");

        drop(second);
        assert!(!copy.exists());
        drop(first);
        assert!(library.exists());
        assert_eq!(take().path(), library);
    }
}

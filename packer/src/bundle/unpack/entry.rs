//! One entry of the store: how its files are written and how they are checked.
//!
//! Files are synced and made read-only one by one; the directory gets its name elsewhere. Checking
//! follows no links: an entry holds regular files.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::Measured;
use super::{Bundle, Digest, Limits, Reading, TargetTriple};

pub(super) const LIBRARY: &str = "plugin.so";
const DESCRIPTOR: &str = "descriptor.json";
const HEAD: &str = "bundle.json";

/// Writes everything but the library.
pub(super) fn write_documents(dir: &Path, bundle: &Bundle) -> io::Result<()> {
    for (name, bytes) in [(DESCRIPTOR, bundle.descriptor()), (HEAD, bundle.head_json())] {
        let mut file = File::create_new(dir.join(name))?;
        file.write_all(bytes)?;
        seal(&file, 0o444)?;
    }
    Ok(())
}

/// Makes a written file lasting and read-only.
pub(super) fn seal(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Makes the names in a directory lasting.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The descriptor of the entry `dir`, if the entry is exactly what the bundle that is being read
/// says it should be. Anything else, be it damage or absence, is a reason to write it anew.
pub(super) fn intact_descriptor(
    dir: &Path,
    limits: &Limits,
    reading: &Reading,
    target: &TargetTriple,
) -> Option<Vec<u8>> {
    let head = reading.head();
    let library = Measured::of_reader(open_regular(&dir.join(LIBRARY))?).ok()?;
    let intact = Some(library) == head.library(target)
        && read_bounded(&dir.join(HEAD), limits.document_bytes_max)? == reading.head_json();
    let descriptor = read_bounded(&dir.join(DESCRIPTOR), limits.document_bytes_max)?;
    (intact && Digest::of_bytes(&descriptor) == head.descriptor_digest()).then_some(descriptor)
}

fn open_regular(path: &Path) -> Option<File> {
    let regular = fs::symlink_metadata(path).ok()?.is_file();
    if regular { File::open(path).ok() } else { None }
}

/// The file's bytes; cut off after the limit, and then not equal to anything wanted.
fn read_bounded(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(bytes_max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

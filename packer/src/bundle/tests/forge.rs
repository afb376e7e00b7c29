//! Builds archives by hand, also such as packing would never write.

use std::io::Write;

use tar::{Builder, EntryType, Header};

use super::super::{Digest, TargetTriple};

pub(super) const LIBRARY: &[u8] = b"\x7fELF, more or less";
pub(super) const DESCRIPTOR: &[u8] = b"{}";

/// An archive in the making.
pub(super) struct Forge {
    tar: Builder<Vec<u8>>,
}

impl Forge {
    pub(super) fn new() -> Self {
        Self { tar: Builder::new(Vec::new()) }
    }

    /// An archive that begins with a right head.
    pub(super) fn with_head() -> Self {
        Self::new().file("bundle.json", head().as_bytes())
    }

    /// All that the right head speaks of, in order.
    pub(super) fn whole() -> Self {
        Self::with_head().file("descriptor.json", DESCRIPTOR).file(library_path(), LIBRARY)
    }

    pub(super) fn file(self, path: impl AsRef<[u8]>, body: &[u8]) -> Self {
        let header = header(path.as_ref(), body.len() as u64);
        self.raw(&header, body)
    }

    /// An entry that is no regular file.
    pub(super) fn odd(self, path: &str, kind: EntryType) -> Self {
        let mut header = header(path.as_bytes(), 0);
        header.set_entry_type(kind);
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
        header.set_cksum();
        self.raw(&header, b"")
    }

    pub(super) fn raw(mut self, header: &Header, body: &[u8]) -> Self {
        self.tar.append(header, body).unwrap();
        self
    }

    /// The archive with its closing blocks, not compressed.
    pub(super) fn tar(self) -> Vec<u8> {
        self.tar.into_inner().unwrap()
    }

    pub(super) fn bundle(self) -> Vec<u8> {
        compress(&self.tar())
    }
}

/// The header that packing would write, for any path at all.
pub(super) fn header(path: &[u8], bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(if path.starts_with(b"lib/") { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let ustar = header.as_ustar_mut().unwrap();
    match path.len().checked_sub(ustar.name.len() + 1) {
        None | Some(0) => ustar.name[..path.len()].copy_from_slice(path),
        Some(cut) => {
            ustar.prefix[..cut].copy_from_slice(&path[..cut]);
            ustar.name.copy_from_slice(&path[cut + 1..]);
        }
    }
    header.set_cksum();
    header
}

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut deflater = zstd::Encoder::new(Vec::new(), 1).unwrap();
    deflater.write_all(bytes).unwrap();
    deflater.finish().unwrap()
}

pub(super) fn library_path() -> String {
    format!("lib/{}/plugin.so", TargetTriple::host())
}

/// The head of [`Forge::whole`].
pub(super) fn head() -> String {
    format!(
        r#"{{"schema_version":1,"element":"hello","version":"1.4.0","kind":"plugin","libraries":[{}],"descriptor_sha256":"{}"}}"#,
        library_of_head(),
        Digest::of_bytes(DESCRIPTOR),
    )
}

pub(super) fn library_of_head() -> String {
    format!(
        r#"{{"target":"{}","path":"{}","sha256":"{}","bytes":{}}}"#,
        TargetTriple::host(),
        library_path(),
        Digest::of_bytes(LIBRARY),
        LIBRARY.len(),
    )
}

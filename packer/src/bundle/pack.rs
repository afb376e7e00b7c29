//! Packing: from files of a build to a bundle.
//!
//! The same inputs give the same bytes: entries have one order, headers have no times and owners,
//! and the compression has one level. [`pack_to_dir`] gives a file its name only after it was
//! written, synced and read back under the default limits, so what is packed can be opened.
//!
//! Nothing is said here about what the library or the descriptor hold.

mod docs;

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use semver::Version;
use tempfile::NamedTempFile;
use thiserror::Error;
use zstd::stream::write::Encoder;

use super::archive::{BLOCK, padding_after};
use super::digest::Measuring;
use super::place::{Place, PlaceError};
use super::{Bundle, BundleHead, Digest, ElementName, Limits, Measured, ReadError, TargetTriple};

/// Libraries shrink to a third at this level in a tenth of a second for each megabyte.
const ZSTD_LEVEL: i32 = 6;
const BUFFER_BYTES: usize = 64 * 1024;

/// What goes into a bundle.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The element.
    pub element: ElementName,
    /// Its version.
    pub version: Version,
    /// The library for each target; at least one.
    pub libraries: BTreeMap<TargetTriple, PathBuf>,
    /// The exact bytes that the plugin's `descriptor()` gives.
    pub descriptor: Vec<u8>,
    /// The license text.
    pub license: Option<PathBuf>,
    /// A directory that is packed as `docs/`, with everything under it.
    pub docs: Option<PathBuf>,
}

/// A bundle that [`pack_to_dir`] made.
#[derive(Debug)]
pub struct PackedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest and size.
    pub file: Measured,
}

/// A bundle cannot be packed.
#[derive(Debug, Error)]
pub enum PackError {
    /// There is nothing to load.
    #[error("bundle has no library; give one for at least one target")]
    NoLibrary,
    /// An input cannot be read.
    #[error("input `{}` cannot be read", path.display())]
    Input {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is a link, a pipe or the like under the docs directory.
    #[error("`{}` is neither a file nor a directory; copy what it stands for", .0.display())]
    DocKind(PathBuf),
    /// A file under the docs directory has a name that bundles do not have.
    #[error("`{}` cannot have a place in a bundle; rename it", path.display())]
    DocPath {
        /// The file.
        path: PathBuf,
        /// What is wrong with its path.
        source: PlaceError,
    },
    /// An input was written to while it was read.
    #[error(
        "input `{}` changed while it was packed; pack again when its build is over",
        .0.display()
    )]
    Changed(PathBuf),
    /// An entry's path does not fit into a tar header.
    #[error("entry `{path}` does not fit into the archive")]
    Header {
        /// Path in the archive.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The bundle cannot be written.
    #[error("bundle cannot be written")]
    Write(#[source] io::Error),
    /// The bundle cannot be put where it belongs.
    #[error("bundle `{}` cannot be written; nothing is left of it", path.display())]
    Place {
        /// The path it was to have.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The bundle was written and cannot be read back.
    #[error("bundle cannot be read back; nothing is left of it")]
    ReadBack(#[source] ReadError),
}

/// Where the bytes of an entry come from.
enum Source {
    Bytes(Vec<u8>),
    File { path: PathBuf, file: Measured },
}

/// Measures what passes on its way to `inner`.
struct MeasuredWriter<W> {
    inner: W,
    measuring: Measuring,
}

/// Packs `contents` and writes the bundle to `writer`, flushed at the end.
///
/// # Errors
///
/// When an input cannot be read, has no place in a bundle or changes meanwhile, and when writing
/// fails; what was written until then is of no use.
pub fn pack(contents: &Contents, writer: impl Write) -> Result<Measured, PackError> {
    let entries = entries(contents)?;
    let writer = MeasuredWriter { inner: writer, measuring: Measuring::default() };
    let mut deflater = Encoder::new(writer, ZSTD_LEVEL).map_err(PackError::Write)?;
    // Catches damage that tar has no checksum for, such as a flipped bit in a document.
    deflater.include_checksum(true).map_err(PackError::Write)?;
    for (place, source) in entries {
        write_entry(&mut deflater, &place, source)?;
    }
    deflater.write_all(&[0; 2 * BLOCK]).map_err(PackError::Write)?;
    let mut writer = deflater.finish().map_err(PackError::Write)?;
    writer.flush().map_err(PackError::Write)?;
    Ok(writer.measuring.finish())
}

/// Packs `contents` into `dir` as `<element>-<version>.bundle`, replacing one of that name.
///
/// # Errors
///
/// As [`pack`], and when the file cannot be synced, read back or renamed. Nothing is left then,
/// and a bundle of that name is as it was.
pub fn pack_to_dir(contents: &Contents, dir: &Path) -> Result<PackedFile, PackError> {
    let Contents { element, version, .. } = contents;
    let path = dir.join(format!("{element}-{version}.bundle"));
    let failed = |source| PackError::Place { path: path.clone(), source };

    // Aside and hidden, on the same file system: a scan does not see it and a rename is atomic.
    let mut aside = tempfile::Builder::new().prefix(".pack-").tempfile_in(dir).map_err(failed)?;
    let file = pack(contents, aside.as_file_mut())?;
    settle(&aside).map_err(failed)?;
    Bundle::open(aside.path(), &Limits::default()).map_err(PackError::ReadBack)?;
    aside.persist(&path).map_err(|error| failed(error.error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(PackedFile { path, file })
}

fn settle(aside: &NamedTempFile) -> io::Result<()> {
    aside.as_file().set_permissions(Permissions::from_mode(0o644))?;
    aside.as_file().sync_all()
}

/// All entries but the head are known first; then the head, which speaks of them.
fn entries(contents: &Contents) -> Result<BTreeMap<Place, Source>, PackError> {
    let Contents { element, version, libraries, descriptor, license, docs } = contents;
    if libraries.is_empty() {
        return Err(PackError::NoLibrary);
    }
    let mut entries = BTreeMap::new();
    let mut measured = BTreeMap::new();
    for (target, path) in libraries {
        let file = measure(path)?;
        measured.insert(target.clone(), file);
        let source = Source::File { path: path.clone(), file };
        entries.insert(Place::Library(target.clone()), source);
    }
    if let Some(path) = license {
        let source = Source::File { path: path.clone(), file: measure(path)? };
        entries.insert(Place::License, source);
    }
    for (place, path) in docs.as_deref().map(docs::walk).transpose()?.unwrap_or_default() {
        let file = measure(&path)?;
        entries.insert(place, Source::File { path, file });
    }
    let head = BundleHead {
        element: element.clone(),
        version: version.clone(),
        libraries: measured,
        descriptor: Digest::of_bytes(descriptor),
    };
    entries.insert(Place::Descriptor, Source::Bytes(descriptor.clone()));
    entries.insert(Place::Head, Source::Bytes(head.to_json()));
    Ok(entries)
}

fn measure(path: &Path) -> Result<Measured, PackError> {
    File::open(path)
        .and_then(Measured::of_reader)
        .map_err(|source| PackError::Input { path: path.to_owned(), source })
}

fn write_entry(writer: &mut impl Write, place: &Place, source: Source) -> Result<(), PackError> {
    let bytes = match &source {
        Source::Bytes(bytes) => bytes.len() as u64,
        Source::File { file, .. } => file.bytes,
    };
    let header = place
        .header(bytes)
        .map_err(|source| PackError::Header { path: place.to_string(), source })?;
    writer.write_all(header.as_bytes()).map_err(PackError::Write)?;
    match source {
        Source::Bytes(bytes) => writer.write_all(&bytes).map_err(PackError::Write)?,
        Source::File { path, file } => copy_file(writer, path, file)?,
    }
    writer.write_all(&[0; BLOCK][..padding_after(bytes)]).map_err(PackError::Write)
}

fn copy_file(writer: &mut impl Write, path: PathBuf, wanted: Measured) -> Result<(), PackError> {
    let unreadable = |source| PackError::Input { path: path.clone(), source };
    // One byte more than expected is enough to see that the file has grown.
    let mut file = File::open(&path).map_err(unreadable)?.take(wanted.bytes.saturating_add(1));
    let mut measuring = Measuring::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let n = file.read(&mut buffer).map_err(unreadable)?;
        if n == 0 {
            break;
        }
        measuring.update(&buffer[..n]);
        writer.write_all(&buffer[..n]).map_err(PackError::Write)?;
    }
    if measuring.finish() == wanted { Ok(()) } else { Err(PackError::Changed(path)) }
}

impl<W: Write> Write for MeasuredWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.measuring.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

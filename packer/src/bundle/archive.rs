//! Walks the entries of a bundle file and lets nothing odd or large pass.
//!
//! # Invariants
//!
//! - A limit is checked when an entry's header is seen, before its body is inflated; the inflater
//!   is asked for exactly the bytes that the headers announced.
//! - An entry's header is byte for byte the one its [`Place`] and size have. Tar's many dialects
//!   (links, devices, sparse files, long names, octal and binary sizes) never come into play.
//! - The file's digest is given out only by [`Archive::finish`], after the last byte of the
//!   archive, of the zstd frame and of the file were seen, in that order and with nothing after.
//!
//! What the entries mean is not known here.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Take};
use std::path::Path;

use tar::{EntryType, Header};
use thiserror::Error;
use zstd::stream::read::Decoder;

use super::digest::Measuring;
use super::place::{Place, PlaceError};
use super::quote::quote;
use super::{Limits, Measured};

/// Tar counts in blocks: a header is one, a body is filled up to whole ones, two close the archive.
pub(super) const BLOCK: usize = 512;
const CHUNK_BYTES: usize = 64 * 1024;
/// A frame that asks for a larger window (8 MiB) is refused: the window is memory.
const WINDOW_LOG_MAX: u32 = 23;

/// The entries of a bundle file, one after the other.
pub(super) struct Archive {
    inflater: Decoder<'static, BufReader<MeasuredFile>>,
    limits: Limits,
    file_bytes: u64,
    inflated_bytes: u64,
    n_entries: usize,
    last: Option<Place>,
    position: Position,
    chunk: Box<[u8]>,
}

/// An entry whose header was accepted; its body comes in chunks.
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) bytes: u64,
}

/// Where in the archive reading has come to.
enum Position {
    /// In the body of an entry: that much of it is left, and that many zeros after it.
    Body { left: u64, padding: usize },
    /// After the first of the two closing blocks.
    End,
}

/// Measures what is read of a file. It ends where the file ended when it was opened.
struct MeasuredFile {
    file: Take<File>,
    measuring: Measuring,
}

/// The file is not an archive of the form that bundles have.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file cannot be opened.
    #[error("file cannot be opened")]
    Open(#[source] io::Error),
    /// A directory, a pipe, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file itself is too large.
    #[error("file has {bytes} bytes, more than the {max} allowed (`bundle_bytes_max`)")]
    BundleTooLarge {
        /// Size seen.
        bytes: u64,
        /// Size allowed.
        max: u64,
    },
    /// Not zstd, cut off, damaged, or not readable.
    #[error("file cannot be inflated; fetch it again")]
    Inflate(#[source] io::Error),
    /// The zstd stream is whole and the archive in it is not.
    #[error("archive ends early, after {0} inflated bytes; pack it again")]
    EndsEarly(u64),
    /// A header does not have the checksum it states.
    #[error("header of entry {0} is damaged: its checksum or its size makes no sense")]
    Checksum(usize),
    /// A link, a device, a directory, an extension header.
    #[error("entry `{path}` is {kind}; only regular files are allowed")]
    Kind {
        /// Path in the archive.
        path: String,
        /// What it is, in words.
        kind: &'static str,
    },
    /// A path that bundles do not have.
    #[error("entry `{path}` is not allowed")]
    Place {
        /// Path in the archive.
        path: String,
        /// What is wrong with it.
        #[source]
        source: PlaceError,
    },
    /// A header that packing never writes.
    #[error("entry `{0}` has a mode, owner, time or spelling that packing never writes")]
    Header(String),
    /// The same path a second time.
    #[error("entry `{0}` is there twice")]
    Duplicate(String),
    /// Not sorted.
    #[error("entry `{path}` comes after `{after}`; entries are sorted")]
    Unsorted {
        /// Path in the archive.
        path: String,
        /// The one before.
        after: String,
    },
    /// Too many entries.
    #[error("archive has more than the {0} entries allowed (`entries_max`)")]
    TooManyEntries(usize),
    /// One entry is too large.
    #[error("entry `{path}` has {bytes} bytes, more than the {max} allowed (`{limit}`)")]
    EntryTooLarge {
        /// Path in the archive.
        path: String,
        /// Size seen.
        bytes: u64,
        /// Size allowed.
        max: u64,
        /// Name of the limit.
        limit: &'static str,
    },
    /// All entries together are too large.
    #[error(
        "archive inflates to {bytes} bytes by entry `{path}`, more than the {max} allowed \
         (`unpacked_bytes_max`)"
    )]
    UnpackedTooLarge {
        /// Path of the entry that went over.
        path: String,
        /// Size seen.
        bytes: u64,
        /// Size allowed.
        max: u64,
    },
    /// A bomb.
    #[error(
        "archive inflates to {bytes} bytes by entry `{path}`, more than {max} times the {file} \
         bytes of the file (`ratio_max`)"
    )]
    Ratio {
        /// Path of the entry that went over.
        path: String,
        /// Inflated size.
        bytes: u64,
        /// Size of the file.
        file: u64,
        /// Ratio allowed.
        max: u64,
    },
    /// Padding or the closing blocks are not zeros, or something follows.
    #[error("{0} is followed by data that does not belong to it")]
    Trailing(&'static str),
}

impl Archive {
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self, ArchiveError> {
        // Asked before opening: to open a pipe that nobody writes to waits for ever.
        if !fs::metadata(path).map_err(ArchiveError::Open)?.is_file() {
            return Err(ArchiveError::NotAFile);
        }
        let file = File::open(path).map_err(ArchiveError::Open)?;
        let file_bytes = file.metadata().map_err(ArchiveError::Open)?.len();
        if file_bytes > limits.bundle_bytes_max {
            let max = limits.bundle_bytes_max;
            return Err(ArchiveError::BundleTooLarge { bytes: file_bytes, max });
        }
        let file = MeasuredFile { file: file.take(file_bytes), measuring: Measuring::default() };
        let mut inflater = Decoder::new(file).map_err(ArchiveError::Inflate)?.single_frame();
        inflater.window_log_max(WINDOW_LOG_MAX).map_err(ArchiveError::Inflate)?;
        Ok(Self {
            inflater,
            limits: *limits,
            file_bytes,
            inflated_bytes: 0,
            n_entries: 0,
            last: None,
            position: Position::Body { left: 0, padding: 0 },
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
        })
    }

    /// The next entry, or nothing at the end, however often it is asked. What was left of the one
    /// before is skipped.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        while self.next_chunk()?.is_some() {}
        let Position::Body { left: _, padding } = self.position else {
            return Ok(None);
        };
        self.skip_zeros(padding)?;
        let mut header = Header::new_old();
        *header.as_mut_bytes() = self.block()?;
        if is_zero(header.as_bytes()) {
            self.position = Position::End;
            return Ok(None);
        }
        self.n_entries += 1;
        let entry = self.admit(&header)?;
        self.charge(&entry)?;
        self.last = Some(entry.place.clone());
        Ok(Some(entry))
    }

    /// The next piece of the current entry's body, or nothing at its end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<&[u8]>, ArchiveError> {
        let Position::Body { left, .. } = &mut self.position else {
            return Ok(None);
        };
        let wanted = usize::try_from(*left).map_or(CHUNK_BYTES, |n| n.min(CHUNK_BYTES));
        if wanted == 0 {
            return Ok(None);
        }
        let n = self.inflater.read(&mut self.chunk[..wanted]).map_err(ArchiveError::Inflate)?;
        if n == 0 {
            return Err(ArchiveError::EndsEarly(self.inflated_bytes));
        }
        self.inflated_bytes += n as u64;
        *left -= n as u64;
        Ok(Some(&self.chunk[..n]))
    }

    /// Sees the archive, the frame and the file to their ends, and measures the file.
    ///
    /// To be called when [`Archive::next_entry`] gave nothing; before that it fails.
    pub(super) fn finish(mut self) -> Result<Measured, ArchiveError> {
        let block = self.block()?;
        let more = self.inflater.read(&mut [0]).map_err(ArchiveError::Inflate)?;
        if more != 0 || !is_zero(&block) {
            return Err(ArchiveError::Trailing("the archive"));
        }
        let mut file = self.inflater.into_inner();
        if !file.fill_buf().map_err(ArchiveError::Inflate)?.is_empty() {
            return Err(ArchiveError::Trailing("the zstd frame"));
        }
        let MeasuredFile { file, measuring } = file.into_inner();
        if file.into_inner().read(&mut [0]).map_err(ArchiveError::Inflate)? != 0 {
            return Err(ArchiveError::Trailing("the file as it was opened"));
        }
        Ok(measuring.finish())
    }

    /// Says whether this header may be here, whatever its size.
    fn admit(&self, header: &Header) -> Result<Entry, ArchiveError> {
        let max = self.limits.entries_max;
        if self.n_entries > max {
            return Err(ArchiveError::TooManyEntries(max));
        }
        let (true, Ok(bytes)) = (has_its_checksum(header), header.entry_size()) else {
            return Err(ArchiveError::Checksum(self.n_entries));
        };
        let path = quote(&String::from_utf8_lossy(&header.path_bytes()));
        if let Some(kind) = odd_kind(header.entry_type()) {
            return Err(ArchiveError::Kind { path, kind });
        }
        let place = match Place::parse(&header.path_bytes(), self.limits.path_bytes_max) {
            Ok(place) => place,
            Err(source) => return Err(ArchiveError::Place { path, source }),
        };
        match &self.last {
            Some(last) if *last == place => return Err(ArchiveError::Duplicate(path)),
            Some(last) if *last > place => {
                return Err(ArchiveError::Unsorted { path, after: last.to_string() });
            }
            Some(_) | None => {}
        }
        match place.header(bytes) {
            Ok(wanted) if wanted.as_bytes() == header.as_bytes() => Ok(Entry { place, bytes }),
            Ok(_) | Err(_) => Err(ArchiveError::Header(path)),
        }
    }

    /// Holds the announced size against the limits and expects that much body.
    fn charge(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let Entry { place, bytes } = entry;
        let (path, bytes) = (place.to_string(), *bytes);
        let (max, limit) = match place {
            Place::Head | Place::Descriptor => {
                (self.limits.document_bytes_max, "document_bytes_max")
            }
            Place::License | Place::Doc(_) | Place::Library(_) => {
                (self.limits.entry_bytes_max, "entry_bytes_max")
            }
        };
        if bytes > max {
            return Err(ArchiveError::EntryTooLarge { path, bytes, max, limit });
        }
        let padding = padding_after(bytes);
        let total = self.inflated_bytes.saturating_add(bytes).saturating_add(padding as u64);
        let max = self.limits.unpacked_bytes_max;
        if total > max {
            return Err(ArchiveError::UnpackedTooLarge { path, bytes: total, max });
        }
        let (file, max) = (self.file_bytes, self.limits.ratio_max);
        if total > file.saturating_mul(max).saturating_add(Limits::RATIO_FREE_BYTES) {
            return Err(ArchiveError::Ratio { path, bytes: total, file, max });
        }
        self.position = Position::Body { left: bytes, padding };
        Ok(())
    }

    fn skip_zeros(&mut self, padding: usize) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block[..padding])?;
        if is_zero(&block) { Ok(()) } else { Err(ArchiveError::Trailing("an entry")) }
    }

    /// Inflates exactly one block.
    fn block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        Ok(block)
    }

    fn fill(&mut self, mut space: &mut [u8]) -> Result<(), ArchiveError> {
        while !space.is_empty() {
            let n = self.inflater.read(space).map_err(ArchiveError::Inflate)?;
            if n == 0 {
                return Err(ArchiveError::EndsEarly(self.inflated_bytes));
            }
            self.inflated_bytes += n as u64;
            space = &mut space[n..];
        }
        Ok(())
    }
}

impl Read for MeasuredFile {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(space)?;
        self.measuring.update(&space[..n]);
        Ok(n)
    }
}

/// How many zeros fill up the last block of a body.
pub(super) fn padding_after(bytes: u64) -> usize {
    let over = usize::try_from(bytes % BLOCK as u64).expect("a remainder is below its divisor");
    (BLOCK - over) % BLOCK
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn has_its_checksum(header: &Header) -> bool {
    let mut right = header.clone();
    right.set_cksum();
    right.as_bytes() == header.as_bytes()
}

/// What an entry is in words, unless it is a regular file.
fn odd_kind(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular => None,
        EntryType::Link => Some("a hard link"),
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Char => Some("a character device"),
        EntryType::Block => Some("a block device"),
        EntryType::Directory => Some("a directory"),
        EntryType::Fifo => Some("a pipe"),
        EntryType::GNUSparse => Some("a sparse file"),
        EntryType::GNULongName | EntryType::GNULongLink => Some("a GNU long name"),
        EntryType::XGlobalHeader | EntryType::XHeader => Some("a pax extension"),
        EntryType::Continuous => Some("a contiguous file"),
        _ => Some("of an unknown kind"),
    }
}

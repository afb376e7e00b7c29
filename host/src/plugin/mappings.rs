//! What of a file is mapped into this process, by device and inode.
//!
//! Paths do not tell: a file may be renamed or deleted while it is mapped. This is how an unload is proved
//! and how keys are found by the code of their destructor; it never assumes that `dlclose` did anything.

use std::fs::{self, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

/// A file, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The address ranges at which `file` is mapped, in order.
///
/// # Errors
/// When the kernel does not show this process its own mappings.
pub(crate) fn of(file: FileId) -> io::Result<Vec<Range<usize>>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter_map(parse).filter(|(id, _range)| *id == file).map(|it| it.1).collect())
}

/// How many bytes `ranges` cover.
pub(crate) fn bytes(ranges: &[Range<usize>]) -> u64 {
    ranges.iter().map(|range| range.len() as u64).sum()
}

/// `7f12-7f34 r-xp 00000000 fe:00 1234 /path` → what is mapped, and where.
fn parse(line: &str) -> Option<(FileId, Range<usize>)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (major, minor) = fields.nth(2)?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    let hex = |digits| u32::from_str_radix(digits, 16).ok();
    let device = rustix::fs::makedev(hex(major)?, hex(minor)?);
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    Some((FileId { device, inode }, address(start)?..address(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_mapped_and_a_text_file_is_not() {
        let program = fs::metadata("/proc/self/exe").unwrap();
        let ranges = of(FileId::from(&program)).unwrap();
        let code = of as *const () as usize;
        assert!(ranges.iter().any(|range| range.contains(&code)), "{code:x} is not in {ranges:x?}");
        assert!(bytes(&ranges) > 0);
        let manifest = fs::metadata(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        assert!(of(FileId::from(&manifest)).unwrap().is_empty());
    }

    #[test]
    fn a_line_without_a_file_is_no_file() {
        let line = "7ffd1000-7ffd3000 r-xp 00000000 00:00 0                          [vdso]";
        let (id, range) = parse(line).unwrap();
        assert_eq!(id, FileId { device: 0, inode: 0 });
        assert_eq!(range, 0x7ffd_1000..0x7ffd_3000);
        assert_eq!(parse("nonsense"), None);
    }
}

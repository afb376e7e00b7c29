//! How much of anything a bundle may have before it is refused.
//!
//! Every number that a stranger's file could make large has its bound here; the defaults are far
//! above what a plugin needs and far below what hurts a small machine. Limits bound reading only:
//! what was packed is read back under them.

/// The bounds of reading one bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the file itself.
    pub bundle_bytes_max: u64,
    /// Size of everything in it, inflated, tar headers and padding included.
    pub unpacked_bytes_max: u64,
    /// Size of one entry, inflated.
    pub entry_bytes_max: u64,
    /// Size of `bundle.json` and of `descriptor.json`, which are held in memory.
    pub document_bytes_max: u64,
    /// Number of entries.
    pub entries_max: usize,
    /// Length of an entry's path; tar headers have room for 255.
    pub path_bytes_max: usize,
    /// Inflated size divided by the file's size. The first [`Limits::RATIO_FREE_BYTES`] are not
    /// counted: small archives are mostly zeros.
    pub ratio_max: u64,
}

impl Limits {
    /// How much a file may inflate to before its ratio is looked at.
    pub const RATIO_FREE_BYTES: u64 = 1024 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            bundle_bytes_max: 256 * MIB,
            unpacked_bytes_max: 1024 * MIB,
            entry_bytes_max: 512 * MIB,
            document_bytes_max: 4 * MIB,
            entries_max: 1024,
            path_bytes_max: 200,
            ratio_max: 100,
        }
    }
}

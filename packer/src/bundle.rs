//! A bundle: one `tar.zst` file that holds one version of one element.
//!
//! ```text
//! hello-1.4.0.bundle
//! ├── bundle.json                                what is inside, with sizes and digests; first
//! ├── LICENSE                                    optional
//! ├── descriptor.json                            the exact bytes of the plugin's descriptor
//! ├── docs/…                                     optional
//! └── lib/x86_64-unknown-linux-gnu/plugin.so     one for each target
//! ```
//!
//! [`pack_to_dir`] makes one, [`Bundle::open`] verifies one, [`unpack`] verifies one and puts the
//! library of a target into a content-addressed store, [`head_of`] and [`scan_dir`] only list.
//!
//! # Invariants
//!
//! - The same inputs give the same bytes, whatever their order, times and owners.
//! - A [`Bundle`] or an [`Unpacked`] exists only when every byte of its file was read, every limit
//!   kept and every digest found right. A [`BundleHead`] alone is a claim.
//! - The archive has one spelling: entry headers are compared byte for byte with those that
//!   packing writes, so there are no links, devices, sparse files or extension headers, and no
//!   second way to read the same file.
//! - A limit is checked against an entry's header, before the entry is inflated.
//! - Memory does not grow with the size of a library.
//!
//! Signatures are not looked at here, and the descriptor is opaque bytes.

mod archive;
mod digest;
mod head;
mod limits;
mod name;
mod pack;
mod place;
mod quote;
mod read;
mod scan;
mod unpack;

#[cfg(test)]
mod tests;

pub use self::archive::ArchiveError;
pub use self::digest::{Digest, InvalidDigest, Measured};
pub use self::head::{BundleHead, HeadError};
pub use self::limits::Limits;
pub use self::name::{ElementName, InvalidElementName, InvalidTargetTriple, TargetTriple};
pub use self::pack::{Contents, PackError, PackedFile, pack, pack_to_dir};
pub use self::place::PlaceError;
pub use self::read::{Bundle, Fault, ReadError, head_of};
pub use self::scan::{Found, Scan, ScanError, bundle_paths, scan_dir};
pub use self::unpack::{UnpackError, Unpacked, unpack};

pub(crate) use self::digest::Measuring;
pub(crate) use self::quote::quote;

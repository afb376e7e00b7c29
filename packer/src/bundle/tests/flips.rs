//! Random damage: never a panic, never content that does not have the digest it is said to have.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use super::super::{Digest, TargetTriple, Unpacked, unpack};
use super::forge::{Forge, compress};
use super::{DESCRIPTOR, Site, library_bytes, limits, names_in};

fn flipped(mut bytes: Vec<u8>, flips: &[(Index, u8)]) -> Vec<u8> {
    for (at, mask) in flips {
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
    }
    bytes
}

fn flips() -> impl Strategy<Value = Vec<(Index, u8)>> {
    vec((any::<Index>(), 1..=u8::MAX), 1..4)
}

/// Takes a file of these bytes as far as it goes; a refusal must leave the store empty.
fn check(bytes: &[u8], check: impl FnOnce(&Unpacked)) {
    let site = TempDir::new().unwrap();
    let (path, store) = (site.path().join("x.bundle"), site.path().join("store"));
    fs::write(&path, bytes).unwrap();
    fs::create_dir(&store).unwrap();
    match unpack(&path, &limits(), &TargetTriple::host(), &store) {
        Ok(unpacked) => {
            assert_eq!(unpacked.digest(), Digest::of_bytes(bytes));
            check(&unpacked);
        }
        Err(_) => assert_eq!(names_in(&store), [""; 0]),
    }
}

fn config() -> ProptestConfig {
    // A failure prints its seed; nothing is written into the checkout.
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// Damage in transit: zstd's own checksum is the first to see it.
#[test]
fn a_flipped_file_gives_the_packed_content_or_nothing() {
    let whole = fs::read(Site::new().bundle()).unwrap();
    proptest!(config(), |(flips in flips())| {
        check(&flipped(whole.clone(), &flips), |unpacked| {
            assert_eq!(unpacked.descriptor(), DESCRIPTOR);
            assert_eq!(fs::read(unpacked.library()).unwrap(), library_bytes(1));
        });
    });
}

/// Damage by somebody who compresses again: only headers and digests stand against it.
#[test]
fn a_flipped_archive_gives_what_its_head_says_or_nothing() {
    let whole = Forge::whole().tar();
    proptest!(config(), |(flips in flips())| {
        check(&compress(&flipped(whole.clone(), &flips)), |unpacked| {
            let (head, library) = (unpacked.head(), fs::read(unpacked.library()).unwrap());
            let wanted = head.library(&TargetTriple::host()).unwrap().digest;
            assert_eq!(Digest::of_bytes(&library), wanted);
            assert_eq!(Digest::of_bytes(unpacked.descriptor()), head.descriptor_digest());
        });
    });
}

//! What unpacking leaves in the store, and what it does not leave.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use super::super::{TargetTriple, UnpackError, Unpacked, unpack};
use super::{DESCRIPTOR, Site, library_bytes, limits, names_in};

fn unpack_host(site: &Site, bundle: &Path) -> Result<Unpacked, UnpackError> {
    unpack(bundle, &limits(), &TargetTriple::host(), &site.path("store"))
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn an_entry_is_named_by_the_digest_and_read_only() {
    let site = Site::new();
    let unpacked = unpack_host(&site, &site.bundle()).unwrap();
    assert_eq!(site.stored(), [unpacked.digest().file_name()]);
    let mode = |name: &str| {
        let mode = fs::metadata(unpacked.dir().join(name)).unwrap().permissions().mode();
        format!("{:o} {name}", mode & 0o7777)
    };
    let modes: Vec<_> = names_in(unpacked.dir()).iter().map(|name| mode(name)).collect();
    assert_eq!(modes, ["444 bundle.json", "444 descriptor.json", "555 plugin.so"]);
    assert_eq!(fs::metadata(unpacked.dir()).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn an_intact_entry_is_used_again() {
    let site = Site::new();
    let bundle = site.bundle();
    let first = unpack_host(&site, &bundle).unwrap();
    let before = inode(&first.library());
    let second = unpack_host(&site, &bundle).unwrap();
    assert_eq!(inode(&second.library()), before);
    assert_eq!(second.descriptor(), DESCRIPTOR);
    assert_eq!(second.head(), first.head());
}

#[test]
fn a_damaged_entry_is_replaced() {
    let site = Site::new();
    let bundle = site.bundle();
    let dir = unpack_host(&site, &bundle).unwrap().dir().to_owned();
    let replace = |name: &str, bytes: &[u8]| {
        fs::remove_file(dir.join(name)).unwrap();
        fs::write(dir.join(name), bytes).unwrap();
    };
    let mut flipped = library_bytes(1);
    flipped[77] ^= 1;

    let damages: [(&str, &dyn Fn()); 9] = [
        ("library flipped", &|| replace("plugin.so", &flipped)),
        ("library cut", &|| replace("plugin.so", &flipped[..9])),
        ("library gone", &|| fs::remove_file(dir.join("plugin.so")).unwrap()),
        ("library is a link", &|| {
            fs::remove_file(dir.join("plugin.so")).unwrap();
            symlink(site.path("host.so"), dir.join("plugin.so")).unwrap();
        }),
        ("descriptor changed", &|| replace("descriptor.json", b"{}")),
        ("head changed", &|| replace("bundle.json", b"{}")),
        ("entry empty", &|| {
            fs::remove_dir_all(&dir).unwrap();
            fs::create_dir(&dir).unwrap();
        }),
        ("entry is a file", &|| {
            fs::remove_dir_all(&dir).unwrap();
            fs::write(&dir, "").unwrap();
        }),
        ("entry is a link", &|| {
            fs::remove_dir_all(&dir).unwrap();
            symlink("/nowhere", &dir).unwrap();
        }),
    ];
    for (name, damage) in damages {
        damage();
        let unpacked = unpack_host(&site, &bundle).unwrap();
        assert_eq!(fs::read(unpacked.library()).unwrap(), library_bytes(1), "{name}");
        assert!(!unpacked.library().is_symlink(), "{name}");
        assert_eq!(fs::read(dir.join("descriptor.json")).unwrap(), DESCRIPTOR, "{name}");
        assert_eq!(site.stored(), [unpacked.digest().file_name()], "{name}");
    }
}

#[test]
fn two_versions_lie_side_by_side() {
    let site = Site::new();
    let first = unpack_host(&site, &site.bundle()).unwrap();
    fs::write(site.path("host.so"), library_bytes(3)).unwrap();
    let second = unpack_host(&site, &site.bundle()).unwrap();
    assert_eq!(site.stored().len(), 2);
    assert_eq!(fs::read(first.library()).unwrap(), library_bytes(1));
    assert_eq!(fs::read(second.library()).unwrap(), library_bytes(3));
}

#[test]
fn many_at_once_agree() {
    let site = Site::new();
    let bundle = site.bundle();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let unpacked = unpack_host(&site, &bundle).unwrap();
                assert_eq!(fs::read(unpacked.library()).unwrap(), library_bytes(1));
            });
        }
    });
    assert_eq!(site.stored().len(), 1);
}

#[test]
fn a_target_without_library_is_told() {
    let site = Site::new();
    let target = "riscv64gc-unknown-linux-gnu".parse().unwrap();
    let error = unpack(&site.bundle(), &limits(), &target, &site.path("store")).unwrap_err();
    expect!["bundle `hello-1.4.0.bundle` has no library for `riscv64gc-unknown-linux-gnu`, only for `s390x-unknown-linux-gnu`, `x86_64-unknown-linux-gnu`; pack it for that target"].assert_eq(&site.text(&error));
    assert_eq!(site.stored(), [""; 0]);
}

#[test]
fn a_store_that_is_no_directory_is_told() {
    let site = Site::new();
    let store = site.path("LICENSE");
    let error = unpack(&site.bundle(), &limits(), &TargetTriple::host(), &store).unwrap_err();
    expect![[r#"
        store `LICENSE` cannot be written to; nothing was added to it: make room or give the daemon the right to write there, then try again
          caused by: Not a directory (os error 20)"#]].assert_eq(&site.text(&error));
}

/// The disk is full halfway through the library: a process whose files may not grow meets the same
/// failing `write`. The limit is a whole process's, so the test runs itself again in one.
#[test]
fn a_full_disk_leaves_nothing_behind() {
    const SITE: &str = "PACKER_TEST_FULL_DISK_SITE";
    const NAME: &str = "bundle::tests::store::a_full_disk_leaves_nothing_behind";
    if let Some(dir) = std::env::var_os(SITE) {
        let dir = Path::new(&dir);
        let (bundle, store) = (dir.join("hello-1.4.0.bundle"), dir.join("store"));
        let error = unpack(&bundle, &limits(), &TargetTriple::host(), &store).unwrap_err();
        assert_eq!(super::chain(&error).replace(dir.to_str().unwrap(), "SITE"), FULL);
        return;
    }
    let site = Site::new();
    site.bundle();
    let status = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$0" --exact "$1""#])
        .arg(std::env::current_exe().unwrap())
        .arg(NAME)
        .env(SITE, site.dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(site.stored(), [""; 0]);
}

const FULL: &str = "store `SITE/store` cannot be written to; nothing was added to it: make room or \
                    give the daemon the right to write there, then try again\n  \
                    caused by: File too large (os error 27)";

//! What is packed comes back, and comes out the same each time.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use expect_test::expect;

use super::super::{Bundle, Digest, PackError, TargetTriple, pack, pack_to_dir, unpack};
use super::{DESCRIPTOR, Site, library_bytes, limits, names_in};

#[test]
fn what_is_packed_can_be_opened_and_unpacked() {
    let site = Site::new();
    let packed = pack_to_dir(&site.contents(), site.dir.path()).unwrap();
    assert_eq!(packed.path, site.path("hello-1.4.0.bundle"));

    let bundle = Bundle::open(&packed.path, &limits()).unwrap();
    assert_eq!(bundle.digest(), packed.file.digest);
    assert_eq!(bundle.digest(), Digest::of_bytes(&fs::read(&packed.path).unwrap()));
    assert_eq!(bundle.bytes(), packed.file.bytes);
    assert_eq!(bundle.descriptor(), DESCRIPTOR);
    assert_eq!(bundle.head().file_name(), "hello-1.4.0.bundle");
    assert_eq!(bundle.head().targets().count(), 2);

    let host = TargetTriple::host();
    let unpacked = unpack(&packed.path, &limits(), &host, &site.path("store")).unwrap();
    assert_eq!(unpacked.head(), bundle.head());
    assert_eq!(unpacked.digest(), bundle.digest());
    assert_eq!(unpacked.descriptor(), DESCRIPTOR);
    assert_eq!(fs::read(unpacked.library()).unwrap(), library_bytes(1));
}

#[test]
fn the_entries_are_those_and_in_that_order() {
    let site = Site::new();
    let file = File::open(site.bundle()).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let entry = |entry: tar::Entry<'_, _>| {
        let header = entry.header();
        let path = entry.path().unwrap().display().to_string();
        format!(
            "{:o} {} {} {} {path}\n",
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap()
        )
    };
    let entries: String = archive.entries().unwrap().map(|found| entry(found.unwrap())).collect();
    expect![[r#"
        644 0 0 0 bundle.json
        644 0 0 0 LICENSE
        644 0 0 0 descriptor.json
        644 0 0 0 docs/guide/start.md
        644 0 0 0 docs/index.md
        755 0 0 0 lib/s390x-unknown-linux-gnu/plugin.so
        755 0 0 0 lib/x86_64-unknown-linux-gnu/plugin.so
    "#]]
    .assert_eq(&entries);
}

#[test]
fn order_times_and_modes_of_the_inputs_do_not_matter() {
    let (one, other) = (Site::new(), Site::new());
    // The second site's docs are made again, in the other order and long ago.
    fs::remove_dir_all(other.path("docs")).unwrap();
    fs::create_dir_all(other.path("docs/guide")).unwrap();
    fs::write(other.path("docs/guide/start.md"), "Begin.\n").unwrap();
    fs::write(other.path("docs/index.md"), "# Hello\n").unwrap();
    for name in ["docs/index.md", "host.so", "LICENSE"] {
        let file = File::options().append(true).open(other.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        let mut permissions = file.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions).unwrap();
    }
    assert_eq!(fs::read(one.bundle()).unwrap(), fs::read(other.bundle()).unwrap());
}

#[test]
fn the_least_bundle_has_a_library_and_a_descriptor() {
    let site = Site::new();
    let mut contents = site.contents();
    contents.libraries.retain(|target, _| *target == TargetTriple::host());
    (contents.license, contents.docs) = (None, None);
    let packed = pack_to_dir(&contents, site.dir.path()).unwrap();
    assert_eq!(Bundle::open(&packed.path, &limits()).unwrap().descriptor(), DESCRIPTOR);
}

#[test]
fn what_cannot_be_packed_is_told_and_leaves_nothing() {
    let site = Site::new();
    let check = |change: &dyn Fn(&mut super::Contents), text: expect_test::Expect| {
        let mut contents = site.contents();
        change(&mut contents);
        let out = site.path("out");
        fs::create_dir_all(&out).unwrap();
        text.assert_eq(&site.text(&pack_to_dir(&contents, &out).unwrap_err()));
        assert_eq!(names_in(&out), [""; 0]);
    };
    fs::create_dir(site.path("linked")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", site.path("linked/users")).unwrap();
    fs::create_dir(site.path("control")).unwrap();
    fs::write(site.path("control/a\nb"), "").unwrap();

    check(
        &|contents| contents.libraries.clear(),
        expect!["bundle has no library; give one for at least one target"],
    );
    check(
        &|contents| contents.license = Some(site.path("missing")),
        expect![[r#"
        input `missing` cannot be read
          caused by: No such file or directory (os error 2)"#]],
    );
    check(
        &|contents| contents.license = Some(site.path("docs")),
        expect![[r#"
        input `docs` cannot be read
          caused by: Is a directory (os error 21)"#]],
    );
    check(
        &|contents| contents.docs = Some(site.path("linked")),
        expect!["`linked/users` is neither a file nor a directory; copy what it stands for"],
    );
    check(
        &|contents| contents.docs = Some(site.path("control")),
        expect![[r#"
        `control/a
        b` cannot have a place in a bundle; rename it
          caused by: path has a control character"#]],
    );
}

/// The kernel gives another text of the same length each time this file is opened.
#[test]
fn an_input_that_changes_meanwhile_is_told() {
    let site = Site::new();
    let mut contents = site.contents();
    contents.license = Some("/proc/sys/kernel/random/uuid".into());
    let error = pack(&contents, std::io::sink()).unwrap_err();
    expect!["input `/proc/sys/kernel/random/uuid` changed while it was packed; pack again when its build is over"].assert_eq(&site.text(&error));
}

#[test]
fn a_full_disk_is_told() {
    let site = Site::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let error = pack(&site.contents(), full).unwrap_err();
    expect![[r#"
        bundle cannot be written
          caused by: No space left on device (os error 28)"#]]
    .assert_eq(&site.text(&error));
}

#[test]
fn a_directory_that_is_none_is_told() {
    let site = Site::new();
    let error = pack_to_dir(&site.contents(), &site.path("LICENSE")).unwrap_err();
    assert!(matches!(error, PackError::Place { .. }));
    expect![[r#"
        bundle `LICENSE/hello-1.4.0.bundle` cannot be written; nothing is left of it
          caused by: Not a directory (os error 20)"#]]
    .assert_eq(&site.text(&error));
}

//! Listing a directory of bundles.

use std::fs;

use expect_test::expect;

use super::super::{Bundle, head_of, pack_to_dir, scan_dir};
use super::{Site, limits};

#[test]
fn a_scan_sorts_by_element_and_version_and_tells_what_is_broken() {
    let site = Site::new();
    let dir = site.path("bundles");
    fs::create_dir(&dir).unwrap();
    for (element, version) in
        [("zeta", "1.0.0"), ("hello", "1.10.0"), ("hello", "1.9.0"), ("hello", "1.10.0-rc.1")]
    {
        let mut contents = site.contents();
        contents.element = element.parse().unwrap();
        contents.version = version.parse().unwrap();
        pack_to_dir(&contents, &dir).unwrap();
    }
    fs::write(dir.join("broken.bundle"), "not one").unwrap();
    fs::create_dir(dir.join("directory.bundle")).unwrap();
    fs::write(dir.join(".pack-x.bundle"), "being written").unwrap();
    fs::write(dir.join("notes.txt"), "not one either").unwrap();

    let scan = scan_dir(&dir, &limits()).unwrap();
    let found: Vec<_> = scan.found.iter().map(|found| found.head.file_name()).collect();
    assert_eq!(
        found,
        [
            "hello-1.9.0.bundle",
            "hello-1.10.0-rc.1.bundle",
            "hello-1.10.0.bundle",
            "zeta-1.0.0.bundle"
        ]
    );
    let broken: Vec<_> = scan.broken.iter().map(|error| site.text(error)).collect();
    expect![[r#"
        bundle `bundles/broken.bundle` is refused; nothing of it is used
          caused by: file cannot be inflated; fetch it again
          caused by: Unknown frame descriptor
        bundle `bundles/directory.bundle` is refused; nothing of it is used
          caused by: it is not a regular file"#]]
    .assert_eq(&broken.join("\n"));
}

#[test]
fn a_head_is_read_though_the_rest_is_not_whole() {
    let site = Site::new();
    let path = site.bundle();
    let head = head_of(&path, &limits()).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    Bundle::open(&path, &limits()).unwrap_err();
    assert_eq!(head_of(&path, &limits()).unwrap(), head);
}

#[test]
fn a_directory_that_cannot_be_listed_is_told() {
    let site = Site::new();
    let error = scan_dir(&site.path("nowhere"), &limits()).unwrap_err();
    expect![[r#"
        directory of bundles `nowhere` cannot be listed
          caused by: No such file or directory (os error 2)"#]]
    .assert_eq(&site.text(&error));
}

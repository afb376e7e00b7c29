//! Which keys are whose, which files are served, and which part of one.

use http::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};

use super::keys::{KeyFile, shown};
use super::serve::{Asked, plain, range};

#[test]
fn files_of_keys_are_shared_among_the_roles() {
    let check = |files: &[&str], expected: &str| {
        let files: Vec<KeyFile> = files.iter().map(|file| file.parse().unwrap()).collect();
        assert_eq!(shown(&files), expected);
    };
    check(&["k"], "k: root targets snapshot timestamp");
    check(&["a", "b"], "a: root; b: targets snapshot timestamp");
    check(&["a", "b", "c", "d"], "a: root; b: targets; c: snapshot; d: timestamp");
    check(&["root=a", "b"], "a: root; b: targets snapshot timestamp");
    check(&["timestamp,snapshot=a"], "a: timestamp snapshot");
    check(&["dir=1/k"], "dir=1/k: root targets snapshot timestamp");
    check(
        &["a", "b", "c"],
        "3 files of keys do not say whose they are: give one for all roles, two for root and the others, four for \
         root, targets, snapshot and timestamp, or say it with `root=FILE`",
    );
}

#[test]
fn only_metadata_and_targets_are_served() {
    for path in ["/metadata/timestamp.json", "/targets/hello/1.0.0/ab.hello-1.0.0.bundle"] {
        assert_eq!(plain(path).as_deref(), Some(&path[1..]));
    }
    assert_eq!(plain("/targets/a%2Bb").as_deref(), Some("targets/a+b"));
    for path in [
        "/",
        "/keys.json",
        "/.trusted/root.json",
        "/metadata",
        "/metadata/",
        "/metadata/../keys.json",
        "/metadata/%2e%2e/keys.json",
        "/metadata/..%2fkeys.json",
        "/targets/.aside-x",
        "/targets//x",
    ] {
        assert_eq!(plain(path), None, "{path}");
    }
}

#[test]
fn a_range_is_the_part_that_was_asked_for() {
    let etag = HeaderValue::from_static("\"a\"");
    for (asked, expected) in [
        ("bytes=0-9", Asked::Part(0..10)),
        ("bytes=90-", Asked::Part(90..100)),
        ("bytes=-10", Asked::Part(90..100)),
        ("bytes=-1000", Asked::Part(0..100)),
        ("bytes=90-1000", Asked::Part(90..100)),
        ("bytes=100-", Asked::Beyond),
        ("bytes=-0", Asked::Beyond),
        ("bytes=9-0", Asked::Whole),
        ("bytes=0-9,20-29", Asked::Whole),
        ("lines=0-9", Asked::Whole),
    ] {
        let mut headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(asked))]);
        assert_eq!(range(&headers, &etag, 100), expected, "{asked}");
        headers.insert(IF_RANGE, HeaderValue::from_static("\"b\""));
        assert_eq!(range(&headers, &etag, 100), Asked::Whole, "{asked} of another file");
    }
}

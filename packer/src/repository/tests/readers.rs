//! What readers keep, whom they trust, and what a mirror is.

use expect_test::expect;

use super::super::{Keep, mirror};
use super::*;

#[tokio::test]
async fn what_is_trusted_is_what_was_signed_byte_for_byte() {
    let site = Site::with(&["1.0.0"]);
    let _reader = site.fresh_reader().await;
    let trusted = site.trusted();
    for (name, of_tree) in [
        ("root.json", "1.root.json"),
        ("targets.json", "2.targets.json"),
        ("snapshot.json", "2.snapshot.json"),
        ("timestamp.json", "timestamp.json"),
    ] {
        assert!(trusted[name] == fs::read(site.metadata(of_tree)).unwrap(), "{name}");
    }
    let visible = trusted.keys().filter(|name| !name.starts_with('.')).count();
    assert_eq!(visible, 4);
}

#[tokio::test]
async fn nothing_is_known_before_the_first_look() {
    let site = Site::with(&["1.0.0"]);
    let error = site.reader().versions_of(&hello()).unwrap_err();
    expect!["nothing is known of repository `tree` yet: it has to be refreshed first"]
        .assert_eq(&site.text(&error));
}

#[tokio::test]
async fn a_root_that_is_none_is_told() {
    let site = Site::new();
    let location = || Location::parse(site.tree().to_str().unwrap()).unwrap();
    let open = |root: &[u8]| Repository::open(root, location(), &site.path("trusted"));
    let error = open(b"<html>").unwrap_err();
    expect![[r#"
        trusted root of repository `tree` cannot be used: get it from the repository's owner again
          caused by: expected value at line 1 column 1"#]]
    .assert_eq(&site.text(&error));
    let forged =
        String::from_utf8(site.root()).unwrap().replace("\"version\": 1", "\"version\": 9");
    let error = open(forged.as_bytes()).unwrap_err();
    expect![[r#"
        trusted root of repository `tree` cannot be used: get it from the repository's owner again
          caused by: Signature threshold of 1 not met for role root (0 valid signatures)"#]]
    .assert_eq(&site.text(&error));
    assert!(!site.path("trusted").exists());
}

/// The other root is of another repository: what was trusted of the first does not help it.
#[tokio::test]
async fn trust_begins_anew_with_another_root() {
    let (site, other) = (Site::with(&["1.0.0"]), Site::with(&["2.0.0"]));
    let _trusted = site.fresh_reader().await;
    let location = Location::parse(other.tree().to_str().unwrap()).unwrap();
    let mut reader = Repository::open(&other.root(), location, &site.path("trusted")).unwrap();
    reader.versions_of(&hello()).unwrap_err();
    reader.refresh().await.unwrap();
    assert_eq!(versions(&reader), ["2.0.0"]);
}

/// As the specification has it: what was verified one role after the other is kept, and what failed is not.
#[tokio::test]
async fn what_was_verified_before_a_failure_can_be_kept() {
    let site = Site::with(&["1.0.0"]);
    let mut reader = site.fresh_reader().await;
    site.publish("1.1.0").unwrap();
    fs::copy(site.metadata("2.snapshot.json"), site.metadata("3.snapshot.json")).unwrap();
    let before = site.trusted();
    reader.refresh_keeping(Keep::Verified).await.unwrap_err();
    let after = site.trusted();
    assert!(after["timestamp.json"] == fs::read(site.metadata("timestamp.json")).unwrap());
    assert!(after["snapshot.json"] == before["snapshot.json"]);
    assert_eq!(versions(&reader), ["1.0.0"]);
}

#[tokio::test]
async fn a_mirror_is_read_like_its_original_and_can_be_brought_up_to_date() {
    let site = Site::with(&["1.0.0"]);
    let to = site.path("mirror");
    let location = || Location::parse(site.tree().to_str().unwrap()).unwrap();
    let mirrored = mirror(&site.root(), location(), &to).await.unwrap();
    assert_eq!(mirrored.n_targets, 1);
    site.publisher().rotate_root(&Assignment::new(), Vec::new()).unwrap();
    site.publish("1.1.0").unwrap();
    let mirrored = mirror(&site.root(), location(), &to).await.unwrap();
    assert_eq!(mirrored.n_targets, 2);

    let mut reader = site.reader_of(to.to_str().unwrap());
    reader.refresh().await.unwrap();
    assert_eq!(versions(&reader), ["1.0.0", "1.1.0"]);
    let newest = offer(&reader, "1.1.0");
    reader.download(&newest.target, &site.path("hello.bundle")).await.unwrap();
    let original = files_in(&site.tree());
    for (name, bytes) in files_in(&to).iter().filter(|(name, _)| !name.starts_with('.')) {
        assert!(original.get(name) == Some(bytes), "{name}");
    }
}

#[tokio::test]
async fn a_mirror_of_a_changed_bundle_is_not_made() {
    let site = Site::with(&["1.0.0"]);
    let path = site.published("1.0.0");
    fs::write(&path, vec![0; usize::try_from(fs::metadata(&path).unwrap().len()).unwrap()])
        .unwrap();
    let location = Location::parse(site.tree().to_str().unwrap()).unwrap();
    let error = mirror(&site.root(), location, &site.path("mirror")).await.unwrap_err();
    expect!["`hello/1.0.0/hello-1.0.0.bundle` of repository `tree` has digest sha256:<hex>, but sha256:<hex> was signed; it was deleted: somebody changed the file, or it was damaged; its owner publishes it again from a good copy"].assert_eq(&site.text(&error));
    assert!(!site.path("mirror/metadata/timestamp.json").exists());
}

//! Every attack that the format is made against: each is told by its own name, and changes nothing.

use expect_test::{Expect, expect};
use jiff::{Timestamp, ToSpan};

use super::super::{Withdrawal, Yanked};
use super::server::{Mood, Server};
use super::*;

/// A reader who trusts 1.0.0, and looks again after `attack`.
async fn attacked(site: &Site, attack: impl FnOnce(&Site)) -> Error {
    let mut reader = site.fresh_reader().await;
    let (before, trusted) = (versions(&reader), site.trusted());
    attack(site);
    let error = reader.refresh().await.unwrap_err();
    assert_eq!(versions(&reader), before, "what was known is known still");
    assert!(site.trusted() == trusted, "what was trusted is trusted still");
    assert_eq!(versions(&site.reader()), before, "for the next process too");
    error
}

fn told(site: &Site, error: &Error, expected: &Expect) {
    expected.assert_eq(&site.text(error));
}

#[tokio::test]
async fn rollback_to_an_older_state() {
    let site = Site::with(&["1.0.0"]);
    copy_tree(&site.tree(), &site.path("old"));
    site.publish("1.1.0").unwrap();
    let error = attacked(&site, |site| copy_tree(&site.path("old"), &site.tree())).await;
    assert!(matches!(error, Error::Rollback { role: Role::Timestamp, .. }));
    told(
        &site,
        &error,
        &expect![[r#"
            repository `tree` shows an older `timestamp` than it did before; it is not believed: if its owner restored it from a backup, they run `metapaas repository refresh` until it has passed the version seen; if not, somebody serves old files in its name
              caused by: Found version 2 of timestamp metadata when we had previously fetched version 3"#]],
    );
}

#[tokio::test]
async fn freeze_at_a_state_that_expired() {
    let site = Site::with(&["1.0.0"]);
    let error = attacked(&site, |site| {
        let yesterday = Timestamp::now() - 24.hours();
        let expires = Expires { timestamp: yesterday, ..Expires::from_now() };
        site.publisher_until(expires).refresh().unwrap();
    });
    let error = error.await;
    let Error::Expired { role: Role::Timestamp, expired: Some(_), at } = error else {
        panic!("{error:?}")
    };
    let error =
        Error::Expired { at, role: Role::Timestamp, expired: "2026-01-02T03:04:05Z".parse().ok() };
    told(
        &site,
        &error,
        &expect![[
            r#"`timestamp` of repository `tree` expired at 2026-01-02T03:04:05Z; what is newer may be withheld: its owner renews it with `metapaas repository refresh`, and if that was done, somebody between keeps it from you"#
        ]],
    );
}

#[tokio::test]
async fn a_root_that_expired() {
    let site = Site::with(&["1.0.0"]);
    let error = attacked(&site, |site| {
        let expires = Expires { root: Timestamp::now() - 24.hours(), ..Expires::from_now() };
        site.publisher_until(expires).rotate_root(&Assignment::new(), Vec::new()).unwrap();
    });
    assert!(matches!(error.await, Error::Expired { role: Role::Root, .. }));
}

#[tokio::test]
async fn mix_and_match_of_states() {
    let site = Site::with(&["1.0.0"]);
    let error = attacked(&site, |site| {
        site.publish("1.1.0").unwrap();
        fs::copy(site.metadata("2.snapshot.json"), site.metadata("3.snapshot.json")).unwrap();
    });
    let error = error.await;
    assert!(matches!(error, Error::Mixed { .. }));
    told(
        &site,
        &error,
        &expect![[r#"
            repository `tree` mixes metadata that do not belong together; they are not believed: try again, and if it stays, its files were exchanged or only copied in part
              caused by: `3.snapshot.json` has digest <hex>, but <hex> was signed"#]],
    );
}

#[tokio::test]
async fn endless_metadata() {
    let site = Site::with(&["1.0.0"]);
    let error = attacked(&site, |site| {
        let mut timestamp = fs::read(site.metadata("timestamp.json")).unwrap();
        timestamp.resize(1024 * 1024, b' ');
        fs::write(site.metadata("timestamp.json"), timestamp).unwrap();
    });
    told(
        &site,
        &error.await,
        &expect![[
            r#"repository `tree` sends more than 65536 bytes of `timestamp.json`; the rest was not read: it is not what was signed, whoever serves it"#
        ]],
    );
}

#[tokio::test]
async fn endless_root() {
    let site = Site::with(&["1.0.0"]);
    let error = attacked(&site, |site| {
        fs::write(site.metadata("2.root.json"), vec![b' '; 1024 * 1024]).unwrap();
    });
    assert!(matches!(error.await, Error::Endless { .. }));
}

#[tokio::test]
async fn keys_of_somebody_else() {
    let (site, other) = (Site::with(&["1.0.0"]), Site::with(&["1.0.0", "6.6.6"]));
    let error = attacked(&site, |site| {
        let root = site.root();
        copy_tree(&other.tree(), &site.tree());
        fs::write(site.metadata("1.root.json"), root).unwrap();
    });
    let error = error.await;
    assert!(matches!(error, Error::Unsigned { role: Role::Timestamp, .. }));
    told(
        &site,
        &error,
        &expect![[r#"
        `timestamp` of repository `tree` is not signed by the keys that its root names; it is not believed: if its keys were changed, ask its owner for the new root by another way
          caused by: Failed to verify timestamp metadata: Signature threshold of 1 not met for role timestamp (0 valid signatures)"#]],
    );
}

#[tokio::test]
async fn a_root_by_somebody_else() {
    let (site, other) = (Site::with(&["1.0.0"]), Site::with(&["1.0.0"]));
    let error = attacked(&site, |site| {
        other.publisher().rotate_root(&Assignment::new(), Vec::new()).unwrap();
        fs::copy(other.metadata("2.root.json"), site.metadata("2.root.json")).unwrap();
    });
    assert!(matches!(error.await, Error::Unsigned { role: Role::Root, .. }));
}

#[tokio::test]
async fn a_page_where_metadata_should_be() {
    let site = Site::with(&["1.0.0"]);
    let error = attacked(&site, |site| {
        fs::write(site.metadata("timestamp.json"), "<html>").unwrap();
    });
    told(
        &site,
        &error.await,
        &expect![[r#"
        repository `tree` has something else where its metadata should be: check the address, which is the one above `metadata/`
          caused by: Failed to parse timestamp metadata: expected value at line 1 column 1"#]],
    );
}

#[tokio::test]
async fn half_a_copy() {
    let site = Site::with(&["1.0.0"]);
    let error = attacked(&site, |site| {
        site.publish("1.1.0").unwrap();
        fs::remove_file(site.metadata("3.targets.json")).unwrap();
    });
    told(
        &site,
        &error.await,
        &expect![[
            r#"repository `tree` has no `3.targets.json`: check the address, which is the one above `metadata/`, and that all of it was copied"#
        ]],
    );
}

#[tokio::test]
async fn nobody_there() {
    let site = Site::with(&["1.0.0"]);
    let _trusted = site.fresh_reader().await;
    let mut reader = site.reader_of("http://127.0.0.1:1");
    let error = reader.refresh().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(versions(&reader), ["1.0.0"]);
}

#[tokio::test]
async fn a_bundle_with_another_byte() {
    let site = Site::with(&["1.0.0"]);
    let path = site.published("1.0.0");
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (reader, to) = (site.fresh_reader().await, site.path("downloads/hello.bundle"));
    let error = reader.fetch(&offer(&reader, "1.0.0"), Yanked::Refused, &to).await.unwrap_err();
    assert!(matches!(error, Error::WrongHash { .. }));
    told(
        &site,
        &error,
        &expect![
            "`hello/1.0.0/hello-1.0.0.bundle` of repository `tree` has digest sha256:<hex>, but sha256:<hex> was signed; it was deleted: somebody changed the file, or it was damaged; its owner publishes it again from a good copy"
        ],
    );
    assert!(files_in(&site.path("downloads")).is_empty());
}

#[tokio::test]
async fn a_bundle_that_does_not_end() {
    let site = Site::with(&["1.0.0"]);
    let server = Server::start(site.tree(), Mood::Endless).await;
    let mut reader = site.reader_of(&server.address());
    reader.refresh().await.unwrap();
    let to = site.path("downloads/hello.bundle");
    let error = reader.fetch(&offer(&reader, "1.0.0"), Yanked::Refused, &to).await.unwrap_err();
    assert!(matches!(error, Error::Endless { .. }), "{error:?}");
    assert!(files_in(&site.path("downloads")).is_empty());
}

#[tokio::test]
async fn a_version_that_was_taken_back() {
    let site = Site::with(&["1.0.0"]);
    let why = Withdrawal { reason: Some("loses writes".to_owned()) };
    site.publisher().yank(&hello(), &"1.0.0".parse().unwrap(), &why).unwrap();
    let (reader, to) = (site.fresh_reader().await, site.path("downloads/hello.bundle"));
    let yanked = offer(&reader, "1.0.0");
    let error = reader.fetch(&yanked, Yanked::Refused, &to).await.unwrap_err();
    told(
        &site,
        &error,
        &expect![[
            r#"hello 1.0.0 was yanked from repository `tree` (loses writes); install another version"#
        ]],
    );
    let file = reader.fetch(&yanked, Yanked::Allowed, &to).await.unwrap();
    assert_eq!(file.digest(), yanked.target.digest);
}

#[tokio::test]
async fn a_clock_that_goes_back() {
    let site = Site::with(&["1.0.0"]);
    let mut reader = site.fresh_reader().await;
    fs::write(site.path("trusted/.latest-known-time"), "\"2999-01-01T00:00:00Z\"").unwrap();
    let error = reader.refresh().await.unwrap_err();
    assert!(matches!(error, Error::Clock { .. }), "{error:?}");
}

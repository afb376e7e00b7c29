//! What the owner of a repository does, and what is refused to them.

use expect_test::{Expect, expect};

use super::super::{Kind, Outcome, Withdrawal};
use super::*;

#[tokio::test]
async fn what_is_published_is_there_with_all_that_is_said_of_it() {
    let site = Site::new();
    let requires = [("core".parse().unwrap(), ">=1.2, <3".parse().unwrap())].into();
    let bundle = site.bundle("1.4.0", 1);
    let published = site.publisher().publish(&[bundle], &requires).unwrap();
    assert_eq!(published[0].outcome, Outcome::Added);

    let reader = site.fresh_reader().await;
    let offer = offer(&reader, "1.4.0");
    assert_eq!(offer.target.path, "hello/1.4.0/hello-1.4.0.bundle");
    assert_eq!(offer.target.digest, published[0].digest);
    let release = offer.release;
    assert_eq!((release.kind, release.abi), (Kind::Plugin, Some(7)));
    assert_eq!((release.targets, release.requires), (vec![TargetTriple::host()], requires));
}

#[tokio::test]
async fn a_version_is_published_once() {
    let site = Site::with(&["1.0.0"]);
    let before = files_in(&site.tree());
    let again = site.publish("1.0.0").unwrap();
    assert_eq!(again[0].outcome, Outcome::AlreadyThere);
    assert!(files_in(&site.tree()) == before);

    let other = site.bundle("1.0.0", 2);
    let error = site.publisher().publish(&[other], &BTreeMap::new()).unwrap_err();
    expect!["hello 1.0.0 is published with digest sha256:<hex>, and a published version never changes; this bundle has sha256:<hex>: give it another version"].assert_eq(&site.text(&error));
    assert!(files_in(&site.tree()) == before);
}

#[tokio::test]
async fn bundles_are_published_together_or_not_at_all() {
    let site = Site::new();
    let (good, broken) = (site.bundle("1.0.0", 1), site.path("broken.bundle"));
    fs::write(&broken, "no bundle").unwrap();
    let error = site.publisher().publish(&[good, broken], &BTreeMap::new()).unwrap_err();
    expect![[r#"
        nothing is published
          caused by: bundle `broken.bundle` is refused; nothing of it is used
          caused by: file cannot be inflated; fetch it again
          caused by: Unknown frame descriptor"#]]
    .assert_eq(&site.text(&error));
    assert_eq!(versions(&site.fresh_reader().await), [""; 0]);
}

#[tokio::test]
async fn a_yanked_version_is_refused_and_a_deprecated_one_is_not() {
    let site = Site::with(&["1.0.0", "1.1.0"]);
    let why = Withdrawal { reason: Some("loses writes".to_owned()) };
    site.publisher().yank(&hello(), &"1.1.0".parse().unwrap(), &why).unwrap();
    site.publisher().deprecate(&hello(), &"1.0.0".parse().unwrap(), &why).unwrap();
    let reader = site.fresh_reader().await;
    assert_eq!(versions(&reader), ["1.0.0", "1.1.0"]);
    assert_eq!(offer(&reader, "1.1.0").release.yanked, Some(why.clone()));
    assert_eq!(offer(&reader, "1.0.0").release.deprecated, Some(why));

    let error = site.publisher().yank(&hello(), &"2.0.0".parse().unwrap(), &Withdrawal::default());
    expect!["hello 2.0.0 is not in this repository; it has 1.0.0, 1.1.0"]
        .assert_eq(&site.text(&error.unwrap_err()));
}

#[test]
fn what_cannot_be_changed_is_told() {
    let site = Site::with(&["1.0.0"]);
    let check = |error: PublishError, expected: Expect| expected.assert_eq(&site.text(&error));
    let open = |dir: &Path, keys| Publisher::open(dir, keys, Expires::from_now());

    check(
        open(&site.path("nowhere"), site.keys()).unwrap_err(),
        expect!["`nowhere` holds no repository: make one with `metapaas repository init nowhere`"],
    );
    let mut strange = open(&site.tree(), vec![SigningKey::generate().unwrap()]).unwrap();
    check(
        strange.refresh().unwrap_err(),
        expect![
            "`snapshot` cannot be signed: of its keys <hex> none is among those given (<hex>); give the file of keys that has one with `--key`"
        ],
    );
    let bundle = site.bundle("1.1.0", 1);
    check(
        strange.publish(&[bundle], &BTreeMap::new()).unwrap_err(),
        expect![
            "`targets` cannot be signed: of its keys <hex> none is among those given (<hex>); give the file of keys that has one with `--key`"
        ],
    );
    check(
        open(&site.tree(), site.keys()).unwrap_err(),
        expect!["repository `tree` is being changed by another process; wait for it to end"],
    );
    drop(strange);
    let init = init(&site.tree(), &site.assignment(), site.keys(), Expires::from_now());
    check(init.unwrap_err(), expect!["`tree` holds a repository already; name another folder"]);
}

#[test]
fn nothing_is_signed_on_top_of_what_somebody_else_changed() {
    let site = Site::with(&["1.0.0"]);
    let path = site.metadata("2.targets.json");
    let targets = fs::read_to_string(&path).unwrap();
    fs::write(&path, targets.replace("\"yanked\": false", "\"yanked\": true")).unwrap();
    let error = Publisher::open(&site.tree(), site.keys(), Expires::from_now()).unwrap_err();
    expect![[r#"
        `tree/metadata/2.targets.json` was changed by somebody who has no key of `targets`; nothing is signed on top of it: restore it from a mirror or a backup
          caused by: Signature threshold of 1 not met for role targets (0 valid signatures)"#]].assert_eq(&site.text(&error));

    // Signed, but older than what the snapshot speaks of.
    fs::copy(site.metadata("1.targets.json"), &path).unwrap();
    let error = Publisher::open(&site.tree(), site.keys(), Expires::from_now()).unwrap_err();
    expect!["`tree/metadata/2.targets.json` is not the file that the metadata above it speak of: restore it from a mirror or a backup"].assert_eq(&site.text(&error));
}

//! Other keys: readers follow from root to root, and find what they can verify at every moment.

use expect_test::expect;

use super::*;

#[tokio::test]
async fn readers_follow_to_new_keys_whatever_they_trusted_before() {
    let mut site = Site::with(&["1.0.0"]);
    let first = site.root();
    let _trusted = site.fresh_reader().await;
    let mut publisher = site.publisher();
    let new = keys();
    let keys = new.values().flat_map(|pem| parse_keys(pem, None).unwrap()).collect();
    assert_eq!(publisher.rotate_root(&assignment(&new), keys).unwrap(), 2);
    drop(publisher);

    // Those who knew the old keys, those who begin with the first root, and those who begin with the second.
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0"]);
    fs::remove_dir_all(site.path("trusted")).unwrap();
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0"]);
    let second = fs::read(site.metadata("2.root.json")).unwrap();
    let location = Location::parse(site.tree().to_str().unwrap()).unwrap();
    let mut reader = Repository::open(&second, location, &site.path("others")).unwrap();
    reader.refresh().await.unwrap();

    let stale = site.publisher().refresh().unwrap_err();
    expect!["`snapshot` cannot be signed: of its keys <hex> none is among those given (<hex>, <hex>, <hex>, <hex>); give the file of keys that has one with `--key`"].assert_eq(&site.text(&stale));
    site.keys = new;
    site.publish("1.1.0").unwrap();
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0", "1.1.0"]);
    assert!(site.root() == first);
}

#[tokio::test]
async fn a_reader_between_the_files_of_a_rotation_finds_what_it_can_verify() {
    let site = Site::with(&["1.0.0"]);
    let new = keys();
    let keys = new.values().flat_map(|pem| parse_keys(pem, None).unwrap()).collect();
    site.publisher().rotate_root(&assignment(&new), keys).unwrap();
    let root = fs::read(site.metadata("2.root.json")).unwrap();
    fs::remove_file(site.metadata("2.root.json")).unwrap();
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0"]);
    fs::write(site.metadata("2.root.json"), root).unwrap();
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0"]);
}

#[tokio::test]
async fn a_lost_key_is_replaced_by_the_key_of_root_alone() {
    let mut site = Site::with(&["1.0.0"]);
    let _trusted = site.fresh_reader().await;
    let lost = keys().remove(&Role::Timestamp).unwrap();
    let timestamp: BTreeMap<_, _> = [(Role::Timestamp, lost.clone())].into();
    site.keys.remove(&Role::Timestamp).unwrap();
    let new = parse_keys(&lost, None).unwrap();
    site.publisher().rotate_root(&assignment(&timestamp), new).unwrap();
    site.keys.insert(Role::Timestamp, lost);
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0"]);
    site.publish("1.1.0").unwrap();
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0", "1.1.0"]);
}

#[test]
fn without_the_key_of_the_old_root_nothing_is_rotated() {
    let site = Site::new();
    let before = files_in(&site.tree());
    let new = keys();
    let own = || new.values().flat_map(|pem| parse_keys(pem, None).unwrap()).collect::<Vec<_>>();
    let mut publisher = Publisher::open(&site.tree(), own(), Expires::from_now()).unwrap();
    let error = publisher.rotate_root(&assignment(&new), Vec::new()).unwrap_err();
    expect!["`root` cannot be signed: of its keys <hex> none is among those given (<hex>, <hex>, <hex>, <hex>); give the file of keys that has one with `--key`"].assert_eq(&site.text(&error));
    assert!(files_in(&site.tree()) == before);
}

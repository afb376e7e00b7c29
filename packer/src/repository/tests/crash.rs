//! Publishing that is seen, or interrupted, in its midst.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// The files of a state in the order in which they come to be: the timestamp last.
fn in_order(files: BTreeMap<String, Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    let rank = |name: &str| match name {
        name if name.starts_with("targets/") => 0,
        name if name.ends_with("targets.json") => 1,
        name if name.ends_with("snapshot.json") => 2,
        name if name.ends_with("timestamp.json") => 3,
        _ => 4,
    };
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by_key(|(name, _bytes)| rank(name));
    files
}

/// Between any two files, and in the middle of each, which is still aside then, a reader sees a whole state.
#[tokio::test]
async fn a_power_cut_between_any_two_files_shows_the_state_before() {
    let site = Site::with(&["1.0.0"]);
    copy_tree(&site.tree(), &site.path("before"));
    site.publish("1.1.0").unwrap();
    let after = in_order(files_in(&site.tree()));
    fs::remove_dir_all(site.tree()).unwrap();
    copy_tree(&site.path("before"), &site.tree());
    let before = files_in(&site.tree());
    let mut seen = Vec::new();
    for (name, bytes) in after.iter().filter(|(name, bytes)| before.get(name) != Some(bytes)) {
        let path = site.tree().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        seen.push(versions(&site.fresh_reader().await));
    }
    let (last, earlier) = seen.split_last().unwrap();
    assert_eq!(earlier.len(), 3);
    assert!(earlier.iter().all(|versions| versions == &["1.0.0"]), "{seen:?}");
    assert_eq!(last, &["1.0.0", "1.1.0"]);
}

#[tokio::test]
async fn what_a_power_cut_left_is_written_over() {
    let site = Site::with(&["1.0.0"]);
    let timestamp = fs::read(site.metadata("timestamp.json")).unwrap();
    site.publish("1.1.0").unwrap();
    fs::write(site.metadata("timestamp.json"), timestamp).unwrap();
    fs::write(site.tree().join("targets/.aside-x"), "half a bundle").unwrap();
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0"]);
    site.publish("1.2.0").unwrap();
    assert_eq!(versions(&site.fresh_reader().await), ["1.0.0", "1.2.0"]);
    assert!(!site.tree().join("targets/.aside-x").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_in_a_loop_never_fails_while_somebody_publishes() {
    let site = Site::with(&["1.0.0"]);
    let done = AtomicBool::new(false);
    let published = ["1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0"];
    let n_reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (runtime, mut n_reads) = (runtime.unwrap(), 0);
            let mut reader = site.reader();
            while !done.load(Ordering::Relaxed) {
                let refreshed = runtime.block_on(reader.refresh());
                refreshed.unwrap_or_else(|error| panic!("{}", site.text(&error)));
                n_reads += 1;
            }
            n_reads
        });
        for version in published {
            site.publish(version).unwrap();
            site.publisher().refresh().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(n_reads > published.len(), "{n_reads}");
    assert_eq!(versions(&site.fresh_reader().await).len(), 1 + published.len());
}

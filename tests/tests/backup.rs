//! A backup that is made while the daemon serves and rows are written, and what a daemon makes of it elsewhere.

use std::path::{Path, PathBuf};

use metapaas_tests::daemon::{Daemon, Options};
use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use metapaas_tests::writes::{Writes, Written};

use crate::eventually::eventually;
use crate::migrating::{ELEMENT, assert_serves, daemon, install, plugins, put, row_ids, schema};

on_each_database![
    what_was_acknowledged_before_a_backup_is_in_it,
    a_restore_never_takes_what_is_there_or_what_is_in_use,
];

const FIRST: &str = "rows and instances";
const NEXT: &str = "titles of rows";

/// So many are written between two looks at them.
const SOME: usize = 20;

async fn what_was_acknowledged_before_a_backup_is_in_it(database: Database) {
    let source = daemon(database).await;
    let _document = install(&source, "0.1.0").await;
    let writes = Writes::start(&source.client, ELEMENT, "row");
    let before = some_more(&writes).await;
    let backup = back_up(&source);
    let _goes_on = some_more(&writes).await;
    let upgraded = install(&source, "0.2.0").await;
    assert_eq!(upgraded["rollback_available"], true, "{upgraded}");
    let written = writes.finish().await;
    written.assert_faultless();
    written.assert_kept(&row_ids(&mut source.look().await).await);

    // Elsewhere: another folder, another database, and bundles from where they came.
    let copy = Daemon::restored(Options::on(database), &backup, &source, &plugins()).await;
    copy.ready().await;
    assert_serves(&copy, "0.1.0").await;
    schema(&copy).await.assert_is(&[FIRST]);
    let kept = row_ids(&mut copy.look().await).await;
    before.assert_kept(&kept);
    assert_is_one_moment(&kept, &written);
    // It is a daemon like any other: it takes writes, and goes forward and back.
    let writes = Writes::start(&copy.client, ELEMENT, "later");
    let _written = some_more(&writes).await;
    let _document = install(&copy, "0.2.0").await;
    schema(&copy).await.assert_is(&[FIRST, NEXT]);
    let _document = install(&copy, "0.1.0").await;
    let later = writes.finish().await;
    later.assert_faultless();
    let rows = row_ids(&mut copy.look().await).await;
    later.assert_kept(&rows);
    before.assert_kept(&rows);
    // The one that it was made of knows nothing of it.
    assert_serves(&source, "0.2.0").await;
    schema(&source).await.assert_is(&[FIRST, NEXT]);
}

async fn a_restore_never_takes_what_is_there_or_what_is_in_use(database: Database) {
    let mut daemon = daemon(database).await;
    let _document = install(&daemon, "0.1.0").await;
    let backup = back_up(&daemon);
    let writes = Writes::start(&daemon.client, ELEMENT, "row");
    let written = some_more(&writes).await;
    let restore = format!("store restore {} {}", place(&daemon), backup.display());
    let refused = daemon.shell().run(&restore).expect(2);
    assert!(refused.stderr.contains("in use"), "{refused:?}");
    let _more = some_more(&writes).await;
    written.assert_kept(&row_ids(&mut daemon.look().await).await);
    drop(writes);

    daemon.stop().await;
    let refused = daemon.shell().run(&restore).expect(2);
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    let forced = daemon.shell().run(&format!("{restore} --force")).expect(0);
    assert!(forced.stdout.contains("start the daemon"), "{forced:?}");
    daemon.start_again().await;
    daemon.ready().await;
    assert_serves(&daemon, "0.1.0").await;
    assert_eq!(row_ids(&mut daemon.look().await).await, [""; 0], "the backup had no rows");
    let _upgraded = put(&daemon, "0.2.0").await.expect(200);
}

/// What was acknowledged, once there is more of it than there was.
async fn some_more(writes: &Writes) -> Written {
    let n_before = writes.so_far().acknowledged.len();
    eventually("rows are written", async || writes.so_far().acknowledged.len() >= n_before + SOME)
        .await;
    writes.so_far()
}

/// Backs the store of a daemon up, while it serves.
fn back_up(daemon: &Daemon) -> PathBuf {
    let folder = daemon.shell().folder;
    let made = format!("store backup {} {}", place(daemon), folder.display());
    let made = daemon.shell().run(&made).expect(0);
    let (path, _bytes) = made.stdout.split_once(' ').unwrap();
    assert!(Path::new(path).starts_with(folder), "{made:?}");
    path.into()
}

/// Where its store is, in the words of the command line.
fn place(daemon: &Daemon) -> String {
    daemon.flags_of_place().join(" ")
}

/// Rows are written one after the other: what is there at one moment has no gaps.
fn assert_is_one_moment(kept: &[String], written: &Written) {
    let (there, rest) = written.acknowledged.split_at(kept.len());
    let mut kept = kept.to_owned();
    kept.sort_by_key(|id| written.acknowledged.iter().position(|known| known == id));
    assert_eq!(kept, there, "then came {:?}", rest.first());
}

//! Opening stores, and what is said about databases that are none.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};
use sea_orm::{ActiveValue::Set, EntityTrait};
use tempfile::TempDir;

use super::entity::bundle;
use super::*;
use crate::log;

/// A data directory of one test.
struct Place {
    folder: TempDir,
}

fn place() -> Place {
    Place { folder: tempfile::tempdir().unwrap() }
}

impl Place {
    fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    async fn open(&self) -> Result<Store, Error> {
        let data = DataDir::open(self.folder.path()).unwrap();
        Store::open(&Config { lock_timeout_ms: 50, ..Config::default() }, &data).await
    }

    /// Runs statements of somebody else on the file.
    async fn run(&self, sql: &str) {
        let options =
            open::sqlite_options(&self.file(), &Config::default()).create_if_missing(true);
        let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut other).await.unwrap();
        other.close().await.unwrap();
    }

    async fn check_refused(&self, wanted: &Expect) {
        let error = self.open().await.unwrap_err();
        let folder = self.folder.path().to_str().unwrap();
        wanted.assert_eq(&log::chain(&error).to_string().replace(folder, "DIR"));
    }
}

fn row(version: &str) -> bundle::ActiveModel {
    bundle::ActiveModel {
        element: Set("hello".to_owned()),
        version: Set(version.to_owned()),
        digest: Set("sha256:00".to_owned()),
        verified_at: Set(time::OffsetDateTime::UNIX_EPOCH),
    }
}

async fn n_rows(store: &Store) -> usize {
    bundle::Entity::find().all(store.connection()).await.unwrap().len()
}

#[tokio::test]
async fn what_was_committed_is_there_again() {
    let place = place();
    let store = place.open().await.unwrap();
    assert_eq!(store.backend(), Backend::Sqlite);
    let transaction = store.begin().await.unwrap();
    bundle::Entity::insert(row("0.1.0")).exec(&transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let transaction = store.begin().await.unwrap();
    bundle::Entity::insert(row("0.2.0")).exec(&transaction).await.unwrap();
    drop(transaction);
    store.close().await;

    let store = place.open().await.unwrap();
    assert_eq!(n_rows(&store).await, 1);
}

#[tokio::test]
async fn its_files_are_private() {
    let place = place();
    let store = place.open().await.unwrap();
    bundle::Entity::insert(row("0.1.0")).exec(store.connection()).await.unwrap();
    for name in ["metapaas.db", "metapaas.db-wal", "metapaas.db-shm"] {
        let mode = fs::metadata(place.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn every_connection_waits_for_the_disk() {
    let place = place();
    let store = place.open().await.unwrap();
    for (pragma, wanted) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
        let sql = format!("SELECT CAST({pragma} AS TEXT) AS value FROM pragma_{pragma}");
        let statement = sea_orm::Statement::from_string(DbBackend::Sqlite, sql);
        let row = store.connection().query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get::<String>("", "value").unwrap(), wanted, "{pragma}");
    }
}

#[tokio::test]
async fn many_writers_wait_for_each_other() {
    let place = place();
    let store = Store::temporary(place.folder.path()).await;
    let write = |n: usize| {
        let store = store.clone();
        async move {
            let transaction = store.begin().await.unwrap();
            let there = bundle::Entity::find().all(&transaction).await.unwrap().len();
            bundle::Entity::insert(row(&format!("{n}.0.0"))).exec(&transaction).await.unwrap();
            transaction.commit().await.unwrap();
            there
        }
    };
    let mut seen = futures_util::future::join_all((0..24).map(write)).await;
    seen.sort_unstable();
    assert_eq!(seen, (0..24).collect::<Vec<_>>());
}

#[tokio::test]
async fn tables_of_somebody_else_are_refused_and_left() {
    let place = place();
    place.run("CREATE TABLE songs (id INTEGER); CREATE TABLE metapaas_elements (id INTEGER)").await;
    let before = fs::read(place.file()).unwrap();
    place.check_refused(&expect!["store `DIR/metapaas.db` is not MetaPaaS's: it holds `metapaas_elements`, `songs`; name an empty database, or another directory with `--data`"]).await;
    assert_eq!(fs::read(place.file()).unwrap(), before);
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let place = place();
    place.open().await.unwrap().close().await;
    place
        .run("INSERT INTO metapaas_migrations (version, applied_at) VALUES ('m0099_later', 0)")
        .await;
    place.check_refused(&expect!["store `DIR/metapaas.db` was written by a newer version: this one does not know its schema step `m0099_later`; start that version, or restore a backup made with this one"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left() {
    let place = place();
    fs::write(place.file(), "a letter to somebody, and not a database at all\n".repeat(100))
        .unwrap();
    place.check_refused(&expect!["`DIR/metapaas.db` is not a SQLite database: move it away and start again, or name another directory with `--data`"]).await;
    assert!(fs::read_to_string(place.file()).unwrap().starts_with("a letter"));
}

#[tokio::test]
async fn a_damaged_file_is_told() {
    let place = place();
    place.open().await.unwrap().close().await;
    let mut bytes = fs::read(place.file()).unwrap();
    bytes[100..].fill(0xab);
    fs::write(place.file(), bytes).unwrap();
    place.check_refused(&expect!["store `DIR/metapaas.db` is damaged: put a backup in its place with `metapaas store restore FILE --force`; caused by: Connection Error: error returned from database: (code: 11) database disk image is malformed"]).await;
}

#[tokio::test]
async fn a_folder_in_its_place_is_told() {
    let place = place();
    fs::create_dir(place.file()).unwrap();
    place.check_refused(&expect!["store `DIR/metapaas.db` cannot be opened: the file and its directory must be readable and writable by this user; caused by: Is a directory (os error 21)"]).await;
}

#[tokio::test]
async fn a_lock_of_another_program_is_told() {
    let place = place();
    place.open().await.unwrap().close().await;
    let options = open::sqlite_options(&place.file(), &Config::default());
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    place.check_refused(&expect!["store `DIR/metapaas.db` is locked by another program: end what has it open (a `sqlite3` shell, a copy under way) and try again"]).await;
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let place = place();
    let store = place.open().await.unwrap();
    let limit = sea_orm::Statement::from_string(DbBackend::Sqlite, "PRAGMA max_page_count = 1");
    let held = store.begin().await.unwrap();
    held.execute_raw(limit).await.unwrap();
    let mut error = None;
    for n in 0..10_000 {
        if let Err(full) = bundle::Entity::insert(row(&format!("{n}.0.0"))).exec(&held).await {
            error = Some(store.error(full));
            break;
        }
    }
    assert!(matches!(error, Some(Error::Full { .. })), "{error:?}");
}

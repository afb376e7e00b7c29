//! Opening stores, and what is said about databases that are none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::str::FromStr;

use expect_test::{Expect, expect};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sqlx::postgres::PgConnectOptions;

use super::entity::dismissal;
use super::testing::Database;
use super::*;
use crate::log;

/// A file, and no patience with locks.
fn file() -> Database {
    let mut database = Database::sqlite();
    database.config.lock_timeout_ms = 50;
    database
}

fn path(database: &Database) -> PathBuf {
    database.data.join(FILE)
}

async fn check_refused(database: &Database, wanted: &Expect) {
    let error = database.open().await.unwrap_err();
    // What a server says is different with each version of it; what we say is not.
    let (text, name) = match &database.config.database_url {
        Some(url) => (error.to_string(), url.to_string()),
        None => (log::chain(&error).to_string(), database.data.path().display().to_string()),
    };
    wanted.assert_eq(&text.replace(&name, "PLACE"));
}

fn row(element: &str) -> dismissal::ActiveModel {
    dismissal::ActiveModel {
        element: Set(element.to_owned()),
        dismissed_at: Set(time::OffsetDateTime::UNIX_EPOCH),
    }
}

async fn n_rows(store: &Store) -> usize {
    dismissal::Entity::find().all(store.connection()).await.unwrap().len()
}

#[tokio::test]
async fn what_was_committed_is_there_again() {
    for database in Database::each().await {
        commit_and_look_again(&database).await;
        database.end().await;
    }
}

async fn commit_and_look_again(database: &Database) {
    let store = database.open().await.unwrap();
    let transaction = store.begin().await.unwrap();
    dismissal::Entity::insert(row("demo")).exec(&transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let transaction = store.begin().await.unwrap();
    dismissal::Entity::insert(row("later")).exec(&transaction).await.unwrap();
    drop(transaction);
    store.close().await;

    let store = database.open().await.unwrap();
    assert_eq!(n_rows(&store).await, 1);
    store.close().await;
}

#[tokio::test]
async fn its_files_are_private() {
    let database = file();
    let store = database.open().await.unwrap();
    dismissal::Entity::insert(row("demo")).exec(store.connection()).await.unwrap();
    for name in ["metapaas.db", "metapaas.db-wal", "metapaas.db-shm"] {
        let mode = fs::metadata(database.data.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn every_connection_waits_for_the_disk() {
    let database = file();
    let store = database.open().await.unwrap();
    for (pragma, wanted) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
        let sql = format!("SELECT CAST({pragma} AS TEXT) AS value FROM pragma_{pragma}");
        let statement = sea_orm::Statement::from_string(DbBackend::Sqlite, sql);
        let row = store.connection().query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get::<String>("", "value").unwrap(), wanted, "{pragma}");
    }
}

#[tokio::test]
async fn many_writers_wait_for_each_other() {
    let database = file();
    let store = Store::temporary(database.data.path()).await;
    let write = |n: usize| {
        let store = store.clone();
        async move {
            let transaction = store.begin().await.unwrap();
            let there = dismissal::Entity::find().all(&transaction).await.unwrap().len();
            dismissal::Entity::insert(row(&format!("element-{n}")))
                .exec(&transaction)
                .await
                .unwrap();
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
    let database = file();
    database
        .run("CREATE TABLE songs (id INTEGER); CREATE TABLE metapaas_elements (id INTEGER)")
        .await;
    let before = fs::read(path(&database)).unwrap();
    check_refused(&database, &expect!["store `PLACE/metapaas.db` is not MetaPaaS's: it holds `metapaas_elements`, `songs`; name an empty database, or another directory with `--data`"]).await;
    assert_eq!(fs::read(path(&database)).unwrap(), before);
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let database = file();
    database.open().await.unwrap().close().await;
    database
        .run("INSERT INTO metapaas_migrations (version, applied_at) VALUES ('m0099_later', 0)")
        .await;
    check_refused(&database, &expect!["store `PLACE/metapaas.db` was written by a newer version: this one does not know its schema step `m0099_later`; start that version, or restore a backup made with this one"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left() {
    let database = file();
    fs::write(path(&database), "a letter to somebody, and not a database at all\n".repeat(100))
        .unwrap();
    check_refused(&database, &expect!["`PLACE/metapaas.db` is not a SQLite database: move it away and start again, or name another directory with `--data`"]).await;
    assert!(fs::read_to_string(path(&database)).unwrap().starts_with("a letter"));
}

#[tokio::test]
async fn a_damaged_file_is_told() {
    let database = file();
    database.open().await.unwrap().close().await;
    let mut bytes = fs::read(path(&database)).unwrap();
    bytes[100..].fill(0xab);
    fs::write(path(&database), bytes).unwrap();
    check_refused(&database, &expect!["store `PLACE/metapaas.db` is damaged: put a backup in its place with `metapaas store restore FILE --force`; caused by: Connection Error: error returned from database: (code: 11) database disk image is malformed"]).await;
}

#[tokio::test]
async fn a_folder_in_its_place_is_told() {
    let database = file();
    fs::create_dir(path(&database)).unwrap();
    check_refused(&database, &expect!["store `PLACE/metapaas.db` cannot be opened: the file and its directory must be readable and writable by this user; caused by: Is a directory (os error 21)"]).await;
}

#[tokio::test]
async fn a_lock_of_another_program_is_told() {
    let database = file();
    database.open().await.unwrap().close().await;
    let options = open::sqlite_options(&path(&database), &Config::default());
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    check_refused(&database, &expect!["store `PLACE/metapaas.db` is locked by another program: end what has it open (a `sqlite3` shell, a copy under way) and try again"]).await;
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let database = file();
    let store = database.open().await.unwrap();
    let limit = sea_orm::Statement::from_string(DbBackend::Sqlite, "PRAGMA max_page_count = 1");
    let held = store.begin().await.unwrap();
    held.execute_raw(limit).await.unwrap();
    let mut error = None;
    for n in 0..10_000 {
        if let Err(full) = dismissal::Entity::insert(row(&format!("element-{n}"))).exec(&held).await
        {
            error = Some(store.error(full));
            break;
        }
    }
    assert!(matches!(error, Some(Error::Full { .. })), "{error:?}");
}

/// A database on a server, and no patience with locks.
async fn on_a_server() -> Option<Database> {
    let mut database = Database::postgres().await?;
    database.config.lock_timeout_ms = 50;
    Some(database)
}

#[tokio::test]
async fn a_database_on_a_server_belongs_to_one_daemon() {
    let Some(database) = on_a_server().await else { return };
    let first = database.open().await.unwrap();
    check_refused(&database, &expect!["database `PLACE` is in use by another daemon: stop that one or name another database with `--database-url`"]).await;
    first.close().await;
    database.open().await.unwrap().close().await;
    database.end().await;
}

/// Ends the connection that keeps the database ours.
const CUT: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

#[tokio::test]
async fn a_database_that_another_took_meanwhile_is_lost() {
    let Some(database) = on_a_server().await else { return };
    let first = Hold::take(database.config.database_url.as_ref().unwrap(), &database.config);
    let first = first.await.unwrap();
    // Cut off and alone, it takes the database again; cut off and too late, it has lost.
    database.run(CUT).await;
    let period = Duration::from_millis(1);
    timeout(Duration::from_millis(500), first.lost(period)).await.unwrap_err();
    check_refused(&database, &expect!["database `PLACE` is in use by another daemon: stop that one or name another database with `--database-url`"]).await;
    database.run(CUT).await;
    let second = database.open().await.unwrap();
    let lost = timeout(Duration::from_secs(30), first.lost(period)).await.unwrap();
    assert!(matches!(lost, Error::InUse { .. }), "{lost}");
    second.close().await;
    database.end().await;
}

#[tokio::test]
async fn a_database_of_somebody_else_is_refused_and_left() {
    let Some(database) = Database::postgres().await else { return };
    database
        .run("CREATE VIEW a AS SELECT 1; CREATE TABLE b (); CREATE TABLE c (); CREATE TABLE d ()")
        .await;
    check_refused(&database, &expect!["store `PLACE` is not MetaPaaS's: it holds `a`, `b`, `c` and more; name an empty database, or another directory with `--data`"]).await;
    database.run("DROP VIEW a; DROP TABLE b, c, d").await;
    database.open().await.unwrap().close().await;
    database
        .run("INSERT INTO metapaas_migrations (version, applied_at) VALUES ('m0099_later', 0)")
        .await;
    check_refused(&database, &expect!["store `PLACE` was written by a newer version: this one does not know its schema step `m0099_later`; start that version, or restore a backup made with this one"]).await;
    database.end().await;
}

#[tokio::test]
async fn a_database_without_room_for_us_is_told() {
    let Some(database) = Database::postgres().await else { return };
    database.run("REVOKE CREATE ON SCHEMA public FROM pg_database_owner").await;
    check_refused(&database, &expect!["the user of database `PLACE` may not make tables in it: make it the owner of the database, or grant it CREATE on the schema"]).await;
    database.run("ALTER ROLE CURRENT_USER SET search_path = nowhere").await;
    check_refused(&database, &expect!["the user of database `PLACE` may not make tables in it: make it the owner of the database, or grant it CREATE on the schema"]).await;
    database.end().await;
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_told_without_its_password() {
    let Some(database) = Database::postgres().await else { return };
    let wrong = |options: PgConnectOptions| options.password("hunter2");
    check_address(&database, wrong, &expect!["database `postgres://USER@127.0.0.1:PORT/USER` refuses this user: correct user and password in `store.database_url`"]).await;
    let absent = |options: PgConnectOptions| options.database("absent");
    check_address(&database, absent, &expect!["database `postgres://USER@127.0.0.1:PORT/absent` does not exist: make it (`CREATE DATABASE … OWNER …`) and try again"]).await;
    let silent = |options: PgConnectOptions| options.port(1).password("hunter2");
    check_address(&database, silent, &expect!["database `postgres://USER@127.0.0.1:1/USER` cannot be reached: check its address and that PostgreSQL runs there"]).await;
    database.end().await;
}

async fn check_address(
    database: &Database,
    change: impl Fn(PgConnectOptions) -> PgConnectOptions,
    wanted: &Expect,
) {
    let right = PgConnectOptions::from_str(database.config.database_url.as_ref().unwrap().reveal())
        .unwrap();
    let (user, port) = (right.get_username().to_owned(), right.get_port().to_string());
    let wrong = sqlx::ConnectOptions::to_url_lossy(&change(right)).to_string();
    let config =
        Config { database_url: Some(SecretUrl::try_from(wrong).unwrap()), ..Config::default() };
    let error = Store::open(&config, &database.data).await.unwrap_err();
    wanted.assert_eq(&error.to_string().replace(&user, "USER").replace(&port, "PORT"));
    let text = log::chain(&error).to_string();
    assert!(!text.contains("hunter2"), "{text}");
}

//! Statements that nobody checked: what they touch is told by the database, and taken back.

use std::collections::BTreeSet;

use super::super::check::{Direction, Effect};
use super::super::run::roll_back;
use super::super::schema::Half;
use super::super::witness::Witness;
use super::*;
use crate::store::Backend;

/// Runs statements as if `check` had found nothing in them, and says what was found then.
async fn run(place: &Place, statements: &[&str], effects: &[Effect]) -> Result<(), String> {
    let transaction = place.migrations.begin(&demo()).await.unwrap();
    let (author, direction) = (chain::Author::Plugin, Direction::Up);
    let half = Half { name: "test", id: id(1).parse().unwrap(), author, direction };
    let statements: Vec<_> = statements.iter().map(|sql| (*sql).to_owned()).collect();
    let done = place.migrations.execute(&transaction, &demo(), half, &statements, effects).await;
    roll_back(transaction).await;
    done.map_err(|error| text(&error))
}

async fn place_with_neighbors(place: &Place) {
    place.serve(&chain(place, "0.1.0", &[notes()]), None).await;
    let boxes =
        expand(9, "boxes", &["CREATE TABLE mail_boxes (id int)"], &["DROP TABLE mail_boxes"]);
    let mail = descriptor("mail", "mail", "1.0.0", &[boxes]);
    place.serve(&Arc::new(Chain::of(&mail, place.store.backend()).unwrap()), None).await;
}

#[tokio::test]
async fn what_is_not_the_elements_is_never_touched_unseen() {
    for place in places().await {
        place_with_neighbors(&place).await;
        let mut cases = vec![
            "DROP TABLE mail_boxes",
            "ALTER TABLE mail_boxes ADD COLUMN x int",
            "ALTER TABLE mail_boxes RENAME TO demo_boxes",
            "CREATE INDEX demo_i ON mail_boxes (id)",
            "CREATE VIEW demo_v AS SELECT * FROM mail_boxes",
            "CREATE TABLE demo_unseen (id int)",
            "DROP TABLE metapaas_backfills",
        ];
        match place.store.backend() {
            Backend::Sqlite => cases.extend([
                "CREATE TRIGGER demo_t AFTER INSERT ON demo_notes BEGIN DELETE FROM mail_boxes; END",
                "CREATE TRIGGER demo_t AFTER INSERT ON mail_boxes BEGIN DELETE FROM mail_boxes; END",
            ]),
            Backend::Postgres => cases.extend([
                "SELECT * FROM mail_boxes",
                "INSERT INTO mail_boxes VALUES (1)",
                "INSERT INTO demo_notes (id) SELECT id FROM mail_boxes",
                "SELECT query_to_xml('SELECT * FROM metapaas_elements', true, true, '')",
                "DO $$ BEGIN DELETE FROM plugin_migrations; END $$",
                "GRANT SELECT ON mail_boxes TO PUBLIC",
                "CREATE SEQUENCE demo_s",
                "CREATE MATERIALIZED VIEW demo_v AS SELECT 1",
                "CREATE TABLE pg_temp.demo_x (id int)",
            ]),
        }
        for sql in cases {
            let error = run(&place, &[sql], &[]).await.expect_err(sql);
            assert!(
                error.contains("which is not its element's, and was taken back"),
                "{sql}: {error}"
            );
        }
        assert!(place.has("SELECT id FROM mail_boxes").await);
        place.end().await;
    }
}

#[tokio::test]
async fn what_a_step_says_it_does_is_not_straying() {
    for place in places().await {
        place_with_neighbors(&place).await;
        let created = Effect::Created("demo_x".to_owned());
        let dropped = Effect::Dropped("demo_notes".to_owned());
        let statements: &[&str] = match place.store.backend() {
            Backend::Sqlite => &[
                "CREATE TABLE demo_x (id INTEGER PRIMARY KEY AUTOINCREMENT, name text UNIQUE)",
                "CREATE INDEX demo_x_i ON demo_x (name)",
                "INSERT INTO demo_x (name) SELECT name FROM demo_notes",
                "DROP TABLE demo_notes",
            ],
            Backend::Postgres => &[
                "CREATE TABLE demo_y (id int)",
                "DROP TABLE demo_y",
                "CREATE TABLE demo_x (id bigserial PRIMARY KEY, name text UNIQUE)",
                "CREATE INDEX demo_x_i ON demo_x (name)",
                "INSERT INTO demo_x (name) SELECT name FROM demo_notes",
                "DROP TABLE demo_notes",
            ],
        };
        run(&place, statements, &[created, dropped]).await.unwrap();
        place.end().await;
    }
}

#[tokio::test]
async fn what_others_do_meanwhile_is_not_straying() {
    for place in places().await {
        if place.store.backend() == Backend::Sqlite {
            continue;
        }
        place_with_neighbors(&place).await;
        place.run("CREATE TABLE gone (id int)").await;
        let db = place.migrations.begin(&demo()).await.unwrap();
        let before = Witness::look(&db, Backend::Postgres).await.unwrap();
        place.run("CREATE TABLE elsewhere (id int)").await;
        place.run("ALTER TABLE mail_boxes ADD COLUMN x int").await;
        place.run("DROP TABLE gone").await;
        let after = Witness::look(&db, Backend::Postgres).await.unwrap();
        assert_eq!(after.strayed(&before, &BTreeSet::new()), None);
        roll_back(db).await;
        place.end().await;
    }
}

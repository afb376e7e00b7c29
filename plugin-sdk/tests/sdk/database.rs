//! The plugin's own tables: values, errors, transactions, and what clients see of it all.

use std::time::Duration;

use plugin_sdk::db::{Row, build};
use plugin_sdk::prelude::*;
use plugin_sdk::sea_query::{Expr, ExprTrait, Query};
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::testing::{self, Database as Tables, TestPlugin};
use plugin_sdk::time::OffsetDateTime;
use plugin_sdk::uuid::Uuid;

const TABLES: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const SIZES: &str = "01890a5d-ac96-774b-bcce-b302099a8058";
const NO_NOTE: &str = "01890a5d-ac96-774b-bcce-b302099a8059";

struct Notes;

#[plugin(element = "notes", types = ["notes"])]
impl Plugin for Notes {
    async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/values", values)
            .post("/notes/{name}", insert)
            .post("/twice/{name}", insert_twice)
            .post("/parts", parts)
            .post("/dropped/{name}", dropped)
            .post("/slow", slow)
            .post("/waits", waits)
            .get("/mistakes", mistakes)
            .get("/built", built)
            .get("/leak", leak)
    }

    fn migrations() -> Vec<Migration<Self>> {
        vec![
            Migration::expand(SIZES, "sizes")
                .depends_on(TABLES)
                .up("ALTER TABLE notes_all ADD COLUMN size bigint")
                .down("ALTER TABLE notes_all DROP COLUMN size")
                .backfill("sizes", fill_in_sizes),
            Migration::expand(TABLES, "tables")
                .up([
                    "CREATE TABLE notes_all (name text PRIMARY KEY, note text CHECK (note <> ''))",
                ])
                .down("DROP TABLE notes_all"),
            Migration::contract(NO_NOTE, "no notes")
                .depends_on(SIZES)
                .up("ALTER TABLE notes_all DROP COLUMN note"),
        ]
    }
}

async fn fill_in_sizes(db: Database, cursor: Cursor) -> Result<Progress, DbError> {
    let after = cursor.or_start();
    let sql = "UPDATE notes_all SET size = length(name) WHERE name IN
               (SELECT name FROM notes_all WHERE name > $1 ORDER BY name LIMIT 2) RETURNING name";
    let rows = db.query(sql, (&after,)).await?;
    let names: Result<Vec<String>, _> = rows.iter().map(|row| row.get("name")).collect();
    Ok(match names?.into_iter().max() {
        Some(last) => Progress::more(last).rows(rows.len() as u64),
        None => Progress::done(),
    })
}

async fn values(db: Database) -> Result<Json<Value>, DbError> {
    let id = Uuid::from_u128(7);
    let time = OffsetDateTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    let sql =
        "SELECT $1 AS bool, $2 AS int, $3 AS big, $4 AS float, $5 AS text, $6 AS bytes, $7 AS id,
                      $8 AS time, $9 AS json, $10 AS void, $2 + $3 AS sum";
    let row = db
        .query_one(
            sql,
            (
                true,
                7_i32,
                i64::MAX - 7,
                0.5_f64,
                "text",
                vec![0_u8, 255],
                id,
                time,
                Json(json!({"a": [1]})),
                None::<Uuid>,
            ),
        )
        .await?;
    assert!(row.get::<bool>("bool")?);
    assert_eq!((row.get::<i32>("int")?, row.get::<u8>(1)?), (7, 7));
    assert_eq!(row.get::<i64>("sum")?, i64::MAX);
    assert_eq!(row.get::<f64>("float")?, 0.5);
    assert_eq!(row.get::<Vec<u8>>("bytes")?, [0, 255]);
    assert_eq!((row.get::<Uuid>("id")?, row.get::<String>("id")?), (id, id.to_string()));
    assert_eq!(row.get::<OffsetDateTime>("time")?, time);
    assert_eq!(row.get::<Option<Uuid>>("void")?, None);
    assert_eq!(row.get::<Option<String>>("text")?.as_deref(), Some("text"));
    row.get("json").map(Json)
}

async fn insert(db: Database, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let note = if name == "empty" { "" } else { "note" };
    db.execute("INSERT INTO notes_all (name, note) VALUES ($1, $2)", (&name, note)).await?;
    Ok(StatusCode::CREATED)
}

/// The second one fails; nothing of the first one stays.
async fn insert_twice(db: Database, Path(name): Path<String>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    tx.execute("INSERT INTO notes_all (name) VALUES ($1)", (&name,)).await?;
    tx.execute("INSERT INTO notes_all (name) VALUES ($1)", (&name,)).await?;
    tx.commit().await
}

async fn parts(db: Database) -> Result<(), DbError> {
    const INSERT: &str = "INSERT INTO notes_all (name) VALUES ($1)";
    let mut tx = db.begin().await?;
    tx.execute(INSERT, ("kept",)).await?;
    let mut part = tx.savepoint().await?;
    part.execute(INSERT, ("taken back",)).await?;
    let inner = part.savepoint().await?;
    inner.execute(INSERT, ("taken back with it",)).await?;
    inner.release().await?;
    part.rollback().await?;
    let part = tx.savepoint().await?;
    part.execute(INSERT, ("dropped",)).await?;
    drop(part);
    let part = tx.savepoint().await?;
    part.execute(INSERT, ("kept too",)).await?;
    part.release().await?;
    tx.commit().await
}

async fn dropped(db: Database, Path(name): Path<String>) -> Result<(), DbError> {
    let tx = db.begin().await?;
    tx.execute("INSERT INTO notes_all (name) VALUES ($1)", (&name,)).await?;
    drop(tx);
    let row = db.query_opt("SELECT 1 FROM notes_all WHERE name = $1", (&name,)).await?;
    assert!(row.is_none());
    Ok(())
}

async fn slow(db: Database) -> Result<String, DbError> {
    let tx = db.begin().await?;
    // Waits for the transaction, which the host ends.
    db.execute("INSERT INTO notes_all (name) VALUES ('slow')", ()).await?;
    Ok(told(tx.commit().await))
}

/// Its client goes while the transaction is open.
async fn waits(db: Database, context: Context) -> Result<(), DbError> {
    let tx = db.begin().await?;
    tx.execute("INSERT INTO notes_all (name) VALUES ('waits')", ()).await?;
    context.stopping().await;
    tx.commit().await
}

async fn mistakes(db: Database) -> Result<Json<Vec<String>>, DbError> {
    let row = db.query_one("SELECT 70000 AS n, 'text' AS t, NULL AS void", ()).await?;
    let too_many = vec![1_i64; 40_000];
    Ok(Json(vec![
        told(row.get::<i16>("n")),
        told(row.get::<i64>("t")),
        told(row.get::<String>("void")),
        told(row.get::<String>("m")),
        told(row.get::<String>(3)),
        told(row.get::<Json<Value>>("t")),
        told(db.query_one("SELECT 1 WHERE 1 = 0", ()).await),
        told(db.query("SELECT $1, $2", (1,)).await),
        told(db.query("SELECT ?", (1,)).await),
        told(db.query("SELECT 1", too_many).await),
    ]))
}

fn told<T>(outcome: Result<T, DbError>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |_unwanted| "no error".to_owned())
}

async fn built(db: Database) -> Result<String, DbError> {
    let select = Query::select()
        .expr_as(Expr::val("a").eq("a"), "same")
        .expr_as(Expr::val(2).add(3_i64), "sum")
        .take();
    let (sql, values) = build(&select, db.backend());
    let row = db.query_one(&sql, values).await?;
    assert!(row.get::<bool>("same")?);
    Ok(format!("{sql}: {}", row.get::<i64>("sum")?))
}

async fn leak(db: Database) -> Result<Json<usize>, Problem> {
    let rows: Vec<Row> = db.query("SELECT secret FROM notes_of_others", ()).await?;
    Ok(Json(rows.len()))
}

async fn started(tables: &Tables) -> TestPlugin {
    let host = testing::Host::default().database(tables);
    host.start::<Notes>(json!({})).await.expect("the plugin starts")
}

fn names(tables: &Tables) -> Vec<Value> {
    tables.rows("SELECT name FROM notes_all ORDER BY name").into_iter().flatten().collect()
}

#[plugin_sdk::test]
async fn every_type_goes_there_and_back() {
    let plugin = testing::start::<Notes>(json!({})).await.unwrap();
    let answer = plugin.get("/values").await;
    assert_eq!(answer.status(), 200, "{:?} {:?}", plugin.panics(), plugin.logs());
    assert_eq!(answer.json::<Value>().await, json!({"a": [1]}));
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn errors_become_problems_without_a_word_of_the_database() {
    let tables = Tables::new();
    let plugin = started(tables.migrate::<Notes>()).await;
    assert_eq!(plugin.post_json("/notes/a", &json!({})).await.status(), 201);
    let cases = [
        ("/notes/a", 409, "CONFLICT"),
        ("/notes/empty", 422, "VALIDATION_FAILED"),
        ("/twice/b", 409, "CONFLICT"),
    ];
    for (path, status, code) in cases {
        let answer = plugin.post_json(path, &json!({})).await;
        assert_eq!(answer.status(), status, "{path}");
        let problem: Value = answer.json().await;
        assert_eq!(problem["code"], code);
        assert!(!problem.to_string().contains("notes_all"), "{problem}");
    }
    let answer = plugin.get("/leak").await;
    assert_eq!(answer.status(), 500);
    let problem = answer.text().await;
    assert!(!problem.contains("notes_of_others"), "{problem}");
    let logs = plugin.stop().await.logs;
    let told = logs.iter().any(|line| line.message.contains("no such table: notes_of_others"));
    assert!(told, "{logs:?}");
    assert_eq!(names(&tables), ["a"]);
}

#[plugin_sdk::test]
async fn what_is_not_committed_is_taken_back() {
    let tables = Tables::new();
    let plugin = started(tables.migrate::<Notes>()).await;
    assert_eq!(plugin.post_json("/parts", &json!({})).await.status(), 204);
    assert_eq!(plugin.post_json("/dropped/x", &json!({})).await.status(), 204);
    assert_eq!(names(&tables), ["kept", "kept too"]);
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn a_canceled_request_leaves_no_transaction_open() {
    let tables = Tables::new();
    let plugin = started(tables.migrate::<Notes>()).await;
    // Of one that waits for the other's end, and of one that has begun.
    let pending = [(); 2].map(|()| plugin.request("POST", "/waits").begin());
    assert_eq!(plugin.get("/-/health").await.status(), 200);
    for pending in pending {
        pending.cancel().await.unwrap();
    }
    assert_eq!(plugin.post_json("/notes/after", &json!({})).await.status(), 201);
    assert_eq!(names(&tables), ["after"]);
    assert!(plugin.stop_within(Duration::from_millis(500)).await.is_clean());
}

#[plugin_sdk::test]
async fn a_transaction_that_takes_too_long_is_ended_by_the_host() {
    let tables = Tables::new();
    let plugin = started(tables.migrate::<Notes>()).await;
    let told = plugin.post_json("/slow", &json!({})).await.text().await;
    assert!(told.starts_with("TransactionOver: the transaction is over"), "{told}");
    assert_eq!(names(&tables), ["slow"]);
}

#[plugin_sdk::test]
async fn mistakes_are_told_with_column_wanted_and_seen() {
    let plugin = testing::start::<Notes>(json!({})).await.unwrap();
    let answer = plugin.get("/mistakes").await;
    assert_eq!(answer.status(), 200, "{:?} {:?}", plugin.panics(), plugin.logs());
    let errors: Vec<String> = answer.json().await;
    let wanted = [
        "Column: column `n`: wanted `i16`, seen a 64-bit integer: it is out of range",
        "Column: column `t`: wanted `i64`, seen text",
        "Column: column `void`: wanted `String`, seen NULL",
        "Column: there is no column m; there are `n`, `t`, `void`",
        "Column: there is no column 3; there are `n`, `t`, `void`",
        "Column: column `t`: wanted `Json<_>`, seen text: expected ident at line 1 column 2",
        "NoRow: the query brought no row; `query_opt` allows that",
    ];
    assert_eq!(errors[..wanted.len()], wanted);
    assert!(errors[7].starts_with("Syntax: "), "{}", errors[7]);
    assert!(errors[8].starts_with("Syntax: "), "{}", errors[8]);
    assert!(errors[9].starts_with("TooLarge: the statement has 40000 parameters"), "{}", errors[9]);
}

#[plugin_sdk::test]
async fn statements_of_sea_query_are_written_for_the_database() {
    let plugin = testing::start::<Notes>(json!({})).await.unwrap();
    let told = plugin.get("/built").await.text().await;
    assert_eq!(told, r#"SELECT $1 = $2 AS "same", $3 + $4 AS "sum": 5"#);
}

#[plugin_sdk::test]
async fn a_backfill_is_called_until_it_is_done_and_twice_does_no_harm() {
    let tables = Tables::new();
    let plugin = started(tables.migrate::<Notes>()).await;
    for name in ["a", "bb", "ccc"] {
        assert_eq!(plugin.post_json(&format!("/notes/{name}"), &json!({})).await.status(), 201);
    }
    for _time in 0..2 {
        assert_eq!(plugin.backfill("sizes").await, 3);
        let sizes = tables.rows("SELECT size FROM notes_all ORDER BY name");
        assert_eq!(sizes, [[1], [2], [3]]);
    }
    let answer = plugin.hook("backfill:others", &json!({"cursor": null})).await;
    assert_eq!(answer.status(), 404);
    let problem: Value = answer.json().await;
    assert_eq!(problem["detail"], "this plugin has no hook `backfill:others`");
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn migrations_go_forth_and_back_by_their_dependencies() {
    let tables = Tables::new();
    tables.migrate::<Notes>().undo::<Notes>();
    assert!(tables.rows("SELECT name FROM sqlite_schema").is_empty());
    tables.migrate::<Notes>().migrate::<Notes>().finalize::<Notes>();
    let columns = tables.rows("SELECT name FROM pragma_table_info('notes_all')");
    assert_eq!(columns, [["name"], ["size"]]);
}

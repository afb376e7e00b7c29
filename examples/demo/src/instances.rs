//! What clients do with instances: `/v1/types/demo/instances…`.

use plugin_sdk::Timestamp;
use plugin_sdk::db::Row;
use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::uuid::Uuid;

use crate::{Demo, IS_NEXT};

/// 0.1.0 must not name the column that 0.2.0 adds: it runs on tables that have none.
const COLUMNS: &str = if IS_NEXT {
    "id, name, created_at, updated_at, greeting"
} else {
    "id, name, created_at, updated_at"
};
const VERBS: [&str; 1] = ["greet"];
const PAGE_SIZE: i64 = 50;
const PAGE_SIZE_MAX: i64 = 1_000;

/// An instance, as clients see it.
#[json(serialize)]
pub(crate) struct Instance {
    id: Uuid,
    r#type: &'static str,
    name: String,
    status: &'static str,
    /// What it was made with. New in 0.2.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    greeting: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Instance {
    /// Rows of before 0.2.0 have no greeting until the backfill has come to them.
    fn of_row(row: &Row, demo: &Demo) -> Result<Self, DbError> {
        let greeting = if IS_NEXT { row.get::<Option<String>>("greeting")? } else { None };
        Ok(Self {
            id: row.get("id")?,
            r#type: "demo",
            name: row.get("name")?,
            status: "ACTIVE",
            greeting: greeting.or_else(|| IS_NEXT.then(|| demo.greeting.clone())),
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }

    /// Finds one by id or name; what looks like an id is one.
    async fn find(demo: &Demo, db: &Database, key: &str) -> Result<Self, Problem> {
        let row = match Uuid::try_parse(key) {
            Ok(id) => db.query_opt(&select("WHERE id = $1"), (id,)).await?,
            Err(_a_name) => db.query_opt(&select("WHERE name = $1"), (key,)).await?,
        };
        let row = row.ok_or_else(|| not_found(key))?;
        Ok(Self::of_row(&row, demo)?)
    }
}

fn select(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM demo_instances {rest}")
}

fn not_found(key: &str) -> Problem {
    Problem::not_found(format!("there is no instance `{key}`")).with("instance_key", key)
}

#[json(deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInstance {
    name: String,
}

pub(crate) async fn create(
    demo: State<Demo>,
    context: Context,
    db: Database,
    Json(NewInstance { name }): Json<NewInstance>,
) -> Result<Response, Problem> {
    check_name(&name)?;
    let (id, now) = (Uuid::now_v7(), Timestamp::now());
    let inserted = if IS_NEXT {
        let sql = "INSERT INTO demo_instances (id, name, created_at, updated_at, greeting)
                   VALUES ($1, $2, $3, $3, $4)";
        db.execute(sql, (id, &name, now, &demo.greeting)).await
    } else {
        let sql = "INSERT INTO demo_instances (id, name, created_at, updated_at)
                   VALUES ($1, $2, $3, $3)";
        db.execute(sql, (id, &name, now)).await
    };
    match inserted {
        // Two clients may come at once, so it is the database that is asked, and not a query before it.
        Err(error) if error.is_unique_violation() => {
            let detail = format!("an instance `{name}` exists already");
            return Err(Problem::new(StatusCode::CONFLICT, "NAME_TAKEN", detail)
                .hint("choose another name, or delete that instance")
                .with("name", name));
        }
        inserted => inserted?,
    };
    tracing::info!(%id, name, "an instance was made");
    context.counter("demo_instances_made", &[], 1.0);
    let instance = Instance::find(&demo, &db, &id.to_string()).await?;
    let location = format!("/v1/types/demo/instances/{id}");
    Ok((StatusCode::CREATED, [("location", location)], Json(instance)).into_response())
}

/// A DNS label that does not look like an id.
fn check_name(name: &str) -> Result<(), Problem> {
    let is_letter = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_label = matches!(name.len(), 1..=63)
        && name.bytes().all(|it| is_letter(it) || it == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_label && Uuid::try_parse(name).is_err() {
        return Ok(());
    }
    let detail = format!("`{name}` cannot be the name of an instance");
    Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_NAME", detail)
        .hint("use 1 to 63 of a-z, 0-9 and `-`, not at either end, and nothing that looks like a UUID")
        .with("name", name))
}

#[json(deserialize)]
pub(crate) struct Paging {
    #[serde(default)]
    page_size: u32,
    #[serde(default)]
    page_token: String,
}

#[json(serialize)]
pub(crate) struct Page {
    items: Vec<Instance>,
    next_page_token: String,
    total_size: i64,
}

/// In the order in which they were made. A page begins behind the last one of the page before, so instances
/// that come and go meanwhile neither repeat nor hide others.
pub(crate) async fn list(
    demo: State<Demo>,
    db: Database,
    Query(Paging { page_size, page_token }): Query<Paging>,
) -> Result<Json<Page>, Problem> {
    let page_size =
        if page_size == 0 { PAGE_SIZE } else { i64::from(page_size).min(PAGE_SIZE_MAX) };
    let rows = if page_token.is_empty() {
        db.query(&select("ORDER BY created_at, id LIMIT $1"), (page_size + 1,)).await?
    } else {
        let (after, id) = read_token(&page_token).ok_or_else(wrong_token)?;
        let page = "WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3";
        db.query(&select(page), (after, id, page_size + 1)).await?
    };
    let items: Result<Vec<_>, _> = rows.iter().map(|row| Instance::of_row(row, &demo)).collect();
    let mut items = items?;
    // One more was asked for, to know whether there is more.
    let has_more = items.pop_if(|_last| rows.len() as i64 > page_size).is_some();
    let next = items.last().filter(|_last| has_more);
    let next_page_token = next.map_or(String::new(), |it| format!("{}_{}", it.created_at, it.id));
    let count = db.query_one("SELECT count(*) FROM demo_instances", ()).await?;
    let total_size: i64 = count.get(0)?;
    Ok(Json(Page { items, next_page_token, total_size }))
}

fn read_token(token: &str) -> Option<(Timestamp, Uuid)> {
    let (after, id) = token.split_once('_')?;
    Some((after.parse().ok()?, id.parse().ok()?))
}

fn wrong_token() -> Problem {
    let detail = "the page token is not of this list";
    Problem::new(StatusCode::BAD_REQUEST, "PAGE_TOKEN_MISMATCH", detail)
        .hint("begin without page_token")
}

pub(crate) async fn get(
    demo: State<Demo>,
    db: Database,
    Path(key): Path<String>,
) -> Result<Json<Instance>, Problem> {
    Instance::find(&demo, &db, &key).await.map(Json)
}

pub(crate) async fn delete(db: Database, Path(key): Path<String>) -> Result<(), Problem> {
    let n_rows = match Uuid::try_parse(&key) {
        Ok(id) => db.execute("DELETE FROM demo_instances WHERE id = $1", (id,)).await?,
        Err(_a_name) => db.execute("DELETE FROM demo_instances WHERE name = $1", (&key,)).await?,
    };
    if n_rows == 0 { Err(not_found(&key)) } else { Ok(()) }
}

pub(crate) async fn act(
    demo: State<Demo>,
    context: Context,
    db: Database,
    Path((key, verb)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    if !VERBS.contains(&&*verb) {
        let detail = format!("instances cannot `{verb}`");
        return Err(Problem::new(StatusCode::NOT_FOUND, "ACTION_NOT_FOUND", detail)
            .hint(format!("they can `{}`", VERBS.join("`, `")))
            .with("actions", VERBS.as_slice()));
    }
    let instance = Instance::find(&demo, &db, &key).await?;
    let words = instance.greeting.as_ref().unwrap_or(&demo.greeting);
    let greeting = format!("{words}, {}", instance.name);
    if let Some(webhook) = &demo.webhook {
        webhook.send(&greeting).await?;
    }
    context.counter("demo_greetings", &[], 1.0);
    Ok(Json(json!({"greeting": greeting, "sent": demo.webhook.is_some()})))
}

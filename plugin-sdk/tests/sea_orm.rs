//! sea-orm on the plugin's own tables: entities, relations, transactions and what clients see of errors.
//!
//! Built and run by itself (`cargo nextest run -p plugin-sdk --features sea-orm`): the feature cannot be
//! built together with the daemon.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "what sea-orm's derives make of an entity is as public as they want it"
)]

use plugin_sdk::db::sea_orm::Connection;
use plugin_sdk::prelude::*;
use plugin_sdk::sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Schema, TransactionSession, TransactionTrait,
};
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::testing::{self, Database as Tables, TestPlugin};
use plugin_sdk::time::OffsetDateTime;
use plugin_sdk::uuid::Uuid;

mod shelf {
    use plugin_sdk::sea_orm::{self, entity::prelude::*};

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "books_shelves")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::book::Entity")]
        Books,
    }

    impl Related<super::book::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Books.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod book {
    use plugin_sdk::sea_orm::{self, entity::prelude::*};

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "books_all")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub title: String,
        pub shelf_id: i32,
        pub n_pages: Option<i64>,
        pub is_lent: bool,
        pub weight: f64,
        pub tags: Json,
        pub bought_at: TimeDateTimeWithTimeZone,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::shelf::Entity",
            from = "Column::ShelfId",
            to = "super::shelf::Column::Id"
        )]
        Shelf,
    }

    impl Related<super::shelf::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Shelf.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

struct Books;

#[plugin(element = "books", types = ["books"])]
impl Plugin for Books {
    async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn router() -> Router<Self> {
        Router::new()
            .post("/books", books)
            .post("/shelves/{name}", new_shelf)
            .post("/parts", parts)
            .post("/dropped", dropped)
            .post("/closure/{name}", closure)
            .get("/missing", missing)
    }

    /// The tables are the entities', written for each database.
    fn migrations() -> Vec<Migration<Self>> {
        use plugin_sdk::db::Backend;
        use plugin_sdk::sea_orm::DbBackend;
        use plugin_sdk::sea_orm::sea_query::Table;

        let schema = |backend| match backend {
            Backend::Sqlite => Schema::new(DbBackend::Sqlite),
            Backend::Postgres => Schema::new(DbBackend::Postgres),
        };
        vec![
            Migration::expand("01890a5d-ac96-774b-bcce-b302099a8057", "tables")
                .up_with(move |backend| {
                    let schema = schema(backend);
                    (
                        schema.create_table_from_entity(shelf::Entity),
                        schema.create_table_from_entity(book::Entity),
                    )
                })
                .down_with(|_backend| {
                    (
                        Table::drop().table("books_all").take(),
                        Table::drop().table("books_shelves").take(),
                    )
                }),
        ]
    }
}

fn book(title: &str, shelf_id: i32) -> book::ActiveModel {
    book::ActiveModel {
        id: ActiveValue::Set(Uuid::now_v7()),
        title: ActiveValue::Set(title.to_owned()),
        shelf_id: ActiveValue::Set(shelf_id),
        n_pages: ActiveValue::Set(None),
        is_lent: ActiveValue::Set(true),
        weight: ActiveValue::Set(0.5),
        tags: ActiveValue::Set(json!(["a", 1])),
        bought_at: ActiveValue::Set(OffsetDateTime::UNIX_EPOCH),
    }
}

fn shelf(name: &str) -> shelf::ActiveModel {
    shelf::ActiveModel { id: ActiveValue::NotSet, name: ActiveValue::Set(name.to_owned()) }
}

/// Every kind of access that a plugin is likely to need.
async fn books(db: Connection) -> Result<Json<Value>, Problem> {
    let top = shelf("top").insert(&db).await?;
    let one = book("one", top.id).insert(&db).await?;
    let two = book("two", top.id).insert(&db).await?;
    assert_eq!(one.bought_at, OffsetDateTime::UNIX_EPOCH);
    assert_eq!((one.is_lent, one.n_pages, &one.tags), (true, None, &json!(["a", 1])));

    let mut change: book::ActiveModel = two.clone().into();
    change.n_pages = ActiveValue::Set(Some(7_000_000_000));
    let two = change.update(&db).await?;
    assert_eq!(two.n_pages, Some(7_000_000_000));
    assert_eq!(book::Entity::find_by_id(two.id).one(&db).await?, Some(two));

    let with_books = shelf::Entity::find().find_with_related(book::Entity).all(&db).await?;
    assert_eq!((with_books.len(), with_books[0].1.len()), (1, 2));
    assert_eq!(book::Entity::find().count(&db).await?, 2);

    let lent = book::Entity::find().filter(book::Column::IsLent.eq(true));
    let pages = lent.order_by_asc(book::Column::Title).paginate(&db, 1);
    let second: Vec<_> = pages.fetch_page(1).await?.into_iter().map(|it| it.title).collect();

    // By position, where the names are in another order than the columns.
    let tuples: Vec<(String, i32, Option<i64>)> = book::Entity::find()
        .select_only()
        .column(book::Column::Title)
        .column(book::Column::ShelfId)
        .column(book::Column::NPages)
        .filter(book::Column::Title.eq("two"))
        .into_tuple()
        .all(&db)
        .await?;
    let deleted = book::Entity::delete_by_id(one.id).exec(&db).await?.rows_affected;
    Ok(Json(json!({"second": second, "tuples": tuples, "deleted": deleted, "shelf": top.id})))
}

async fn new_shelf(db: Connection, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    match shelf(&name).insert(&db).await.map_err(DbError::from) {
        Err(error) if error.is_unique_violation() => {
            let detail = format!("shelf `{name}` is there: {}", error.constraint().unwrap_or("?"));
            Err(Problem::new(StatusCode::CONFLICT, "NAME_TAKEN", detail))
        }
        inserted => Ok(inserted.map(|_shelf| StatusCode::CREATED)?),
    }
}

async fn parts(db: Connection) -> Result<(), Problem> {
    let tx = db.begin().await?;
    shelf("kept").insert(&tx).await?;
    let part = tx.begin().await?;
    shelf("taken back").insert(&part).await?;
    part.rollback().await?;
    let part = tx.begin().await?;
    shelf("dropped").insert(&part).await?;
    drop(part);
    let part = tx.begin().await?;
    shelf("kept too").insert(&part).await?;
    part.commit().await?;
    tx.commit().await?;
    Ok(())
}

async fn dropped(db: Connection) -> Result<(), Problem> {
    let tx = db.begin().await?;
    shelf("dropped").insert(&tx).await?;
    Ok(())
}

async fn closure(db: Connection, Path(name): Path<String>) -> Result<String, Problem> {
    let outcome = db
        .transaction::<_, (), Problem>(|tx| {
            Box::pin(async move {
                shelf(&name).insert(tx).await?;
                if name == "bad" {
                    return Err(Problem::not_found("no such shelf"));
                }
                Ok(())
            })
        })
        .await;
    Ok(outcome.map_or_else(|error| error.to_string(), |()| "kept".to_owned()))
}

async fn missing(db: Connection) -> Result<(), Problem> {
    db.execute_unprepared("DELETE FROM books_of_others").await?;
    Ok(())
}

async fn started(tables: &Tables) -> TestPlugin {
    let host = testing::Host::default().database(tables.migrate::<Books>());
    host.start::<Books>(json!({})).await.expect("the plugin starts")
}

fn shelves(tables: &Tables) -> Vec<Value> {
    tables.rows("SELECT name FROM books_shelves ORDER BY name").into_iter().flatten().collect()
}

#[plugin_sdk::test]
async fn entities_are_made_found_related_and_changed() {
    let plugin = started(&Tables::new()).await;
    let answer = plugin.post_json("/books", &json!({})).await;
    assert_eq!(answer.status(), 200, "{:?} {:?}", plugin.panics(), plugin.logs());
    let told: Value = answer.json().await;
    let tuples = json!([["two", 1, 7_000_000_000_i64]]);
    assert_eq!(told, json!({"second": ["two"], "tuples": tuples, "deleted": 1, "shelf": 1}));
}

#[plugin_sdk::test]
async fn a_unique_violation_is_recognized() {
    let plugin = started(&Tables::new()).await;
    assert_eq!(plugin.post_json("/shelves/top", &json!({})).await.status(), 201);
    let answer = plugin.post_json("/shelves/top", &json!({})).await;
    assert_eq!(answer.status(), 409);
    let problem: Value = answer.json().await;
    assert_eq!(problem["detail"], "shelf `top` is there: books_shelves.name");
    let answer = plugin.get("/missing").await;
    assert_eq!(answer.status(), 500);
    assert!(!answer.text().await.contains("books_of_others"));
}

#[plugin_sdk::test]
async fn transactions_are_real_and_so_are_nested_ones() {
    let tables = Tables::new();
    let plugin = started(&tables).await;
    assert_eq!(plugin.post_json("/parts", &json!({})).await.status(), 204);
    assert_eq!(plugin.post_json("/dropped", &json!({})).await.status(), 204);
    for (name, wanted) in [("good", "kept"), ("bad", "no such shelf")] {
        let told = plugin.post_json(&format!("/closure/{name}"), &json!({})).await.text().await;
        assert!(told.ends_with(wanted), "{told}");
    }
    assert_eq!(shelves(&tables), ["good", "kept", "kept too"]);
    assert!(plugin.stop().await.is_clean());
}

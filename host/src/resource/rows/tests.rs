use serde_json::{Map, json};

use super::*;
use crate::model::testing::resource;
use crate::resource::status::Status;
use crate::resource::testing::{full_row, make_table, project};
use crate::store::testing::Database;
use crate::timestamp::Timestamp;

#[tokio::test]
async fn a_row_read_is_the_row_written() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let model = resource("instances");
        make_table(&database, &model).await;
        let db = store.connection();
        let full = full_row("a", project());
        let fields = model.fields().iter().map(|field| (field.name().to_owned(), json!(null)));
        let empty = Row {
            parent: Some(Uuid::now_v7()),
            deleting_at: Some(Timestamp::now()),
            last_operation: None,
            fields: fields.collect::<Map<_, _>>(),
            ..full_row("b", project())
        };
        for written in [full, empty] {
            insert(db, &model, &written).await.unwrap();
            let Row { id, parent, project, name, .. } = &written;
            let by_id = find(db, &model, *parent, Key::Id(*id)).await.unwrap();
            assert_eq!(by_id.as_ref(), Some(&written));
            let by_name = find(db, &model, *parent, Key::Name(name, *project)).await.unwrap();
            assert_eq!(by_name.as_ref(), Some(&written));
        }
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn a_resource_is_found_under_its_parent_and_in_its_project_only() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let model = resource("instances");
        make_table(&database, &model).await;
        let db = store.connection();
        let (one, other) = (full_row("a", project()), full_row("a", project()));
        insert(db, &model, &one).await.unwrap();
        insert(db, &model, &other).await.unwrap();
        let found = find(db, &model, None, Key::Name("a", other.project)).await.unwrap();
        assert_eq!(found.unwrap().id, other.id);
        let elsewhere = Some(Uuid::now_v7());
        assert!(find(db, &model, elsewhere, Key::Id(one.id)).await.unwrap().is_none());
        assert!(find(db, &model, None, Key::Name("a", project())).await.unwrap().is_none());
        let taken = insert(db, &model, &Row { id: Uuid::now_v7(), ..one }).await;
        assert!(matches!(
            taken.unwrap_err().sql_err(),
            Some(sea_orm::SqlErr::UniqueConstraintViolation(_))
        ));
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn an_update_meets_the_revision_that_was_read_or_nothing() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let model = resource("instances");
        make_table(&database, &model).await;
        let db = store.connection();
        let before = full_row("a", project());
        insert(db, &model, &before).await.unwrap();
        let mut after = before.clone();
        after.revision += 1;
        after.status = Status::Active;
        after.labels.clear();
        after.fields.insert("size".to_owned(), json!(6));
        assert!(update(db, &model, &after, before.revision).await.unwrap());
        assert!(!update(db, &model, &after, before.revision).await.unwrap());
        let found = find(db, &model, None, Key::Id(before.id)).await.unwrap();
        assert_eq!(found, Some(after));
        assert!(delete(db, &model, before.id).await.unwrap());
        assert!(!delete(db, &model, before.id).await.unwrap());
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn what_hangs_under_a_resource_is_found_and_what_does_not_is_not() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let (db, model) = (store.connection(), resource("instances"));
        make_table(&database, &model).await;
        let top = full_row("top", project());
        let below = |name| Row { parent: Some(top.id), ..full_row(name, top.project) };
        let (first, second) = (below("first"), below("second"));
        for written in [&top, &first, &second] {
            insert(db, &model, written).await.unwrap();
        }
        assert_eq!(under(db, &model, top.id).await.unwrap(), [first.clone(), second.clone()]);
        assert!(under(db, &model, first.id).await.unwrap().is_empty());
        assert_eq!(whole(db, &model, second.id).await.unwrap().as_ref(), Some(&second));
        assert_eq!(whole(db, &model, Uuid::now_v7()).await.unwrap(), None);
        assert_eq!(ids(db, &model).await.unwrap(), [top.id, first.id, second.id]);
        store.close().await;
        database.end().await;
    }
}

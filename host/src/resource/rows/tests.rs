use plugin_abi::resource::{ConditionStatus, columns};
use serde_json::{Map, json};

use super::*;
use crate::model::testing::{own_columns, resource};
use crate::resource::condition::KeptCondition;
use crate::resource::status::Status;
use crate::store::testing::Database;
use crate::timestamp::Timestamp;

/// A row of `demo` instances with a value in every column.
fn row(name: &str, project: ProjectId) -> Row {
    let fields = json!({
        "size": 5, "medium": "ssd", "ratio": 0.1, "encrypted": true,
        "expires_at": "2026-02-03T04:05:06.123Z", "order": {"a": [1, null, "\u{0}ü"]},
        "password": "sealed", "serial": null, "address": "10.0.0.1", "handle": "h\"1",
    });
    let now = Timestamp::now();
    Row {
        id: Uuid::now_v7(),
        project,
        parent: None,
        name: name.to_owned(),
        description: "a 'quoted' \"text\"".to_owned(),
        labels: [("env".to_owned(), "dev".to_owned())].into(),
        annotations: [].into(),
        generation: 3,
        observed_generation: 2,
        revision: 7,
        status: Status::Updating,
        status_message: "growing".to_owned(),
        conditions: vec![KeptCondition {
            r#type: "Ready".to_owned(),
            status: ConditionStatus::False,
            reason: "Growing".to_owned(),
            message: String::new(),
            last_transition_at: now,
            observed_generation: 3,
        }],
        deletion_protection: true,
        deleting_at: None,
        last_operation: Some(Uuid::now_v7().to_string().parse().unwrap()),
        created_at: now,
        updated_at: now,
        created_by: "user:admin".to_owned(),
        fields: fields.as_object().cloned().unwrap(),
    }
}

async fn make_table(database: &Database, model: &ResourceModel) {
    let backend = database.backend().into();
    let statements = columns::create(model.table(), backend).into_iter().chain(own_columns(model));
    database.run(&statements.collect::<Vec<_>>().join(";")).await;
}

fn project() -> ProjectId {
    ProjectId::of(Uuid::now_v7())
}

#[tokio::test]
async fn a_row_read_is_the_row_written() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let model = resource("instances");
        make_table(&database, &model).await;
        let db = store.connection();
        let full = row("a", project());
        let fields = model.fields().iter().map(|field| (field.name().to_owned(), json!(null)));
        let empty = Row {
            parent: Some(Uuid::now_v7()),
            deleting_at: Some(Timestamp::now()),
            last_operation: None,
            fields: fields.collect::<Map<_, _>>(),
            ..row("b", project())
        };
        for written in [full, empty] {
            insert(db, &model, &written).await.unwrap();
            let Row { id, parent, project, name, .. } = &written;
            let by_id = find(db, &model, *parent, Key::Id(*id)).await.unwrap();
            assert_eq!(by_id.as_ref(), Some(&written));
            let by_name = find(db, &model, *parent, Key::Name(name, *project)).await.unwrap();
            assert_eq!(by_name.as_ref(), Some(&written));
            assert_eq!(named(db, &model, *parent, name).await.unwrap(), [written]);
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
        let (one, other) = (row("a", project()), row("a", project()));
        insert(db, &model, &one).await.unwrap();
        insert(db, &model, &other).await.unwrap();
        assert_eq!(named(db, &model, None, "a").await.unwrap().len(), 2);
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
        let before = row("a", project());
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
        let top = row("top", project());
        let below = |name| Row { parent: Some(top.id), ..row(name, top.project) };
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

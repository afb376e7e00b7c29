use serde_json::{Value, json};

use super::*;
use crate::model::testing::resource;
use crate::resource::document::{Available, document};
use crate::resource::query::{Asked, Members};
use crate::resource::row::Row;
use crate::resource::rows;
use crate::resource::testing::{full_row, make_table, project};
use crate::store::testing::Database;
use crate::timestamp::Timestamp;

fn seen() -> Seen {
    let long_ago = Timestamp::try_from("2020-01-01T00:00:00.000Z".to_owned()).unwrap();
    Seen { available: Available::Since(long_ago), fields: None }
}

fn parsed(page: &Page) -> Vec<Value> {
    let items = [b"[", &*page.items, b"]"].concat();
    serde_json::from_slice(&items).unwrap()
}

fn key_that_reads_as_written(text: &str) -> PageKey {
    let key: PageKey = text.parse().unwrap();
    assert_eq!(key.to_string(), text);
    key
}

#[tokio::test]
async fn a_document_read_is_the_document_of_the_row() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let model = resource("instances");
        make_table(&database, &model).await;
        let reads = Reads::of(&store);
        let sample = full_row("a", project());
        rows::insert(store.connection(), &model, &sample).await.unwrap();
        let wanted = document(&model, &sample, None, &seen());
        let (id, by_name) = (Key::Id(sample.id), Key::Name("a", sample.project));
        for key in [id, by_name] {
            let shown = reads.one(&model, None, key, &seen()).await.unwrap().unwrap();
            assert_eq!((shown.id, shown.project), (sample.id, sample.project));
            assert_eq!(serde_json::from_slice::<Value>(&shown.text).unwrap(), wanted);
            assert_eq!(json!(shown.etag), wanted["etag"]);
        }
        let elsewhere = Some(Uuid::now_v7());
        assert!(reads.one(&model, elsewhere, id, &seen()).await.unwrap().is_none());
        drop(reads);
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn pages_follow_the_age_and_repeat_and_lose_nothing() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let model = resource("instances");
        make_table(&database, &model).await;
        let (mine, other) = (project(), project());
        for number in 0..7 {
            let project = if number % 2 == 0 { mine } else { other };
            let sample = full_row(&format!("n{number}"), project);
            // Some of them in the same millisecond.
            let created_at = sample.created_at;
            rows::insert(store.connection(), &model, &Row { created_at, ..sample }).await.unwrap();
        }
        let reads = Reads::of(&store);
        let names = async |place| {
            let (mut after, mut all, mut n_pages) = (None, Vec::new(), 0);
            while n_pages == 0 || after.is_some() {
                let page = PageOf { place, after, n_max: 2 };
                let page = reads.page(&model, page, &seen()).await.unwrap();
                all.extend(
                    parsed(&page).iter().map(|item| item["name"].as_str().unwrap().to_owned()),
                );
                n_pages += 1;
                after = page.more_after.map(|end| key_that_reads_as_written(&end.keys));
            }
            (all.join(" "), n_pages)
        };
        assert_eq!(names(None).await, ("n0 n1 n2 n3 n4 n5 n6".to_owned(), 4));
        assert_eq!(names(Some((mine, None))).await, ("n0 n2 n4 n6".to_owned(), 2));
        assert_eq!(names(Some((project(), None))).await, (String::new(), 1));
        let all = PageOf { place: None, after: None, n_max: 1_000 };
        assert_eq!(parsed(&reads.page(&model, all, &seen()).await.unwrap()).len(), 7);
        drop(reads);
        store.close().await;
        database.end().await;
    }
}

#[tokio::test]
async fn what_is_selected_comes_in_its_own_order() {
    for database in Database::each().await {
        let store = database.open().await.unwrap();
        let model = resource("instances");
        make_table(&database, &model).await;
        let place = project();
        for (name, size) in [("a", 3), ("b", 1), ("c", 2), ("d", 2)] {
            let mut sample = full_row(name, place);
            sample.fields.insert("size".to_owned(), json!(size));
            rows::insert(store.connection(), &model, &sample).await.unwrap();
        }
        let reads = Reads::of(&store);
        let members = Members::of(&model.declared);
        let asked =
            Asked { filter: Some("size < 3"), order_by: Some("size desc"), ..Asked::default() };
        let selection = Selection::parse(&members, &asked, 2).unwrap();
        let first = reads.select(&model, &selection, &seen()).await.unwrap();
        let names = |page: &Page| {
            parsed(page)
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&first), ["d", "c"]);
        assert_eq!(first.each.len(), 2);
        assert_eq!(reads.count(&model, &selection).await.unwrap(), 3);
        let after = selection.order.read(&first.more_after.unwrap().keys);
        let second = reads.select(&model, &selection.behind(after), &seen()).await.unwrap();
        assert_eq!((names(&second), second.more_after), (vec!["b".to_owned()], None));
        drop(reads);
        store.close().await;
        database.end().await;
    }
}

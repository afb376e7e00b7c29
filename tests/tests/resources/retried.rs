//! Retries that have no second effect.

use metapaas_tests::database::Database;
use metapaas_tests::on_each_database;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{INSTANCES, header, volumes};

on_each_database![a_hundred_retries_have_one_effect, a_retry_is_answered_after_a_restart];

async fn a_hundred_retries_have_one_effect(database: Database) {
    let daemon = volumes(database).await;
    let (document, key) = (json!({"name": "a", "size_gb": 1}), [("idempotency-key", "k")]);
    let mut retries = JoinSet::new();
    for _retry in 0..100 {
        let (client, document) = (daemon.client.clone(), document.clone());
        retries.spawn(async move { client.post(INSTANCES, &key, &document).await });
    }
    let answers = retries.join_all().await;
    let made = answers.iter().filter(|it| it.status == 201);
    let made: Vec<_> = made.collect();
    assert!(!made.is_empty());
    let first = made.iter().filter(|it| header(it, "idempotency-replayed").is_empty());
    assert_eq!(first.count(), 1);
    assert!(made.iter().all(|it| it.body == made[0].body), "all were told the same");
    for other in answers.iter().filter(|it| it.status != 201) {
        assert_eq!(other.json::<Value>()["code"], "IDEMPOTENCY_IN_PROGRESS");
        assert!(!header(other, "retry-after").is_empty());
    }
    let list: Value = daemon.get(INSTANCES).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

async fn a_retry_is_answered_after_a_restart(database: Database) {
    let mut daemon = volumes(database).await;
    let (document, key) = (json!({"name": "a", "size_gb": 1}), [("idempotency-key", "k")]);
    let first = daemon.client.post(INSTANCES, &key, &document).await.expect(201);
    daemon.crash().await;
    let again = daemon.client.post(INSTANCES, &key, &document).await.expect(201);
    assert_eq!(header(&again, "idempotency-replayed"), "true");
    assert_eq!(again.json::<Value>(), first.json::<Value>(), "with what is shown once");
    for name in ["location", "etag", "operation-location", "cache-control"] {
        assert_eq!(header(&again, name), header(&first, name), "{name}");
    }
    let other = json!({"name": "b", "size_gb": 1});
    let reused: Value = daemon.client.post(INSTANCES, &key, &other).await.expect(422).json();
    assert_eq!(reused["code"], "IDEMPOTENCY_KEY_REUSED");
    let bad = [("idempotency-key", "with space")];
    let _bad = daemon.client.post(INSTANCES, &bad, &other).await.expect(400);
}

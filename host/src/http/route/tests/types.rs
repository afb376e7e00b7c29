//! What types declare, over a socket.

use plugin_abi::descriptor::TypeVersion;

use super::*;
use crate::model::{TypeModel, testing};

async fn ask(daemon: &Daemon, path: &str) -> Answered {
    let token = format!("authorization: Bearer {}\r\n", daemon.token);
    daemon.ask_with("GET", path, &token).await
}

fn with_versions(versions: &[&str]) -> Arc<TypeModel> {
    let model = testing::model();
    let version = |version: &&str| TypeVersion {
        version: (*version).to_owned(),
        status: "available".to_owned(),
        description: format!("To {version}."),
        upgrade_from: Vec::new(),
    };
    let mut declared = model.declared.clone();
    declared.versions = versions.iter().map(version).collect();
    Arc::new(TypeModel::of(&declared, &model.element, &model.version).unwrap())
}

#[tokio::test]
async fn where_nothing_is_installed_the_list_is_empty() {
    let daemon = start().await;
    let empty = serde_json::json!({"items": [], "next_page_token": null});
    for path in ["/v1/types", "/v1/types/"] {
        assert_eq!(ask(&daemon, path).await.json(), empty, "{path}");
    }
    assert_eq!(daemon.ask("GET", "/v1/types").await.status(), "401");
    assert_eq!(ask(&daemon, "/v1/types?slug=demo").await.json()["code"], "BAD_REQUEST");
    let unknown = ask(&daemon, "/v1/types/demo").await;
    assert_eq!(
        (unknown.status(), unknown.json()["code"].as_str()),
        ("404", Some("TYPE_NOT_FOUND"))
    );
}

#[tokio::test]
async fn what_a_type_declares_is_told_while_nobody_answers_for_it() {
    let daemon = start().await;
    let model = testing::model();
    daemon.state.plugins.tables.know(vec![Arc::clone(&model)]);
    let list = ask(&daemon, "/v1/types").await.json();
    assert_eq!(list["items"][0]["slug"], "demo");
    assert_eq!(list["items"][0]["plugin"], Value::Null);
    let document = ask(&daemon, "/v1/types/demo").await.json();
    let collections = document["collections"].as_array().unwrap();
    assert_eq!(collections.len(), model.resources().len());
    for (told, declared) in collections.iter().zip(model.resources()) {
        assert_eq!(told["collection"], declared.collection());
        let permission = declared.permission("create");
        assert!(document["permissions"].as_array().unwrap().contains(&permission.into()));
        let fields = told["field_policy"].as_object().unwrap();
        for schema in told["schemas"].as_object().unwrap().values() {
            jsonschema::meta::validate(schema).unwrap();
        }
        let read = told["schemas"]["read"]["properties"].as_object().unwrap();
        for (field, policy) in fields.iter().filter(|(_field, policy)| *policy == "rw") {
            assert!(read.contains_key(field), "{field} is {policy} and never shown");
        }
    }
    assert_eq!(document["schemas"], collections[0]["schemas"]);
    assert_eq!(document["statuses"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn versions_come_in_pages_as_they_are_declared() {
    let daemon = start().await;
    let model = with_versions(&["1.1", "1.0", "0.9"]);
    daemon.state.plugins.tables.know(vec![model]);
    let mut path = "/v1/types/demo/versions?page_size=1".to_owned();
    let mut told = Vec::new();
    loop {
        let page = ask(&daemon, &path).await.json();
        told.extend(page["items"].as_array().unwrap().iter().map(|it| it["version"].to_string()));
        let Some(token) = page["next_page_token"].as_str() else { break };
        path = format!("/v1/types/demo/versions?page_size=1&page_token={token}");
    }
    assert_eq!(told, [r#""1.1""#, r#""1.0""#, r#""0.9""#]);
    let one = ask(&daemon, "/v1/types/demo/versions/1.0").await.json();
    assert_eq!(one["maintenance_info"]["description"], "To 1.0.");
    let unknown = ask(&daemon, "/v1/types/demo/versions/none").await;
    assert_eq!((unknown.status(), unknown.json()["code"].as_str()), ("404", Some("NOT_FOUND")));
}

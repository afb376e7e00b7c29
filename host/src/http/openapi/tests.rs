//! The documents are whole, and say what is served.

use std::collections::BTreeSet;

use super::*;
use crate::model::testing;

fn demo() -> Type {
    let routes = vec![(Some("GET".to_owned()), "/v1/types/demo/greet/{*rest}".to_owned())];
    Type { model: testing::model(), routes }
}

/// Every `$ref` in `value`.
fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for document in [whole(&[demo()]), of_type(&demo())] {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[test]
fn operations_have_different_names() {
    let document = whole(&[demo()]);
    let mut names = BTreeSet::new();
    for path in document["paths"].as_object().unwrap().values() {
        for operation in path.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name}");
        }
    }
    assert!(names.len() > 30, "{names:?}");
}

#[test]
fn a_declared_resource_has_paths_for_all_that_it_can() {
    let document = whole(&[demo()]);
    let methods = |path: &str| {
        let path = document["paths"][path].as_object();
        path.map(|methods| methods.keys().cloned().collect::<Vec<_>>().join(" "))
    };
    for (path, wanted) in [
        ("/v1/types/demo/instances", "get post"),
        ("/v1/types/demo/instances/{instance}", "delete get patch put"),
        ("/v1/types/demo/instances/{instance}/actions/grow", "post"),
        ("/v1/types/demo/instances/{instance}/snapshots", "get post"),
        ("/v1/types/demo/instances/{instance}/snapshots/{snapshot}", "delete get patch put"),
        ("/v1/types/demo/tag-sets/{tag_set}", "delete get patch put"),
        ("/v1/types/demo/greet/{rest}", "get"),
    ] {
        assert_eq!(methods(path).as_deref(), Some(wanted), "{path}");
    }
}

#[test]
fn what_is_shown_of_a_resource_is_as_described() {
    use crate::resource::document::{Available, LastOperation, Seen, document as shown};
    use crate::resource::testing::{full_row, project, row};
    use crate::timestamp::Timestamp;
    let whole = whole(&[demo()]);
    let last = LastOperation {
        kind: "demo.instance.create",
        state: "RUNNING",
        percent: 40,
        description: "Creating.",
    };
    for (collection, name) in [("instances", "instance"), ("snapshots", "snapshot")] {
        let model = testing::resource(collection);
        let schema = json!({
            "$ref": format!("#/components/schemas/demo.{name}"),
            "components": {"schemas": whole["components"]["schemas"]},
        });
        let validator = jsonschema::options().build(&schema).unwrap();
        for available in [Available::Since(Timestamp::now()), Available::NotSince(Timestamp::now())]
        {
            let seen = Seen { available, fields: None };
            for row in [row(&model), full_row("a", project())] {
                let row = crate::resource::row::Row { parent: Some(row.id), ..row };
                let document = shown(&model, &row, Some(&last), &seen);
                let errors: Vec<_> =
                    validator.iter_errors(&document).map(|e| e.to_string()).collect();
                assert!(errors.is_empty(), "{errors:?}: {document}");
                let described =
                    whole["components"]["schemas"][format!("demo.{name}")]["properties"]
                        .as_object()
                        .unwrap();
                for member in document.as_object().unwrap().keys() {
                    assert!(described.contains_key(member), "{member} is described nowhere");
                }
            }
        }
    }
}

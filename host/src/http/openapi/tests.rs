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

use expect_test::{Expect, expect};
use plugin_abi::descriptor::{Field, Resource, TypeDescriptor};
use serde_json::json;

use super::*;
use crate::model::TypeModel;
use crate::model::testing::{collection, descriptor, field};
use crate::resource::testing;

/// A collection with a field of every policy.
fn model() -> std::sync::Arc<ResourceModel> {
    let of = |name: &str, kind, policy| Field { policy, ..field(name, kind) };
    let fields = vec![
        Field { required: true, ..of("bucket_name", Kind::Text, Policy::Rw) },
        Field {
            default: Some(json!(3)),
            schema: json!({"type": "integer", "minimum": 1, "maximum": 9}),
            ..of("replicas", Kind::Integer, Policy::Rw)
        },
        of("ratio", Kind::Number, Policy::Rw),
        of("since", Kind::Timestamp, Policy::Rw),
        of("rules", Kind::Json, Policy::Rw),
        of("region", Kind::Text, Policy::WriteOnce),
        of("address", Kind::Text, Policy::Ro),
        of("notes_of_plugin", Kind::Text, Policy::Hidden),
        of("password", Kind::Secret, Policy::WriteOnly),
        of("access_key", Kind::Secret, Policy::ShownOnce),
    ];
    let resource = Resource { fields, ..collection("instances", "instance", None) };
    let model = TypeModel::all_of(&descriptor(vec![TypeDescriptor {
        resources: vec![resource],
        ..TypeDescriptor::new("demo")
    }]))
    .unwrap();
    std::sync::Arc::clone(model[0].resource("instances").unwrap())
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("{value} is no object") };
    members
}

fn told(objections: &[Objection]) -> String {
    let told = objections
        .iter()
        .map(|Objection { pointer, why, message }| format!("{why:?} {pointer}: {message}"));
    told.collect::<Vec<_>>().join("\n")
}

fn said_of(wanted: &Wanted) -> String {
    let Wanted { name, description, labels, annotations, deletion_protection, fields, secrets } =
        wanted;
    json!([name, description, labels, annotations, deletion_protection, fields, secrets])
        .to_string()
}

fn check_new(members: Value, wanted: &Expect) {
    let result = Wanted::new(&model(), object(members));
    wanted.assert_eq(&match &result {
        Ok(wanted) => said_of(wanted),
        Err(objections) => told(objections),
    });
}

#[test]
fn what_is_not_said_has_its_default() {
    check_new(
        json!({"name": "a", "bucket_name": "b", "ratio": 1, "since": "2026-02-03T04:05:06+01:00", "password": "p", "rules": [{"a": null}]}),
        &expect![[
            r#"["a","",{},{},false,{"access_key":null,"address":null,"bucket_name":"b","notes_of_plugin":null,"password":null,"ratio":1.0,"region":null,"replicas":3,"rules":[{"a":null}],"since":"2026-02-03T03:05:06.000Z"},{"password":"p"}]"#
        ]],
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    check_new(
        json!({
            "name": "Not A Name", "bucketname": "b", "replicas": 10, "ratio": "much", "since": "yesterday",
            "status": "ACTIVE", "id": "x", "address": "x", "access_key": "x", "notes_of_plugin": "x",
            "notes_of_plugi": 1, "labels": {"a b": 1}, "password": 7, "etag": "x",
        }),
        &expect![[r#"
            Required /bucket_name: it must be said
            ReadOnly /access_key: clients cannot set it
            ReadOnly /address: clients cannot set it
            Unknown /bucketname: did you mean bucket_name?
            ReadOnly /etag: clients cannot set it
            ReadOnly /id: clients cannot set it
            Invalid /labels/a b: a key is 1 to 128 of a-z, A-Z, 0-9 and _ . - /, with a letter or digit at either end
            Name /name: a name is 1 to 63 of a-z, 0-9 and -, with no - at either end
            Unknown /notes_of_plugi: there is no such field
            Unknown /notes_of_plugin: there is no such field
            Invalid /password: the value is not of type "string"
            Invalid /ratio: the value is not of type "number"
            Invalid /replicas: the value is greater than the maximum of 9
            Invalid /since: the value is not a "date-time"
            ReadOnly /status: clients cannot set it"#]],
    );
}

/// What is there: the document of a client, and the row.
fn existing() -> (Row, Map<String, Value>) {
    let members = json!({"name": "a", "bucket_name": "b", "region": "eu", "labels": {"env": "dev"}, "rules": {"x": 1, "y": 2}});
    let wanted = Wanted::new(&model(), object(members)).unwrap();
    let mut row = testing::row(&model());
    row.name = wanted.name;
    row.labels = wanted.labels;
    row.fields = wanted.fields;
    row.fields.insert("password".to_owned(), json!("sealed"));
    row.fields.insert("address".to_owned(), json!("10.0.0.1"));
    let mut document = row.fields.clone();
    for name in ["password", "access_key", "notes_of_plugin"] {
        document.remove(name);
    }
    document.extend(object(
        json!({"id": row.id, "name": "a", "status": "ACTIVE", "labels": {"env": "dev"}}),
    ));
    (row, document)
}

fn check_change(members: &Value, unsaid: Unsaid, wanted: &Expect) {
    let (row, document) = existing();
    let said = members.as_object().unwrap().iter().map(|(name, value)| {
        let becomes =
            if value.is_null() { Becomes::Nothing } else { Becomes::Value(value.clone()) };
        (name.clone(), becomes)
    });
    let result = Wanted::changed(&model(), &row, &document, said.collect(), unsaid);
    wanted.assert_eq(&match &result {
        Ok(wanted) => format!("{} {}", wanted.differs_from(&row), said_of(wanted)),
        Err(objections) => told(objections),
    });
}

#[test]
fn a_change_changes_what_it_speaks_of() {
    check_change(
        &json!({}),
        Unsaid::Stays,
        &expect![[
            r#"false ["a","",{"env":"dev"},{},false,{"access_key":null,"address":"10.0.0.1","bucket_name":"b","notes_of_plugin":null,"password":"sealed","ratio":null,"region":"eu","replicas":3,"rules":{"x":1,"y":2},"since":null},{}]"#
        ]],
    );
    check_change(
        &json!({"replicas": 3.0, "rules": {"y": 2, "x": 1}}),
        Unsaid::Stays,
        &expect![[
            r#"false ["a","",{"env":"dev"},{},false,{"access_key":null,"address":"10.0.0.1","bucket_name":"b","notes_of_plugin":null,"password":"sealed","ratio":null,"region":"eu","replicas":3,"rules":{"x":1,"y":2},"since":null},{}]"#
        ]],
    );
    check_change(
        &json!({"replicas": null, "labels": null, "password": "new", "rules": null}),
        Unsaid::Stays,
        &expect![[
            r#"true ["a","",{},{},false,{"access_key":null,"address":"10.0.0.1","bucket_name":"b","notes_of_plugin":null,"password":"sealed","ratio":null,"region":"eu","replicas":3,"rules":null,"since":null},{"password":"new"}]"#
        ]],
    );
}

#[test]
fn what_was_read_may_be_sent_back_and_no_more() {
    let same = json!({"status": "ACTIVE", "address": "10.0.0.1", "region": "eu", "name": "a", "nodes": null, "access_key": null});
    check_change(
        &same,
        Unsaid::Stays,
        &expect![[
            r#"false ["a","",{"env":"dev"},{},false,{"access_key":null,"address":"10.0.0.1","bucket_name":"b","notes_of_plugin":null,"password":"sealed","ratio":null,"region":"eu","replicas":3,"rules":{"x":1,"y":2},"since":null},{}]"#
        ]],
    );
    let other = json!({"status": "ERROR", "address": null, "region": "us", "name": "b", "nodes": [], "access_key": "x", "notes_of_plugin": null, "bucket_name": null});
    check_change(
        &other,
        Unsaid::Stays,
        &expect![[r#"
        ReadOnly /access_key: clients cannot set it
        ReadOnly /address: clients cannot set it
        Required /bucket_name: it must have a value
        Immutable /name: it is said once, when the resource is made
        ReadOnly /nodes: clients cannot set it
        Unknown /notes_of_plugin: there is no such field
        Immutable /region: it is said once, when the resource is made
        ReadOnly /status: clients cannot set it"#]],
    );
}

#[test]
fn a_whole_document_resets_what_it_does_not_say() {
    check_change(
        &json!({"bucket_name": "b"}),
        Unsaid::Goes,
        &expect![[
            r#"true ["a","",{},{},false,{"access_key":null,"address":"10.0.0.1","bucket_name":"b","notes_of_plugin":null,"password":"sealed","ratio":null,"region":"eu","replicas":3,"rules":null,"since":null},{}]"#
        ]],
    );
    check_change(&json!({}), Unsaid::Goes, &expect!["Required /bucket_name: it must have a value"]);
}

#[test]
fn a_secret_that_is_so_already_is_no_change() {
    let (row, document) = existing();
    let said = || [("password".to_owned(), Becomes::Value(json!("p")))].into();
    let mut wanted =
        Wanted::changed(&model(), &row, &document, said(), Unsaid::Stays).ok().unwrap();
    assert!(wanted.differs_from(&row));
    wanted.forget_secrets(|field, secret| field == "password" && secret == "p");
    assert!(!wanted.differs_from(&row));
}

//! What can be asked, and what is wrong with what cannot.

use expect_test::{Expect, expect};
use plugin_abi::descriptor::{self, Field, Policy, Resource};
use serde_json::json;

use super::*;

mod agreement;
mod random;

fn field(name: &str, kind: descriptor::Kind, policy: Policy) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        schema: json!({}),
        policy,
        required: false,
        default: None,
        unique: None,
        indexed: false,
        reference: None,
    }
}

/// A resource with a field of each kind, some of which nobody sees.
fn members() -> Members {
    use descriptor::Kind;
    let fields = vec![
        field("region", Kind::Text, Policy::Rw),
        field("replicas", Kind::Integer, Policy::Rw),
        field("ratio", Kind::Number, Policy::Ro),
        field("versioning", Kind::Boolean, Policy::WriteOnce),
        field("checked_at", Kind::Timestamp, Policy::Ro),
        field("config", Kind::Json, Policy::Rw),
        field("password", Kind::Text, Policy::WriteOnly),
        field("inner", Kind::Text, Policy::Hidden),
        field("access_key", Kind::Text, Policy::ShownOnce),
        field("sealed", Kind::Secret, Policy::Rw),
    ];
    Members::of(&Resource {
        collection: "instances".to_owned(),
        name: "instance".to_owned(),
        parent: None,
        description: String::new(),
        table: "demo_instances".to_owned(),
        fields,
        actions: Vec::new(),
        hooks: Vec::new(),
        demands_if_match: false,
    })
}

fn refused(asked: &Asked<'_>, expected: &Expect) {
    let error = Selection::parse(&members(), asked, 10).unwrap_err();
    expected.assert_eq(&error.to_string());
}

fn refused_filter(filter: &str, expected: &Expect) {
    refused(&Asked { filter: Some(filter), ..Asked::default() }, expected);
}

/// Which of these are selected: by name.
fn selected(asked: &Asked<'_>) -> String {
    let documents = json!([
        {"name": "api", "labels": {"env": "dev"}, "status": "ACTIVE", "replicas": 1, "region": "eu-west",
         "created_at": "2026-01-01T00:00:00.000Z", "versioning": true,
         "config": {"tags": ["a", 2, true], "size": 3, "deep": {"er": "x"}}},
        {"name": "db", "labels": {"env": "prod", "app.kubernetes.io/name": "pg"}, "status": "ERROR",
         "replicas": 3, "region": "us*east", "created_at": "2026-02-01T00:00:00.000Z", "config": null},
        {"name": "web", "labels": {}, "status": "ACTIVE", "replicas": null,
         "created_at": "2026-03-01T00:00:00.500Z", "versioning": false, "config": {"size": "3"}},
    ]);
    let selection =
        Selection::parse(&members(), asked, 10).unwrap_or_else(|error| panic!("{error}"));
    let all = documents.as_array().unwrap().iter();
    let names = all.filter(|document| selection.matches(document));
    names.map(|document| document["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

fn selected_by(filter: &str) -> String {
    selected(&Asked { filter: Some(filter), ..Asked::default() })
}

#[test]
fn a_filter_selects() {
    let cases = [
        ("", "api db web"),
        ("  ", "api db web"),
        ("name = api", "api"),
        ("name=\"api\"", "api"),
        ("name != api", "db web"),
        ("name > api AND name <= web", "db web"),
        ("replicas >= 2", "db"),
        ("versioning = true", "api"),
        ("created_at > 2026-01-15T00:00:00Z", "db web"),
        ("created_at = 2026-03-01T01:00:00.500999+01:00", "web"),
        ("labels.env = dev OR labels.env = prod", "api db"),
        ("labels:env", "api db"),
        ("labels.app.kubernetes.io/name = pg", "db"),
        ("labels.\"app.kubernetes.io/name\" = pg", "db"),
        // OR binds less than AND, as everywhere.
        ("name = api OR name = db AND replicas = 1", "api"),
        ("(name = api OR name = db) AND replicas = 3", "db"),
    ];
    for (filter, wanted) in cases {
        assert_eq!(selected_by(filter), wanted, "{filter}");
    }
}

#[test]
fn text_is_looked_for_with_case_and_stars() {
    let cases = [
        ("name = a*", "api"),
        ("name = *b", "db web"),
        ("name = \"*e*\"", "web"),
        ("name : e", "web"),
        ("name : E", ""),
        ("region = us\\*east", ""),
        ("region = \"us*east\"", "db"),
        ("region = \"us\\*east\"", "db"),
        ("region : \"\\*\"", "db"),
        ("region = *", "api db"),
    ];
    for (filter, wanted) in cases {
        assert_eq!(selected_by(filter), wanted, "{filter}");
    }
}

#[test]
fn what_is_absent_fails_every_check_and_not_turns_it_round() {
    let cases = [
        ("replicas = 1", "api"),
        ("replicas != 1", "db"),
        ("NOT replicas = 1", "db web"),
        ("-replicas = 1", "db web"),
        ("NOT replicas != 1", "api web"),
        ("replicas = null", "web"),
        ("replicas != null", "api db"),
        ("region:*", "api db"),
        ("labels:*", "api db"),
        ("labels = null", "web"),
        ("NOT (labels.env = dev OR replicas > 2)", "web"),
    ];
    for (filter, wanted) in cases {
        assert_eq!(selected_by(filter), wanted, "{filter}");
    }
}

#[test]
fn json_is_walked_through() {
    let cases = [
        ("config.size = 3", "api web"),
        ("config.size = \"3\"", "web"),
        ("config.size > 2", "api"),
        ("config.tags:a", "api"),
        ("config.tags:2", "api"),
        ("config.tags:true", "api"),
        ("config.tags:\"2\"", ""),
        ("config:size", "api web"),
        ("config.deep.er = x", "api"),
        ("config.deep:er", "api"),
        ("config.size != 4", "api web"),
        ("config = null", "db"),
    ];
    for (filter, wanted) in cases {
        assert_eq!(selected_by(filter), wanted, "{filter}");
    }
}

#[test]
fn a_filter_that_cannot_be_read_says_where_and_what_was_expected() {
    let cases = [
        ("name", expect!["parameter filter, column 5: expected one of = != < <= > >= :"]),
        (
            "name =",
            expect![
                "parameter filter, column 7: expected a value; text with spaces or signs stands in quotes"
            ],
        ),
        ("= x", expect!["parameter filter, column 1: expected the name of a field, NOT or ("]),
        ("name = a b = c", expect!["parameter filter, column 10: expected AND, OR or the end"]),
        ("name = a and b = c", expect!["parameter filter, column 10: expected AND, OR or the end"]),
        ("(name = a", expect!["parameter filter, column 10: expected AND, OR or )"]),
        ("name = a)", expect!["parameter filter, column 9: expected AND, OR or the end"]),
        (
            "name = \"é",
            expect![[r#"parameter filter, column 10: expected ", which ends the text in quotes"#]],
        ),
        ("name = \"\\n\"", expect![[r#"parameter filter, column 9: expected one of \" \' \\ \*"#]]),
        ("nmae = a", expect!["parameter filter, column 1: there is no field nmae"]),
    ];
    for (filter, expected) in cases {
        refused_filter(filter, &expected);
    }
}

#[test]
fn a_value_that_a_field_cannot_have_is_refused() {
    let cases = [
        (
            "replicas = many",
            expect![
                "parameter filter, column 12: expected a whole number of 64 bits, which replicas is"
            ],
        ),
        (
            "replicas = 1*",
            expect![[
                r"parameter filter, column 12: expected a value without * at its ends (a star itself is \*, in quotes)"
            ]],
        ),
        (
            "replicas = 9223372036854775808",
            expect![
                "parameter filter, column 12: expected a whole number of 64 bits, which replicas is"
            ],
        ),
        ("ratio > inf", expect!["parameter filter, column 9: expected a number, which ratio is"]),
        (
            "versioning > true",
            expect![
                "parameter filter, column 14: expected a field with an order; true and false are compared by = and !="
            ],
        ),
        (
            "created_at > yesterday",
            expect![
                "parameter filter, column 14: expected a time like 2026-01-31T23:59:59Z, which created_at is"
            ],
        ),
        (
            "replicas < null",
            expect!["parameter filter, column 12: expected a value; null is compared by = and !="],
        ),
        (
            "labels = a",
            expect![
                "parameter filter, column 10: expected null: a map is compared by its keys, labels.KEY = … or labels:KEY"
            ],
        ),
        (
            "name.x = a",
            expect!["parameter filter, column 1: expected no part of name, which has none"],
        ),
        (
            "labels. = a",
            expect![
                "parameter filter, column 8: expected a key; one with other signs stands in quotes"
            ],
        ),
        ("name = a\0", expect!["parameter filter, column 9: expected no control character"]),
    ];
    for (filter, expected) in cases {
        refused_filter(filter, &expected);
    }
}

#[test]
fn length_and_depth_have_a_limit() {
    let long = format!("name = {}", "é".repeat(1_993));
    assert_eq!(selected_by(&long), "");
    refused_filter(
        &format!("{long}x"),
        &expect!["parameter filter, column 2001: expected at most 2000 characters"],
    );
    let nested = |n: usize| format!("{}name = api{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(selected_by(&nested(10)), "api");
    refused_filter(
        &nested(11),
        &expect!["parameter filter, column 12: expected at most 10 levels"],
    );
    refused_filter(
        &"-".repeat(2_000),
        &expect!["parameter filter, column 12: expected at most 10 levels"],
    );
}

#[test]
fn what_nobody_sees_is_unknown() {
    for name in ["password", "inner", "access_key", "sealed", "parent_id", "revision"] {
        let filter = format!("{name} = x");
        let asked = Asked { filter: Some(&filter), ..Asked::default() };
        let error = Selection::parse(&members(), &asked, 10).unwrap_err();
        let QueryError::UnknownField { field, known, .. } = error else { panic!("{error}") };
        assert_eq!(field, name);
        assert!(!known.contains(&field), "{known:?}");
        assert!(Order::parse(&members(), name).is_err());
        assert!(fields(&members(), name).is_err() || name == "parent_id");
    }
}

#[test]
fn labels_are_selected_as_in_kubernetes() {
    let cases = [
        ("env in (dev,qa)", "api"),
        ("env in ( dev , prod ), !tmp", "api db"),
        ("env notin (dev)", "db web"),
        ("env=dev", "api"),
        ("env==dev", "api"),
        ("env!=dev", "db web"),
        ("env", "api db"),
        ("!env", "web"),
        ("app.kubernetes.io/name=pg,env", "db"),
        ("", "api db web"),
    ];
    for (selector, wanted) in cases {
        let asked = Asked { label_selector: Some(selector), ..Asked::default() };
        assert_eq!(selected(&asked), wanted, "{selector}");
    }
    for (selector, expected) in [
        ("env in dev", expect!["parameter label_selector, column 8: expected ("]),
        ("env in (dev", expect!["parameter label_selector, column 12: expected a comma or )"]),
        ("env dev", expect!["parameter label_selector, column 5: expected a comma or the end"]),
        (",", expect!["parameter label_selector, column 1: expected the key of a label"]),
    ] {
        refused(&Asked { label_selector: Some(selector), ..Asked::default() }, &expected);
    }
}

#[test]
fn name_and_status_are_short_for_filters() {
    assert_eq!(selected(&Asked { name: Some("db"), ..Asked::default() }), "db");
    assert_eq!(selected(&Asked { status: Some("ERROR,PENDING"), ..Asked::default() }), "db");
    let both = Asked { status: Some("ACTIVE"), filter: Some("replicas = 1"), ..Asked::default() };
    assert_eq!(selected(&both), "api");
    refused(
        &Asked { status: Some("ACTVE"), ..Asked::default() },
        &expect![[
            r#"parameter status is "ACTVE": it must be one or more of PENDING, CREATING, ACTIVE, ERROR, UPDATING, DELETING, SUSPENDED, DEGRADED, with commas between"#
        ]],
    );
}

#[test]
fn an_order_that_cannot_be_read_says_where() {
    for (order_by, expected) in [
        (
            "name up",
            expect!["parameter order_by, column 6: expected asc, desc, a comma or the end"],
        ),
        ("name,", expect!["parameter order_by, column 6: expected the name of a field"]),
        ("labels", expect!["parameter order_by, column 1: there is no field labels"]),
        ("name, name desc", expect!["parameter order_by, column 7: expected name once"]),
    ] {
        refused(&Asked { order_by: Some(order_by), ..Asked::default() }, &expected);
    }
}

#[test]
fn keys_of_another_order_are_not_read() {
    let order = |text: &str| Order::parse(&members(), text).unwrap();
    let by_name = order("name desc, replicas");
    let document =
        json!({"id": "00000000-0000-0000-0000-000000000001", "name": "x\"", "ratio": 0.1});
    let keys = by_name.keys_of(&document);
    assert_eq!(keys, r#"["x\"",null,"00000000-0000-0000-0000-000000000001"]"#);
    assert!(by_name.read(&keys).is_some());
    for other in ["name", "replicas, name", "created_at"] {
        assert!(order(other).read(&keys).is_none(), "{other}");
    }
    for damaged in ["", "[]", "3", r#"["x",null,"y"]"#, r#"[null,null,null]"#, r#"[1,2,3]"#] {
        assert!(by_name.read(damaged).is_none(), "{damaged}");
    }
}

#[test]
fn a_mask_keeps_members_and_parts_of_them() {
    let mask = fields(&members(), "id, labels.a.b,config.tags.x,nodes.ip").unwrap();
    let mut document = json!({
        "id": 1, "name": "x", "labels": {"a.b": "c", "d": "e"},
        "config": {"tags": [{"x": 1, "y": 2}, 3], "z": 4},
        "nodes": [{"ip": "::1", "port": 1}],
    });
    mask.apply(&mut document);
    assert_eq!(
        document,
        json!({"id": 1, "labels": {"a.b": "c"}, "config": {"tags": [{"x": 1}, 3]}, "nodes": [{"ip": "::1"}]})
    );
    assert!(mask.has("labels") && !mask.has("name"));
    let whole = fields(&members(), "labels.a,labels").unwrap();
    let mut document = json!({"labels": {"a": "1", "b": "2"}});
    whole.apply(&mut document);
    assert_eq!(document, json!({"labels": {"a": "1", "b": "2"}}));
    let error = fields(&members(), "id,lables").unwrap_err();
    let QueryError::UnknownField { nearest, column, .. } = error else { panic!("{error}") };
    assert_eq!((nearest.as_deref(), column), (Some("labels"), 4));
    assert!(fields(&members(), "").is_err());
}

use expect_test::{Expect, expect};
use plugin_abi::descriptor::{
    Access, Field, Hook, Kind, Policy, Reference, Resource, Route, RouteBase, TypeDescriptor,
    TypeVersion, Unique,
};
use serde_json::{Value, json};

use super::testing::{action, collection, declared, descriptor, field, model, resource};
use super::*;

fn outcome(declared: TypeDescriptor) -> String {
    let outcome = TypeModel::all_of(&descriptor(vec![declared]));
    outcome.map_or_else(|error| error.to_string(), |_models| "fine".to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(resources: Vec<Resource>, expected: Expect) {
    let declared = TypeDescriptor { resources, ..TypeDescriptor::new("demo") };
    expected.assert_eq(&outcome(declared));
}

fn check_field(field: Field, expected: Expect) {
    let fields = vec![field];
    check(vec![Resource { fields, ..collection("disks", "disk", None) }], expected);
}

#[test]
fn what_is_declared_well_is_found_by_its_names() {
    let model = model();
    let instances = model.resource("instances").unwrap();
    assert_eq!(instances.permission("grow"), "demo.instance.grow");
    assert_eq!(instances.table(), "demo_instances");
    assert!(instances.has(Hook::Reconcile) && !instances.has(Hook::Plan));
    assert!(instances.field("size").is_some() && instances.field("name").is_none());
    let names = |parent| model.below(parent).map(|one| one.collection()).collect::<Vec<_>>();
    assert_eq!(names(None), ["instances", "tag-sets"]);
    assert_eq!(names(Some("instances")), ["snapshots"]);
    assert_eq!(names(Some("snapshots")), [""; 0]);
}

#[test]
fn names_that_cannot_be_are_refused_with_their_place() {
    check(
        vec![collection("Disks", "disk", None)],
        expect!["type `demo`, collection `Disks`: the name `Disks` is not `[a-z][a-z0-9-]{0,30}`"],
    );
    check(
        vec![collection("disks", "a-disk", None)],
        expect![
            "type `demo`, collection `disks`: the name of one of them, `a-disk` is not `[a-z][a-z0-9_]{0,30}`"
        ],
    );
    check(
        vec![collection("metrics", "metric", None)],
        expect![
            "type `demo`, collection `metrics`: the collection `metrics` is reserved; give it another name"
        ],
    );
    check(
        vec![collection("disks", "disk", None), collection("disks", "other", None)],
        expect!["type `demo`: collection `disks` is declared twice"],
    );
    check(
        vec![collection("disks", "disk", None), collection("others", "disk", None)],
        expect!["type `demo`: resource `disk` is declared twice"],
    );
    let table = "disks".to_owned();
    check(
        vec![Resource { table, ..collection("disks", "disk", None) }],
        expect!["type `demo`, collection `disks`: its table is `disks` and must be `demo_disks`"],
    );
    let hooks = vec![Hook::Plan, Hook::Plan];
    check(
        vec![Resource { hooks, ..collection("disks", "disk", None) }],
        expect!["type `demo`, collection `disks`: hook `plan` is declared twice"],
    );
    for (verb, expected) in [
        (
            "delete",
            expect![
                "type `demo`, collection `disks`, action `delete`: the verb `delete` is reserved; give it another name"
            ],
        ),
        (
            "Grow",
            expect![
                "type `demo`, collection `disks`, action `Grow`: the name `Grow` is not `[a-z][a-z0-9-]{0,30}`"
            ],
        ),
    ] {
        let actions = vec![action(verb)];
        check(vec![Resource { actions, ..collection("disks", "disk", None) }], expected);
    }
    let actions = vec![action("grow"), action("grow")];
    check(
        vec![Resource { actions, ..collection("disks", "disk", None) }],
        expect!["type `demo`, collection `disks`: action `grow` is declared twice"],
    );
}

#[test]
fn an_index_never_loses_its_name_to_the_limit_of_postgresql() {
    let declared = TypeDescriptor {
        resources: vec![Resource {
            table: format!("{}_{}", "a".repeat(31), "b".repeat(31)),
            ..collection(&"b".repeat(31), "disk", None)
        }],
        ..TypeDescriptor::new("a".repeat(31))
    };
    expect!["type `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`, collection `bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb`: its table `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb` has 63 letters, at most 52 fit; give it a shorter name"]
        .assert_eq(&outcome(declared));
}

#[test]
fn parents_form_a_tree() {
    check(
        vec![collection("parts", "part", Some("disks"))],
        expect![
            "type `demo`, collection `parts`: its parent `disks` is not a collection of this type"
        ],
    );
    check(
        vec![collection("a", "one", Some("b")), collection("b", "other", Some("a"))],
        expect!["type `demo`, collection `b`: its parents form a circle: `a` under `b` under `a`"],
    );
    check(
        vec![collection("disks", "disk", None), collection("instances", "one", Some("disks"))],
        expect![
            "type `demo`, collection `instances`: `instances` are what a type has: they cannot hang under `disks`"
        ],
    );
}

#[test]
fn fields_that_cannot_be_are_refused_with_their_place() {
    let text = |name: &str| field(name, Kind::Text);
    check_field(
        text("etag"),
        expect![
            "type `demo`, collection `disks`, field `etag`: the name `etag` is reserved; give it another name"
        ],
    );
    check_field(
        text("created_at"),
        expect![
            "type `demo`, collection `disks`, field `created_at`: the name `created_at` is reserved; give it another name"
        ],
    );
    check_field(
        text("xmin"),
        expect![
            "type `demo`, collection `disks`, field `xmin`: `xmin` is a column that PostgreSQL has in every table; give it another name"
        ],
    );
    check_field(
        text("sizeGb"),
        expect![
            "type `demo`, collection `disks`, field `sizeGb`: the name `sizeGb` is not `[a-z][a-z0-9_]{0,62}`"
        ],
    );
    let fields = vec![text("a"), text("a")];
    check(
        vec![Resource { fields, ..collection("disks", "disk", None) }],
        expect!["type `demo`, collection `disks`: field `a` is declared twice"],
    );
    check_field(
        Field { schema: json!({"type": "integer"}), ..text("a") },
        expect![
            "type `demo`, collection `disks`, field `a`: it is stored as text, so its schema must have the type `string`"
        ],
    );
    check_field(
        Field { schema: json!({"type": "string", "minLength": -1}), ..text("a") },
        expect![
            "type `demo`, collection `disks`, field `a`: its schema is no JSON Schema: -1 is less than the minimum of 0"
        ],
    );
    check_field(
        Field { schema: json!({"type": "string", "anyOf": [{"$ref": "#/x"}]}), ..text("a") },
        expect![
            "type `demo`, collection `disks`, field `a`: its schema has `$ref`: a schema stands alone, write out what it refers to"
        ],
    );
    check_field(
        Field {
            default: Some(json!("")),
            schema: json!({"type": "string", "minLength": 1}),
            ..text("a")
        },
        expect![
            "type `demo`, collection `disks`, field `a`: its default does not fit its schema: the value is shorter than 1 character"
        ],
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    let text = field("a", Kind::Text);
    let secret = field("a", Kind::Secret);
    let cases = [
        Field { policy: Policy::Rw, ..secret.clone() },
        Field { policy: Policy::ShownOnce, ..text.clone() },
        Field { required: true, policy: Policy::Ro, ..text.clone() },
        Field { required: true, default: Some(json!("x")), ..text.clone() },
        Field { unique: Some(Unique::Type), ..secret },
        Field { unique: Some(Unique::Parent), ..text },
    ];
    let told: Vec<_> = cases
        .into_iter()
        .map(|field| {
            let fields = vec![field];
            let resources = vec![Resource { fields, ..collection("disks", "disk", None) }];
            let declared = TypeDescriptor { resources, ..TypeDescriptor::new("demo") };
            outcome(declared).rsplit_once("`: ").unwrap().1.to_owned()
        })
        .collect();
    expect![[r#"
        it is a secret, so its policy must be write_only, shown_once or hidden
        what is shown once must be stored as a secret
        it is required, and its policy lets no client say it
        it is required, so its default would never be used
        JSON and secrets cannot be unique
        it is unique under the same parent, and its collection has none"#]]
    .assert_eq(&told.join("\n"));
    let reference = |slug: &str| Field {
        reference: Some(Reference { slug: slug.to_owned(), collection: "nowhere".to_owned() }),
        ..field("of", Kind::Text)
    };
    check_field(
        reference("demo"),
        expect![
            "type `demo`, collection `disks`, field `of`: it refers to `nowhere`, which is not a collection of this type"
        ],
    );
    check_field(reference("elsewhere"), expect!["fine"]);
}

#[test]
fn versions_are_there_once() {
    let version = |text: &str| TypeVersion {
        version: text.to_owned(),
        status: "available".to_owned(),
        description: String::new(),
        upgrade_from: Vec::new(),
    };
    let versions = vec![version("15"), version("15")];
    expect!["type `demo`: version `15` is declared twice"]
        .assert_eq(&outcome(TypeDescriptor { versions, ..declared() }));
}

#[test]
fn a_route_of_the_plugin_does_not_answer_for_a_declared_path() {
    let outcome = |path: &str| {
        let mut descriptor = descriptor(vec![declared()]);
        descriptor.routes.push(Route {
            base: RouteBase::Type("demo".to_owned()),
            method: Some("GET".to_owned()),
            path: path.to_owned(),
            body_bytes_max: None,
            deadline_ms: None,
            access: Access::default(),
        });
        TypeModel::all_of(&descriptor)
            .map_or_else(|error| error.to_string(), |_models| String::new())
    };
    for free in
        ["/-/health", "/reports", "/instances/{id}/export", "/x/{*rest}", "/instances/a/b/c"]
    {
        assert_eq!(outcome(free), "", "{free}");
    }
    for taken in [
        "/",
        "/versions",
        "/instances",
        "/{what}",
        "/{*rest}",
        "/instances/new",
        "/instances/{id}/logs",
        "/instances/{id}/actions/{verb}",
        "/instances/{id}/{what}",
        "/instances/{id}/snapshots/{snapshot}/operations",
    ] {
        let told = outcome(taken);
        assert!(told.starts_with(&format!("type `demo`: route `{taken}` of the plugin")), "{told}");
    }
}

#[test]
fn a_value_is_held_against_the_schema_and_the_column() {
    let model = resource("instances");
    let check = |name: &str, value: Value| match model.field(name).unwrap().check(&value) {
        Ok(()) => String::new(),
        Err(faults) => faults[0].message.clone(),
    };
    assert_eq!(check("size", json!(5)), "");
    assert_eq!(check("size", json!(5.0)), "");
    assert_eq!(check("ratio", json!(1)), "");
    assert_eq!(check("serial", Value::Null), "", "nothing that must be there");
    assert_eq!(check("order", json!({"a": ["\0", null]})), "");
    assert_eq!(check("expires_at", json!("2026-02-03T04:05:06+01:00")), "");
    for (name, value) in [
        ("size", Value::Null),
        ("size", json!("5")),
        ("size", json!(0)),
        ("size", json!(1e300)),
        ("medium", json!("tape")),
        ("serial", json!("a\0b")),
        ("encrypted", json!("true")),
        ("expires_at", json!("yesterday")),
    ] {
        assert_ne!(check(name, value.clone()), "", "{name} {value}");
    }
    let big = field("n", Kind::Integer);
    let fields = vec![big];
    let resources = vec![Resource { fields, ..collection("disks", "disk", None) }];
    let declared = TypeDescriptor { resources, ..TypeDescriptor::new("demo") };
    let models = TypeModel::all_of(&descriptor(vec![declared])).unwrap();
    let n = models[0].resource("disks").unwrap().field("n").unwrap();
    assert!(n.check(&json!(i64::MIN)).is_ok());
    let faults = n.check(&json!(u64::MAX)).unwrap_err();
    assert_eq!(faults[0].message, "the value is no whole number of 64 bits");
}

#[test]
fn a_value_has_one_form() {
    let model = resource("instances");
    let normal = |name: &str, value| model.field(name).unwrap().normal(value);
    assert_eq!(normal("size", json!(5.0)), json!(5));
    assert_eq!(normal("ratio", json!(5)), json!(5.0));
    let moment = json!("2026-02-03T05:05:06.1234+01:00");
    assert_eq!(normal("expires_at", moment), json!("2026-02-03T04:05:06.123Z"));
}

#[test]
fn what_is_sent_with_an_action_is_held_against_its_schema() {
    let model = resource("instances");
    let grow = model.action("grow").unwrap();
    assert!(grow.check(&Value::Null).is_ok() && grow.check(&json!({})).is_ok());
    assert!(grow.check(&json!({"by": 1})).is_err());
    assert!(model.action("shrink").is_none());
}

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("{value} is no object") };
    members
}

fn merged(document: Value, members: Value) -> Value {
    let patch = Patch::Merge { members: object(members), mask: None };
    let mut document = object(document);
    for (name, becomes) in patch.apply(&document.clone()).unwrap() {
        match becomes {
            Becomes::Value(value) => drop(document.insert(name, value)),
            Becomes::Nothing => drop(document.remove(&name)),
        }
    }
    Value::Object(document)
}

#[test]
fn the_examples_of_rfc_7396_hold() {
    for (document, patch, wanted) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        assert_eq!(merged(document.clone(), patch.clone()), wanted, "{document} {patch}");
    }
}

fn steps(document: Value, steps: Value) -> Result<Said, PatchError> {
    Patch::steps(steps)?.apply(&object(document))
}

#[test]
fn steps_say_what_is_otherwise_and_nothing_else() {
    let said = steps(
        json!({"a": 1, "b": {"c": 2}, "d": 3}),
        json!([
            {"op": "test", "path": "/a", "value": 1},
            {"op": "remove", "path": "/a"},
            {"op": "add", "path": "/b/e", "value": [1]},
            {"op": "replace", "path": "/d", "value": 3},
        ]),
    );
    let wanted = [
        ("a".to_owned(), Becomes::Nothing),
        ("b".to_owned(), Becomes::Value(json!({"c": 2, "e": [1]}))),
    ];
    assert_eq!(said.unwrap(), wanted.into());
}

#[test]
fn steps_that_do_not_fit_change_nothing() {
    let document = json!({"a": 1});
    for (patch, wanted) in [
        (
            json!([{"op": "test", "path": "/a", "value": 2}]),
            "step 0 does not fit the resource as it is: value did not match",
        ),
        (
            json!([{"op": "remove", "path": "/z"}]),
            "step 0 does not fit the resource as it is: path is invalid",
        ),
        (json!([{"op": "replace", "path": "", "value": 1}]), "the patch leaves no object"),
        (
            json!([{"op": "shake", "path": "/a"}]),
            "the steps cannot be read: unknown variant `shake`, expected one of `add`, `remove`, `replace`, `move`, `copy`, `test`",
        ),
    ] {
        assert_eq!(steps(document.clone(), patch).unwrap_err().to_string(), wanted);
    }
    assert!(matches!(steps(document.clone(), json!({})), Err(PatchError::Malformed(_))));
    let many = vec![json!({"op": "test", "path": "/a", "value": 1}); STEPS_MAX + 1];
    assert_eq!(steps(document, json!(many)), Err(PatchError::TooMany { n: STEPS_MAX + 1 }));
}

#[test]
fn what_steps_make_is_bounded() {
    let doubling = vec![json!({"op": "copy", "from": "/a", "path": "/a/-"}); 60];
    let document = json!({"a": ["x".repeat(1000)]});
    assert!(matches!(steps(document, json!(doubling)), Err(PatchError::TooLarge { .. })));
    let deeper = (1..50).map(|n| json!({"op": "add", "path": "/a".repeat(n), "value": {}}));
    let refused = steps(json!({}), json!(deeper.collect::<Vec<_>>()));
    assert_eq!(refused, Err(PatchError::TooLarge { step: DEPTH_MAX - 1 }));
}

/// JSON without nulls below the top, which a merge patch cannot say.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from)];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn members() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-c]", value(), 0..3)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// The merge patch that makes `to` of `from`.
fn difference(from: &Value, to: &Value) -> Value {
    let (Some(old), Some(new)) = (from.as_object(), to.as_object()) else { return to.clone() };
    let mut patch = Map::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in new.iter().filter(|(name, value)| old.get(*name) != Some(value)) {
        let said = old.get(name).map_or_else(|| value.clone(), |was| difference(was, value));
        patch.insert(name.clone(), said);
    }
    Value::Object(patch)
}

proptest! {
    #[test]
    fn a_difference_leads_from_one_to_the_other(from in members(), to in members()) {
        prop_assert_eq!(merged(from.clone(), difference(&from, &to)), to);
    }

    #[test]
    fn once_more_changes_nothing(from in members(), patch in members()) {
        let once = merged(from, patch.clone());
        prop_assert_eq!(merged(once.clone(), patch), once);
    }
}

use expect_test::expect;
use serde_json::json;

use super::at as cells_at;
use super::*;
use crate::model::testing::resource;
use crate::resource::query::{self, Members};
use crate::resource::testing::{full_row, project};

fn moment(text: &str) -> Timestamp {
    Timestamp::try_from(text.to_owned()).unwrap()
}

fn sample() -> Row {
    let (then, now) = (moment("2026-02-03T04:05:06.007Z"), moment("2026-02-03T05:00:00.000Z"));
    let mut row = full_row("a", project());
    row.id = "0197f2a0-0000-7000-8000-000000000001".parse().unwrap();
    row.project = "0197f2a0-0000-7000-8000-000000000002".parse().unwrap();
    row.last_operation = Some("0197f2a0-0000-7000-8000-000000000003".parse().unwrap());
    row.conditions[0].last_transition_at = now;
    Row { created_at: then, updated_at: now, ..row }
}

const LAST: LastOperation<'static> = LastOperation {
    kind: "demo.instance.update",
    state: "SUCCEEDED",
    percent: 100,
    description: "it has the size that is wanted",
};

fn since(text: &str) -> Seen {
    Seen { available: Available::Since(moment(text)), fields: None }
}

const BEFORE: &str = "2026-02-03T00:00:00.000Z";
const LATER: &str = "2026-02-04T00:00:00.000Z";

#[test]
fn a_document_has_what_may_be_seen_in_one_order() {
    let text = text(&resource("instances"), &sample(), Some(&LAST), &since(BEFORE));
    expect![[r#"{"id":"0197f2a0-0000-7000-8000-000000000001","type":"demo","project_id":"0197f2a0-0000-7000-8000-000000000002","name":"a","description":"a 'quoted' \"text\"","labels":{"env":"dev"},"annotations":{},"size":5,"medium":"ssd","ratio":0.1,"encrypted":true,"expires_at":"2026-02-03T04:05:06.123Z","order":{"a":[1,null,"\u0000ü"]},"serial":null,"address":"10.0.0.1","status":"UPDATING","status_message":"growing","generation":3,"observed_generation":2,"etag":"\"3-7\"","conditions":[{"type":"Ready","status":"False","reason":"Growing","message":"","last_transition_at":"2026-02-03T05:00:00.000Z","observed_generation":3},{"type":"PluginAvailable","status":"True","reason":"Serving","message":"","last_transition_at":"2026-02-03T00:00:00.000Z","observed_generation":3}],"last_operation":{"id":"0197f2a0-0000-7000-8000-000000000003","kind":"demo.instance.update","state":"SUCCEEDED","percent":100,"description":"it has the size that is wanted"},"deletion_protection":true,"created_at":"2026-02-03T04:05:06.007Z","updated_at":"2026-02-03T05:00:00.000Z","created_by":"user:admin"}"#]]
        .assert_eq(str::from_utf8(&text.0).unwrap());
}

#[test]
fn what_a_policy_hides_is_in_no_document() {
    let document = document(&resource("instances"), &sample(), None, &since(BEFORE));
    assert!(document.get("password").is_none() && document.get("handle").is_none());
    assert!(!document.to_string().contains("sealed"));
    assert_eq!(document["last_operation"], Value::Null);
}

#[test]
fn a_child_says_its_parent() {
    let parent = "0197f2a0-0000-7000-8000-000000000009";
    let row = Row { parent: Some(parent.parse().unwrap()), ..sample() };
    let document = document(&resource("snapshots"), &row, None, &since(BEFORE));
    assert_eq!(document["parent_id"], json!(parent));
}

#[test]
fn an_error_comes_with_what_is_left_of_the_resource() {
    let mut row = Row { status: Status::Error, observed_generation: 0, ..sample() };
    let flags = |row: &Row| {
        let shown = document(&resource("instances"), row, None, &since(BEFORE));
        [shown["instance_usable"].clone(), shown["retryable"].clone()]
    };
    assert_eq!(flags(&row), [json!(false), json!(false)]);
    row.observed_generation = 2;
    row.conditions[0].r#type = crate::resource::condition::RECONCILING.to_owned();
    row.conditions[0].status = plugin_abi::resource::ConditionStatus::True;
    assert_eq!(flags(&row), [json!(true), json!(true)]);
}

#[test]
fn only_the_members_that_are_asked_for_are_written() {
    let model = resource("instances");
    let members = Members::of(&model.declared);
    let shown = |asked: &str| {
        let mask = query::fields(&members, asked).unwrap();
        let seen = Seen { fields: Some(Arc::new(mask)), ..since(BEFORE) };
        String::from_utf8(text(&model, &sample(), Some(&LAST), &seen).0).unwrap()
    };
    assert_eq!(shown("status, name,size"), r#"{"name":"a","size":5,"status":"UPDATING"}"#);
    assert_eq!(
        shown("name,conditions.type"),
        r#"{"conditions":[{"type":"Ready"},{"type":"PluginAvailable"}],"name":"a"}"#
    );
    assert!(query::fields(&members, "password").is_err(), "it is nobody's to ask for");
}

#[test]
fn the_etag_changes_with_whatever_the_document_shows() {
    let model = resource("instances");
    let etag = |row: &Row, last: Option<&LastOperation<'_>>, seen: &Seen| {
        let document = document(&model, row, last, seen);
        document["etag"].as_str().unwrap().to_owned()
    };
    let row = sample();
    assert_eq!(etag(&row, Some(&LAST), &since(BEFORE)), super::etag(&row));
    assert_eq!(super::etag(&row), "\"3-7\"");
    let running = LastOperation { state: "RUNNING", percent: 40, ..LAST };
    let further = LastOperation { percent: 50, ..running.clone() };
    let gone = Seen { available: Available::NotSince(moment(BEFORE)), fields: None };
    let mut all = vec![
        etag(&row, Some(&LAST), &since(BEFORE)),
        etag(&row, Some(&LAST), &since(LATER)),
        etag(&row, Some(&LAST), &gone),
        etag(&row, Some(&running), &since(BEFORE)),
        etag(&row, Some(&further), &since(BEFORE)),
        etag(&Row { revision: 8, ..row.clone() }, Some(&LAST), &since(BEFORE)),
    ];
    assert!(all.iter().all(|etag| etag.starts_with("\"3-")), "{all:?}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
}

#[test]
fn json_that_is_none_is_shown_as_text() {
    let model = resource("instances");
    let mut broken = Kept::of(&model, &sample(), None);
    broken.set(cells_at::FIELDS + 5, "{oops");
    let mut out = Vec::new();
    write(&mut out, &model, &broken, &since(BEFORE)).unwrap();
    let document: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["order"], json!("{oops"));
}

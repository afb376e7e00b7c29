//! The table of codes, and how a problem looks on the wire.

use std::collections::HashSet;
use std::fmt::Write;

use expect_test::{expect, expect_file};
use http_body_util::BodyExt;

use serde_json::json;

use super::*;

/// The head and the body of an answer, as a client sees them.
async fn wire(problem: Problem) -> String {
    let sent = HeaderMap::from_iter([(
        super::super::request_id::REQUEST_ID,
        HeaderValue::from_static("req-1"),
    )]);
    let response = problem.into_response("/v1/x", &RequestId::of(&sent));
    let mut text = format!("{}\n", response.status());
    for (name, value) in response.headers() {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    text + &serde_json::to_string_pretty(&body).unwrap()
}

#[test]
fn every_code_is_unique_and_can_be_looked_up() {
    let mut names = HashSet::new();
    for code in Code::ALL.iter().copied() {
        let spec = code.spec();
        assert!(names.insert(spec.name), "{code} is listed twice");
        assert!(spec.name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{code}");
        assert!(spec.status.is_client_error() || spec.status.is_server_error(), "{code}");
        assert!(spec.hint.ends_with('.') && !spec.title.ends_with('.'), "{code}");
        assert_eq!(Code::named(spec.name), Some(code));
        assert_eq!(Code::named(code.type_path().rsplit('/').next().unwrap()), Some(code));
    }
    assert_eq!(Code::named("NO_SUCH_CODE"), None);
}

#[test]
fn a_503_always_says_when_to_try_again() {
    for code in Code::ALL.iter().copied() {
        if code.spec().status == ::http::StatusCode::SERVICE_UNAVAILABLE {
            assert_ne!(code.spec().retry, Retry::Never, "{code}");
        }
    }
}

#[test]
fn the_list_is_stable() {
    let mut list = String::new();
    for code in Code::ALL {
        let spec = code.spec();
        writeln!(list, "{} {} {:?}: {}", spec.status.as_u16(), spec.name, spec.retry, spec.title)
            .unwrap();
    }
    expect_file!["codes.txt"].assert_eq(&list);
}

#[tokio::test]
async fn a_full_problem_has_every_member() {
    let problem = Problem::new(Code::UnknownField, "Field bucketname is not known.")
        .hint("Did you mean bucket_name?")
        .with("field", "bucketname")
        .field(FieldError {
            pointer: "/bucketname".to_owned(),
            code: Code::UnknownField.spec().name.into(),
            message: "not known".to_owned(),
        });
    expect![[r#"
        400 Bad Request
        content-type: application/problem+json
        {
          "code": "UNKNOWN_FIELD",
          "detail": "Field bucketname is not known.",
          "errors": [
            {
              "code": "UNKNOWN_FIELD",
              "message": "not known",
              "pointer": "/bucketname"
            }
          ],
          "field": "bucketname",
          "hint": "Did you mean bucket_name?",
          "instance": "/v1/x",
          "message": "Field bucketname is not known.",
          "operation_id": null,
          "request_id": "req-1",
          "retryable": false,
          "status": 400,
          "title": "Unknown field",
          "type": "/v1/problems/unknown-field"
        }"#]]
    .assert_eq(&wire(problem).await);
}

#[tokio::test]
async fn what_can_be_retried_says_when() {
    let problem = Problem::new(Code::PluginBusy, "Busy.");
    expect![[r#"
        503 Service Unavailable
        content-type: application/problem+json
        retry-after: 1
        {
          "code": "PLUGIN_BUSY",
          "detail": "Busy.",
          "errors": [],
          "hint": "Try again.",
          "instance": "/v1/x",
          "message": "Busy.",
          "operation_id": null,
          "request_id": "req-1",
          "retryable": true,
          "status": 503,
          "title": "Plugin is busy",
          "type": "/v1/problems/plugin-busy"
        }"#]]
    .assert_eq(&wire(problem).await);
}

#[tokio::test]
async fn a_401_challenges_and_a_405_lists_the_methods() {
    let unauthenticated = wire(Problem::new(Code::Unauthenticated, "Who?")).await;
    assert!(unauthenticated.contains("www-authenticate: Bearer realm="), "{unauthenticated}");
    let not_allowed = wire(Problem::method_not_allowed("GET, HEAD")).await;
    assert!(not_allowed.contains("\nallow: GET, HEAD\n"), "{not_allowed}");
}

#[test]
fn a_filter_that_cannot_be_read_names_parameter_and_column() {
    use crate::http::respond;
    use crate::resource::query::QueryError;
    let cases = [
        (
            QueryError::Syntax { parameter: "filter", column: 7, wanted: "a value".to_owned() },
            json!({"code": "FILTER_INVALID", "parameter": "filter", "column": 7, "expected": "a value",
                "detail": "Parameter filter, column 7: expected a value."}),
        ),
        (
            QueryError::UnknownField {
                parameter: "order_by",
                column: 1,
                field: "nmae".to_owned(),
                nearest: Some("name".to_owned()),
                known: vec!["name".to_owned()],
            },
            json!({"code": "BAD_REQUEST", "parameter": "order_by", "column": 1, "field": "nmae",
                "detail": "Parameter order_by, column 1: there is no field nmae.", "hint": "Did you mean name?"}),
        ),
    ];
    for (error, expected) in cases {
        let problem = respond::query(&error).value("/v1/x", None);
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(problem[member], *value, "{problem}");
        }
    }
}

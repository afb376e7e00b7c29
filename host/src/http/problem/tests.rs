//! The table of codes, and how a problem looks on the wire.

use std::collections::HashSet;
use std::fmt::Write;

use expect_test::expect;
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
    expect![[r#"
        400 BAD_REQUEST Never: Bad request
        400 INVALID_JSON Never: Invalid JSON
        400 UNKNOWN_FIELD Never: Unknown field
        400 FILTER_INVALID Never: Filter cannot be read
        400 PAGE_TOKEN_MISMATCH Never: Page token of another list
        401 UNAUTHENTICATED Never: Not authenticated
        403 FORBIDDEN Never: Forbidden
        404 NOT_FOUND Never: Not found
        404 ROUTE_NOT_FOUND Never: No such route
        404 TYPE_NOT_FOUND Never: No such type
        404 ELEMENT_NOT_FOUND Never: No such element
        404 VERSION_NOT_FOUND Never: No such version
        404 OPERATION_NOT_FOUND Never: No such operation
        404 ACTION_NOT_FOUND Never: No such action
        400 VERSION_REQUIRED Never: Version required
        404 PROJECT_NOT_FOUND Never: No such project
        400 PROJECT_REQUIRED Never: Project required
        405 METHOD_NOT_ALLOWED Never: Method not allowed
        409 ELEMENT_BUSY After(1): Element is changing
        409 OPERATION_FINISHED Never: Operation has ended
        409 OPERATION_CANCELED Never: Operation was canceled
        409 NOT_CANCELLABLE Never: Operation cannot be canceled
        409 NAME_TAKEN Never: Name is taken
        409 NOT_EMPTY Never: Not empty
        409 BUILT_IN Never: Built in
        409 API_KEY_OVER Never: API key is over
        409 QUOTA_EXCEEDED Never: Quota exceeded
        409 MANAGED_BY_FILE Never: Managed by a file
        409 ROLLBACK_UNAVAILABLE Never: No way back
        409 INSTANCES_EXIST Never: Instances exist
        410 RESUME_EXPIRED Never: Cannot go on from there
        429 SLOW_CONSUMER After(1): Events were read too slowly
        408 BODY_LATE Never: Body came too late
        413 BODY_TOO_LARGE Never: Body too large
        415 UNSUPPORTED_MEDIA_TYPE Never: Unsupported media type
        422 SETTINGS_INVALID Never: Settings do not fit
        422 MIGRATION_FAILED Never: Migration failed
        422 ROLLOUT_FAILED Never: Rollout failed
        429 LOGIN_THROTTLED After(1): Too many logins
        429 RATE_LIMITED After(1): Too many requests
        431 HEADERS_TOO_LARGE Never: Headers too large
        500 INTERNAL Never: Internal error
        500 PLUGIN_PANIC Never: Plugin panicked
        502 PLUGIN_CRASHED After(1): Plugin crashed
        502 PLUGIN_PROTOCOL Never: Plugin broke its contract
        503 PLUGIN_BUSY After(1): Plugin is busy
        503 PLUGIN_DRAINING After(1): Plugin is being replaced
        503 PLUGIN_UNAVAILABLE After(5): Plugin is unavailable
        503 GENERATIONS_FULL After(60): No room for another generation
        503 CONNECTION_LIMIT After(1): Too many connections
        503 NOT_READY After(1): Not ready
        503 SHUTTING_DOWN After(5): Shutting down
        504 DEADLINE_EXCEEDED After(1): No answer in time
    "#]]
    .assert_eq(&list);
}

#[tokio::test]
async fn a_full_problem_has_every_member() {
    let problem = Problem::new(Code::UnknownField, "Field bucketname is not known.")
        .hint("Did you mean bucket_name?")
        .with("field", "bucketname")
        .field(FieldError {
            pointer: "/bucketname".to_owned(),
            code: Code::UnknownField.spec().name,
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

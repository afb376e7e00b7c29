//! Errors as clients read them: problem documents of RFC 9457.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::response::{Body, IntoResponse, Response};

/// An error for the client: a status, a stable code for programs and a sentence for people.
///
/// ```
/// use plugin_sdk::{Problem, StatusCode};
///
/// let problem = Problem::new(StatusCode::CONFLICT, "NAME_TAKEN", "a note `x` exists already")
///     .hint("choose another name")
///     .with("name", "x");
/// assert_eq!(problem.code(), "NAME_TAKEN");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    hint: Option<String>,
    members: Map<String, Value>,
}

/// The document, in the order people read it.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: String,
    status: u16,
    code: &'a str,
    detail: &'a str,
    /// Clients of other systems read this one instead of `detail`.
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    retryable: bool,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl Problem {
    /// A problem; `code` is stable and UPPER_SNAKE.
    #[must_use]
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self(Box::new(Parts { status, code, detail, hint: None, members: Map::new() }))
    }

    /// 404 `NOT_FOUND`.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a member to the document: a value that the text names.
    #[must_use]
    pub fn with(mut self, member: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.into(), value.into());
        self
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { status, code, detail, hint, members } = &*self.0;
        let words = code.to_ascii_lowercase();
        let document = Document {
            r#type: format!("/v1/problems/{}", words.replace('_', "-")),
            title: capitalized(&words.replace('_', " ")),
            status: status.as_u16(),
            code,
            detail,
            message: detail,
            hint: hint.as_deref(),
            retryable: matches!(status.as_u16(), 429 | 503 | 504),
            members,
        };
        let json =
            serde_json::to_vec(&document).expect("a problem consists of text and JSON values");
        Response::with_body("application/problem+json", Body::Owned(json)).with_status(*status)
    }
}

fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), letters.as_str())
    })
}

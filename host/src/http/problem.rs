//! How every failure looks to a client: RFC 9457 `application/problem+json`.
//!
//! Guarantees: the code is one of [`Code`], `detail` and `message` are the same sentence, `Retry-After`, `Allow`
//! and `WWW-Authenticate` are there whenever the code calls for them. A problem holds safe sentences only: what
//! the caller may not know goes to the log. Which failure becomes which problem is decided in `respond`.

use std::borrow::Cow;
use std::error::Error;

use ::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Body;
use super::request_id::RequestId;
use crate::log;

mod code;

pub(crate) use code::{Code, Retry};

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
const CHALLENGE: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="metapaas", Basic realm="metapaas", charset="UTF-8""#);

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// A failure, as told to a client. Boxed, because a success should not pay for its size.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    detail: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    retry: Retry,
    rate_limit: Option<RateLimit>,
    /// The methods of a path that does not have the one that was used.
    allow: Option<Cow<'static, str>>,
    /// The values that the sentence names.
    members: Map<String, Value>,
    /// The operation that it ended.
    operation_id: Option<String>,
    /// Why it came to this. For the log alone.
    cause: Option<String>,
}

/// Marks an answer whose failure is already in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logged;

/// A limit that a caller has reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimit {
    /// Requests at once.
    pub(crate) requests_max: u32,
    /// When there may be one more.
    pub(crate) reset_s: u32,
}

/// What is wrong with one field of a request.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FieldError {
    /// The field, as a JSON pointer.
    pub(crate) pointer: String,
    /// The name of the code that a problem with this field alone would have, or a code of the plugin's.
    pub(crate) code: Cow<'static, str>,
    /// What is wrong with it.
    pub(crate) message: String,
}

/// The members of a problem, in the order in which they are written.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'static str,
    errors: &'a [FieldError],
    hint: &'a str,
    retryable: bool,
    request_id: Option<&'a str>,
    operation_id: Option<&'a str>,
    message: &'a str,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

/// A code as `GET /v1/problems` lists it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProblemCode")]
pub(crate) struct Listed {
    r#type: String,
    code: &'static str,
    status: u16,
    title: &'static str,
    hint: &'static str,
    retryable: bool,
}

impl Problem {
    /// A problem that says `detail`.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            hint: None,
            errors: Vec::new(),
            retry: code.spec().retry,
            rate_limit: None,
            allow: None,
            members: Map::new(),
            operation_id: None,
            cause: None,
        }))
    }

    /// A path that has other methods than the one that was used.
    pub(crate) fn method_not_allowed(allow: impl Into<Cow<'static, str>>) -> Self {
        let allow = allow.into();
        let detail = format!("This path has the methods {allow}.");
        let mut problem = Self::new(Code::MethodNotAllowed, detail);
        problem.0.allow = Some(allow);
        problem
    }

    /// Says what to do next better than the code does.
    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Names what is wrong with one field.
    pub(crate) fn field(mut self, error: FieldError) -> Self {
        self.0.errors.push(error);
        self
    }

    /// Says when to try again better than the code does.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry = Retry::After(seconds);
        self
    }

    /// Says which limit was reached.
    pub(crate) fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.0.rate_limit = Some(limit);
        self
    }

    /// Adds a value that the sentence names as a member of its own.
    pub(crate) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// Names the operation that it is about.
    pub(crate) fn operation(mut self, id: impl Into<String>) -> Self {
        self.0.operation_id = Some(id.into());
        self
    }

    /// Keeps why it came to this, for the log alone.
    pub(crate) fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        self.0.cause = Some(log::chain(error).to_string());
        self
    }

    /// Its code.
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// The answer to the request `id` for the path `instance`. Logs what is no fault of the caller's.
    pub(crate) fn into_response(self, instance: &str, id: &RequestId) -> Response<Body> {
        let document = self.document(instance, Some(id.as_str()));
        let mut response = Response::new(Body::from(document));
        *response.status_mut() = self.code().spec().status;
        self.write_headers(response.headers_mut());
        if response.status().is_server_error() {
            self.log(instance, id);
            response.extensions_mut().insert(Logged);
        }
        response
    }

    fn log(&self, instance: &str, id: &RequestId) {
        let Parts { code, detail, cause, .. } = &*self.0;
        tracing::warn!(request_id = %id, %code, path = instance, cause, "{detail}");
    }

    /// It as JSON text; without a request id where no request was read.
    pub(crate) fn document(&self, instance: &str, request_id: Option<&str>) -> Bytes {
        let document = self.members(instance, request_id);
        serde_json::to_vec(&document).expect("a problem is strings, numbers and JSON values").into()
    }

    /// It as a part of another document.
    pub(crate) fn value(&self, instance: &str, request_id: Option<&str>) -> Value {
        let document = self.members(instance, request_id);
        serde_json::to_value(document).expect("a problem is strings, numbers and JSON values")
    }

    fn members<'a>(&'a self, instance: &'a str, request_id: Option<&'a str>) -> Document<'a> {
        let Parts {
            code,
            detail,
            hint,
            errors,
            retry,
            rate_limit: _,
            allow: _,
            members,
            operation_id,
            cause: _,
        } = &*self.0;
        let spec = code.spec();
        Document {
            r#type: code.type_path(),
            title: spec.title,
            status: spec.status.as_u16(),
            detail,
            instance,
            code: spec.name,
            errors,
            hint: hint.as_deref().unwrap_or(spec.hint),
            retryable: *retry != Retry::Never,
            request_id,
            operation_id: operation_id.as_deref(),
            message: detail,
            members,
        }
    }

    fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Retry::After(seconds) = self.0.retry {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(RateLimit { requests_max, reset_s }) = self.0.rate_limit {
            headers.insert(RATE_LIMIT, requests_max.into());
            headers.insert(RATE_REMAINING, 0.into());
            headers.insert(RATE_RESET, reset_s.into());
        }
        if let Some(allow) = &self.0.allow {
            let methods = HeaderValue::from_str(allow).expect("methods are tokens");
            headers.insert(ALLOW, methods);
        }
        if self.code() == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
    }
}

impl Listed {
    /// How `code` is listed.
    pub(crate) fn of(code: Code) -> Self {
        let spec = code.spec();
        Self {
            r#type: code.type_path(),
            code: spec.name,
            status: spec.status.as_u16(),
            title: spec.title,
            hint: spec.hint,
            retryable: spec.retry != Retry::Never,
        }
    }
}

#[cfg(test)]
mod tests;

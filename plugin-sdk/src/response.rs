//! An answer, and what can be turned into one.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::stream_body::ChunkStream;
use crate::upgrade::OnStream;

/// An answer to a request.
#[derive(Debug)]
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Body,
}

/// The body of an answer. Whole bodies keep the memory that the author made them in.
pub(crate) enum Body {
    Empty,
    Owned(Vec<u8>),
    Shared(Bytes),
    Stream(ChunkStream),
    /// No body: the connection becomes a stream and is given to this function.
    Upgrade(OnStream),
}

impl Body {
    /// The bytes of a body that is all there; `None` for one that takes time.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        match self {
            Self::Empty => Some(&[]),
            Self::Owned(bytes) => Some(bytes),
            Self::Shared(bytes) => Some(bytes),
            Self::Stream(_) | Self::Upgrade(_) => None,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Owned(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Shared(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Upgrade(_) => f.write_str("Upgrade"),
        }
    }
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    pub(crate) fn with_body(content_type: &'static str, body: Body) -> Self {
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { status: StatusCode::OK, headers, body }
    }

    /// Changes the status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets a header field, in place of all of that name.
    ///
    /// # Panics
    /// When the name or value cannot stand in a header; give them as [`HeaderName`] and [`HeaderValue`]
    /// when they come from a client.
    #[must_use]
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: fmt::Debug>,
        V: TryInto<HeaderValue, Error: fmt::Debug>,
    {
        let name = name.try_into().expect("the name of a header field is a token");
        let value = value.try_into().expect("the value of a header field has no line breaks");
        self.headers.retain(|(each, _value)| *each != name);
        self.headers.push((name, value));
        self
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// What a handler may give as its answer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an answer",
    note = "answers are `Json<_>`, text, bytes, `StatusCode`, `StreamBody`, `Problem`, `Response`, tuples `(StatusCode, _)` and `Result`s of those"
)]
pub trait IntoResponse {
    /// Makes the answer.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for Infallible {
    fn into_response(self) -> Response {
        match self {}
    }
}

/// 204.
impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::new(StatusCode::NO_CONTENT)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        Response::new(self)
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const OCTETS: &str = "application/octet-stream";

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::with_body(TEXT, Body::Shared(Bytes::from_static(self.as_bytes())))
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::with_body(TEXT, Body::Owned(self.into_bytes()))
    }
}

impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Response {
        match self {
            Cow::Borrowed(text) => text.into_response(),
            Cow::Owned(text) => text.into_response(),
        }
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::with_body(OCTETS, Body::Owned(self))
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::with_body(OCTETS, Body::Shared(self))
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(answer) => answer.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<N, V, T, const COUNT: usize> IntoResponse for (StatusCode, [(N, V); COUNT], T)
where
    N: TryInto<HeaderName, Error: fmt::Debug>,
    V: TryInto<HeaderValue, Error: fmt::Debug>,
    T: IntoResponse,
{
    fn into_response(self) -> Response {
        let (status, headers, answer) = self;
        (headers, answer).into_response().with_status(status)
    }
}

impl<N, V, T, const COUNT: usize> IntoResponse for ([(N, V); COUNT], T)
where
    N: TryInto<HeaderName, Error: fmt::Debug>,
    V: TryInto<HeaderValue, Error: fmt::Debug>,
    T: IntoResponse,
{
    fn into_response(self) -> Response {
        let (headers, answer) = self;
        let response = answer.into_response();
        headers
            .into_iter()
            .fold(response, |response, (name, value)| response.with_header(name, value))
    }
}

//! Connection upgrades: the end of HTTP on a connection and the beginning of something else.

use http::StatusCode;
use http::header::{CONNECTION, HeaderValue, UPGRADE};

use crate::caught::BoxFuture;
use crate::problem::Problem;
use crate::request::{FromRequestParts, Request};
use crate::response::{Body, Response};
use crate::stream::UpgradedStream;

/// What to do with the stream that a connection becomes.
pub(crate) type OnStream = Box<dyn FnOnce(UpgradedStream) -> BoxFuture<()> + Send + Sync>;

/// The client asks to speak another protocol on this connection.
///
/// As an argument it refuses requests that do not ask with 426. WebSockets have an argument of their own.
#[derive(Debug)]
pub struct Upgrade {
    protocol: HeaderValue,
}

impl Upgrade {
    /// The protocol, or protocols, that the client wants.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.protocol.to_str().unwrap_or_default()
    }

    /// Agrees to speak `protocol`; then `speak` gets the connection.
    ///
    /// It runs as a task of its own, is awaited when the generation stops and dropped at the deadline: a
    /// conversation without an end watches [`Context::stopping`](crate::Context::stopping).
    ///
    /// # Panics
    /// When `protocol` cannot stand in a header.
    pub fn accept<F, Speaking>(self, protocol: &str, speak: F) -> Response
    where
        F: FnOnce(UpgradedStream) -> Speaking + Send + Sync + 'static,
        Speaking: Future<Output = ()> + Send + 'static,
    {
        let on_stream: OnStream = Box::new(move |stream| Box::pin(speak(stream)));
        Response {
            status: StatusCode::SWITCHING_PROTOCOLS,
            headers: vec![(CONNECTION, HeaderValue::from_static("upgrade"))],
            body: Body::Upgrade(on_stream),
        }
        .with_header(UPGRADE, protocol)
    }

    /// Reads the wish; `header` looks a field of the request up.
    pub(crate) fn of_headers<'h>(
        header: impl Fn(&str) -> Option<&'h [u8]>,
    ) -> Result<Self, Problem> {
        let asks = header("connection").is_some_and(has_upgrade);
        let protocol = header("upgrade").and_then(|it| HeaderValue::from_bytes(it).ok());
        protocol.filter(|_protocol| asks).map(|protocol| Self { protocol }).ok_or_else(|| {
            let detail = "this route needs a connection upgrade";
            Problem::new(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", detail)
                .hint("send the header fields `connection: upgrade` and `upgrade`")
        })
    }
}

impl<P> FromRequestParts<P> for Upgrade {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        Self::of_headers(|name| request.header(name))
    }
}

fn has_upgrade(connection: &[u8]) -> bool {
    let mut tokens = connection.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade"))
}

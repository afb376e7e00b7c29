//! A client that asks one thing on a connection of its own and shows the answer when it is not the wanted one.
//!
//! It deliberately keeps no connections: what a test asks must not depend on what it asked before.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

/// Asks one server, with one token or none.
#[derive(Debug, Clone)]
pub struct Client {
    /// The server.
    pub address: SocketAddr,
    /// Sent with every request.
    pub token: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The request, for messages.
    asked: String,
    /// The status.
    pub status: StatusCode,
    /// The header.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Client {
    /// `GET path`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Self::request(Method::GET, path, &[], Bytes::new())).await
    }

    /// `GET path` of a server that may be gone.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn try_get(&self, path: &str) -> anyhow::Result<Reply> {
        self.try_send(Self::request(Method::GET, path, &[], Bytes::new())).await
    }

    /// `DELETE path`, with these header fields.
    pub async fn delete(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.send(Self::request(Method::DELETE, path, fields, Bytes::new())).await
    }

    /// `PUT path` of a JSON document, with these header fields.
    pub async fn put(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        document: &serde_json::Value,
    ) -> Reply {
        self.send(Self::document(Method::PUT, path, fields, document)).await
    }

    /// `POST path` of a JSON document, with these header fields.
    pub async fn post(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        document: &serde_json::Value,
    ) -> Reply {
        self.send(Self::document(Method::POST, path, fields, document)).await
    }

    /// A request with a JSON document, to be sent by [`Client::send`] or [`Client::try_send`].
    ///
    /// # Panics
    /// When the path or a field is not one.
    #[must_use]
    pub fn document(
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        document: &serde_json::Value,
    ) -> Request<Full<Bytes>> {
        let mut request = Self::request(method, path, fields, document.to_string().into());
        let json = "application/json".parse().expect("it is a header value");
        request.headers_mut().insert(CONTENT_TYPE, json);
        request
    }

    /// A request to be sent by [`Client::send`].
    ///
    /// # Panics
    /// When the path or a field is not one.
    #[must_use]
    pub fn request(
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body)).expect("a test asks what can be asked")
    }

    /// Sends a request and waits for the end of its answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let asked = format!("{} {}", request.method(), request.uri());
        self.try_send(request).await.unwrap_or_else(|error| panic!("{asked}: no answer: {error:#}"))
    }

    /// Sends a request and waits for the end of its answer, which may not come.
    ///
    /// # Errors
    /// When there is none.
    pub async fn try_send(&self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
        let asked = format!("{} {}", request.method(), request.uri());
        let headers = request.headers_mut();
        headers.insert(HOST, self.address.to_string().parse()?);
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
        }
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Reply { asked, status: head.status, headers: head.headers, body })
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The connection may end first, with the answer already received.
            _ended = connection => answer.await,
        }
    }
}

impl Reply {
    /// This very reply, if its status is `wanted`.
    ///
    /// # Panics
    /// If it is not; shows the body.
    #[must_use]
    #[track_caller]
    pub fn expect(self, wanted: u16) -> Self {
        let Self { asked, status, .. } = &self;
        assert_eq!(status.as_u16(), wanted, "{asked}: answered {status}: {}", self.text());
        self
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as a document.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{}: answered what is not the wanted JSON ({error}): {}",
                self.asked,
                self.text()
            )
        })
    }
}

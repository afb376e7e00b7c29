//! WebSockets: messages in both directions on an upgraded connection.

use std::fmt;

use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use http::header::{HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
pub use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
pub use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use crate::problem::Problem;
use crate::request::{FromRequestParts, Request};
use crate::response::Response;
use crate::stream::UpgradedStream;
use crate::upgrade::Upgrade;

/// The only version of the protocol there is.
const VERSION: &[u8] = b"13";

/// The client asks for a WebSocket.
///
/// ```
/// use plugin_sdk::{Response, WebSocket};
///
/// async fn echo(web_socket: WebSocket) -> Response {
///     web_socket.accept(|mut socket| async move {
///         while let Some(Ok(message)) = socket.receive().await {
///             if socket.send(message).await.is_err() {
///                 return;
///             }
///         }
///     })
/// }
/// ```
#[derive(Debug)]
pub struct WebSocket {
    upgrade: Upgrade,
    accept_key: HeaderValue,
    /// What the client offers, as it came.
    offered: Option<HeaderValue>,
    chosen: Option<HeaderValue>,
    config: WebSocketConfig,
}

impl WebSocket {
    /// Chooses the first of `protocols` that the client offers, if there is one.
    #[must_use]
    pub fn protocols(mut self, protocols: &[&'static str]) -> Self {
        let offered = self.offered.as_ref().and_then(|it| it.to_str().ok()).unwrap_or_default();
        let is_offered = |name: &&&str| offered.split(',').any(|it| it.trim() == **name);
        let chosen = protocols.iter().find(is_offered);
        self.chosen = chosen.map(|name| HeaderValue::from_static(name));
        self
    }

    /// The subprotocol that was chosen.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.chosen.as_ref().and_then(|it| it.to_str().ok())
    }

    /// Sets limits of messages and frames.
    #[must_use]
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.config = config;
        self
    }

    /// Agrees; then `speak` gets the socket. It is a task as with [`Upgrade::accept`].
    pub fn accept<F, Speaking>(self, speak: F) -> Response
    where
        F: FnOnce(Socket) -> Speaking + Send + Sync + 'static,
        Speaking: Future<Output = ()> + Send + 'static,
    {
        let Self { upgrade, accept_key, offered: _, chosen, config } = self;
        let response = upgrade.accept("websocket", move |stream| async move {
            let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config));
            speak(Socket(stream.await)).await;
        });
        let response = response.with_header(SEC_WEBSOCKET_ACCEPT, accept_key);
        match chosen {
            Some(chosen) => response.with_header(SEC_WEBSOCKET_PROTOCOL, chosen),
            None => response,
        }
    }

    /// Reads the handshake; `header` looks a field of the request up.
    pub(crate) fn of_headers<'h>(
        upgrade: Upgrade,
        header: impl Fn(&str) -> Option<&'h [u8]>,
    ) -> Result<Self, Problem> {
        if !upgrade.protocol().eq_ignore_ascii_case("websocket") {
            return Err(refused(format!("`{}` is not `websocket`", upgrade.protocol())));
        }
        if header("sec-websocket-version") != Some(VERSION) {
            return Err(refused("`sec-websocket-version` is not 13".to_owned()));
        }
        let key = header("sec-websocket-key")
            .ok_or_else(|| refused("`sec-websocket-key` is missing".to_owned()))?;
        let accept_key = HeaderValue::from_str(&derive_accept_key(key))
            .expect("an accept key consists of letters, digits, `+`, `/` and `=`");
        let offered = header("sec-websocket-protocol");
        let offered = offered.and_then(|it| HeaderValue::from_bytes(it).ok());
        let config = WebSocketConfig::default();
        Ok(Self { upgrade, accept_key, offered, chosen: None, config })
    }
}

impl<P> FromRequestParts<P> for WebSocket {
    fn from_request_parts(request: &Request<P>) -> Result<Self, Problem> {
        let upgrade = Upgrade::from_request_parts(request)?;
        Self::of_headers(upgrade, |name| request.header(name))
    }
}

fn refused(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_WEBSOCKET_HANDSHAKE", detail)
}

/// A WebSocket, open until it is dropped or either side closes it.
///
/// Pings are answered while messages are received.
pub struct Socket<S = UpgradedStream>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// The next text or binary message; `None` when the peer has closed the socket, which is answered.
    ///
    /// # Errors
    /// When the peer breaks the protocol or the connection.
    ///
    /// # Cancellation
    /// No message is lost when the future is dropped.
    pub async fn receive(&mut self) -> Option<Result<Message, WebSocketError>> {
        loop {
            match self.0.next().await? {
                Ok(Message::Close(_reason)) => {
                    // The answer is queued; when it cannot be sent, the peer is gone already.
                    let _gone = self.0.flush().await;
                    return None;
                }
                // Pings are answered by the next read, and pongs were asked for by nobody.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                message => return Some(message),
            }
        }
    }

    /// Sends a message and waits until the connection has taken it.
    ///
    /// # Errors
    /// When the socket is closed or the connection breaks.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.0.send(message.into()).await
    }

    /// Says that this was all, and why.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub async fn close(&mut self, reason: Option<CloseFrame>) -> Result<(), WebSocketError> {
        self.0.close(reason).await
    }
}

#[cfg(feature = "testing")]
impl Socket<tokio::io::DuplexStream> {
    /// The client's end, for tests.
    pub(crate) async fn of_client(stream: tokio::io::DuplexStream) -> Self {
        Self(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }
}

impl<S> fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

//! WebSockets.

use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::json;
use plugin_sdk::testing;
use plugin_sdk::web_socket::Message;

struct Echo;

#[plugin(element = "echo", types = ["echo"])]
impl Plugin for Echo {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn router() -> Router<Self> {
        Router::new().get("/echo", echo)
    }
}

async fn echo(web_socket: WebSocket) -> Response {
    web_socket.protocols(&["shout", "echo"]).accept(|mut socket| async move {
        while let Some(Ok(message)) = socket.receive().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

#[plugin_sdk::test]
async fn messages_come_back_whatever_their_kind_and_size() {
    let plugin = testing::start::<Echo>(json!({})).await.unwrap();
    let mut socket = plugin.web_socket("/echo").await.unwrap();
    for message in [
        Message::text("hello"),
        Message::binary(vec![7; 10]),
        Message::binary(vec![7; 500_000]),
        Message::text(""),
    ] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.receive().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    assert!(socket.receive().await.is_none());
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn the_handshake_is_answered_and_a_wrong_one_refused() {
    let plugin = testing::start::<Echo>(json!({})).await.unwrap();
    let request = || {
        plugin
            .request("GET", "/echo")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
    };
    let right = request()
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "chat, echo, shout");
    let answer = right.send().await;
    assert_eq!(answer.status(), 101);
    // The example of RFC 6455.
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("sec-websocket-protocol"), Some("shout"));
    for (wrong, wanted) in [
        (request(), "`sec-websocket-version` is not 13"),
        (request().header("sec-websocket-version", "13"), "`sec-websocket-key` is missing"),
    ] {
        let answer = wrong.send().await;
        assert_eq!(answer.status(), 400);
        let text = answer.text().await;
        assert!(text.contains(wanted), "{text}");
    }
    assert_eq!(plugin.get("/echo").await.status(), 426);
}

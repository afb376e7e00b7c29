//! Greets people, ticks, and echoes.
#![forbid(unsafe_code)]

use std::time::Duration;

use plugin_sdk::prelude::*;

struct Hello;

#[plugin(element = "hello", types = ["hello"])]
impl Plugin for Hello {
    async fn start(_: Context, _: NoSettings) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn router() -> Router<Self> {
        Router::new().get("/greet/{name}", greet).get("/ticks", ticks).get("/echo", echo)
    }
}

async fn greet(Path(name): Path<String>) -> Json<[String; 2]> {
    Json(["hello".to_owned(), name])
}

async fn ticks(context: Context) -> StreamBody {
    StreamBody::written(|body| async move {
        while context.sleep(Duration::from_secs(1)).await {
            body.send("tick\n").await?;
        }
        Ok(())
    })
}

async fn echo(web_socket: WebSocket) -> Response {
    web_socket.accept(|mut socket| async move {
        while let Some(Ok(message)) = socket.receive().await {
            let Ok(()) = socket.send(message).await else { break };
        }
    })
}

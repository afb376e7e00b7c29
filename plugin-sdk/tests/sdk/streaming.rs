//! Bodies and connections that take time.

use std::sync::atomic::{AtomicUsize, Ordering};

use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::json;
use plugin_sdk::tokio::io::{AsyncReadExt, AsyncWriteExt};
use plugin_sdk::{BodyStream, Incoming, Upgrade, testing};

#[derive(Default)]
struct Streaming {
    n_made: AtomicUsize,
}

#[plugin(element = "streaming", types = ["streaming"])]
impl Plugin for Streaming {
    async fn start(_context: Context, _settings: NoSettings) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    fn router() -> Router<Self> {
        Router::new()
            .get("/numbers", numbers)
            .get("/n-made", |it: State<Self>| async move {
                it.n_made.load(Ordering::Relaxed).to_string()
            })
            .get("/broken", broken)
            .get("/unfinished", unfinished)
            .get("/sent", sent)
            .get("/written/{how}", written)
            .post("/echo", |body: BodyStream| async { StreamBody::new(body) })
            .post("/count", count)
            .get("/shout", shout)
            .listener("parrot", parrot)
            .listener("silent", |incoming: Incoming| async move { drop(incoming) })
    }
}

struct Numbers(State<Streaming>);

impl futures_core::Stream for Numbers {
    type Item = Result<String, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let number = self.0.n_made.fetch_add(1, Ordering::Relaxed) + 1;
        std::task::Poll::Ready((number <= 5).then(|| Ok(format!("{number} "))))
    }
}

async fn numbers(it: State<Streaming>) -> StreamBody {
    StreamBody::new(Numbers(it)).content_type("text/plain")
}

async fn broken(context: Context) -> StreamBody {
    let (sender, body) = StreamBody::channel(2);
    context.spawn("half", async move {
        // The reader waits for it.
        let _closed = sender.send("half of it").await;
    });
    body
}

async fn unfinished() -> StreamBody {
    StreamBody::channel(1).1
}

async fn sent(context: Context) -> StreamBody {
    let (sender, body) = StreamBody::channel(1);
    context.spawn("sender", async move {
        for word in ["one ", "two ", "three"] {
            if sender.send(word).await.is_err() {
                return;
            }
        }
        sender.finish().await;
    });
    body
}

async fn written(Path(how): Path<String>) -> StreamBody {
    StreamBody::written(move |body| async move {
        for word in ["one ", "two ", "three"] {
            body.send(word).await?;
            tokio::task::yield_now().await;
        }
        if how == "badly" { Err("out of words".into()) } else { Ok(()) }
    })
}

async fn count(mut body: BodyStream) -> Result<String, Problem> {
    let (mut n_chunks, mut n_bytes) = (0, 0);
    while let Some(chunk) = body.next().await {
        n_bytes += chunk?.len();
        n_chunks += 1;
    }
    Ok(format!("{n_bytes} bytes in {n_chunks} chunks"))
}

async fn shout(upgrade: Upgrade) -> Response {
    upgrade.accept("shout", |mut stream| async move {
        let mut bytes = [0; 64];
        while let Ok(n_bytes @ 1..) = stream.read(&mut bytes).await {
            let loud = bytes[..n_bytes].to_ascii_uppercase();
            if stream.write_all(&loud).await.is_err() {
                return;
            }
        }
    })
}

async fn parrot(_: State<Streaming>, mut incoming: Incoming) {
    let hello = format!("{} {:?}\n", incoming.listener, incoming.peer);
    let stream = &mut incoming.stream;
    if stream.write_all(hello.as_bytes()).await.is_ok() {
        let (mut reader, mut writer) = tokio::io::split(stream);
        // A client that goes ends the conversation.
        let _n_bytes = tokio::io::copy(&mut reader, &mut writer).await;
    }
}

async fn start() -> testing::TestPlugin {
    testing::start::<Streaming>(json!({})).await.expect("it starts")
}

#[plugin_sdk::test]
async fn the_next_chunk_is_made_when_the_one_before_has_been_taken() {
    let plugin = start().await;
    let mut answer = plugin.get("/numbers").await;
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    for n_taken in 0..5 {
        // Each of these requests gives the stream a turn that it must not use.
        for _turn in 0..3 {
            let n_made: usize = plugin.get("/n-made").await.text().await.parse().unwrap();
            assert!(n_made <= n_taken + 1, "{n_made} made, {n_taken} taken");
        }
        let chunk = answer.chunk().await.unwrap().unwrap();
        assert_eq!(chunk, format!("{} ", n_taken + 1));
    }
    assert_eq!(answer.chunk().await, Ok(None));
}

#[plugin_sdk::test]
async fn a_body_that_breaks_off_is_never_taken_for_whole() {
    let plugin = start().await;
    let mut answer = plugin.get("/broken").await;
    assert_eq!(answer.chunk().await.unwrap().as_deref(), Some(&b"half of it"[..]));
    assert_eq!(answer.chunk().await.unwrap_err().0, testing::EndOutcome::Broken);
    let mut answer = plugin.get("/unfinished").await;
    assert_eq!(answer.chunk().await.unwrap_err().0, testing::EndOutcome::Broken);
}

#[plugin_sdk::test]
async fn a_body_can_be_written_by_a_task() {
    let plugin = start().await;
    assert_eq!(plugin.get("/sent").await.text().await, "one two three");
    assert_eq!(plugin.get("/written/well").await.text().await, "one two three");
    let mut badly = plugin.get("/written/badly").await;
    for word in ["one ", "two ", "three"] {
        assert_eq!(badly.chunk().await.unwrap().unwrap(), word);
    }
    assert_eq!(badly.chunk().await.unwrap_err().0, testing::EndOutcome::Broken);
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn bodies_of_any_size_go_through_in_chunks() {
    let plugin = start().await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let echo = plugin.request("POST", "/echo").body(body.clone()).send().await;
    assert_eq!(echo.bytes().await, body);
    let count = plugin.request("POST", "/count").body(body).send().await;
    assert_eq!(count.text().await, "3000000 bytes in 12 chunks");
    let whole = plugin.request("POST", "/count").body("small").send().await;
    assert_eq!(whole.text().await, "5 bytes in 1 chunks");
    let empty = plugin.request("POST", "/count").send().await;
    assert_eq!(empty.text().await, "0 bytes in 0 chunks");
}

#[plugin_sdk::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let plugin = start().await;
    let mut stream = plugin.upgrade("/shout", "shout").await.unwrap();
    for word in ["hello", "you"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut loud = vec![0; word.len()];
        stream.read_exact(&mut loud).await.unwrap();
        assert_eq!(loud, word.to_ascii_uppercase().as_bytes());
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(plugin.stop().await.is_clean());
}

#[plugin_sdk::test]
async fn a_request_that_asks_for_no_upgrade_is_told_to() {
    let plugin = start().await;
    let answer = plugin.get("/shout").await;
    assert_eq!(answer.status(), 426);
    assert!(answer.text().await.contains("UPGRADE_REQUIRED"));
}

#[plugin_sdk::test]
async fn connections_of_a_listener_are_served() {
    let plugin = start().await;
    let mut stream = plugin.connect("parrot");
    stream.write_all(b"polly").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "parrot Some(127.0.0.1:40000)\npolly");
    let mut silent = plugin.connect("silent");
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(plugin.stop().await.is_clean());
}

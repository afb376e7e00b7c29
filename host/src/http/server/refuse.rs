//! What happens to a connection over the limit: a fixed 503, then the end.
//!
//! The answer goes out before anything is read; the socket is then drained for a moment, because closing it with
//! unread bytes would reset the connection and take the answer with it. At most [`AT_A_TIME`] are turned away so
//! politely; beyond that they are closed at once.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::Transport;
use super::{Shared, secure};
use crate::http::problem::{Code, Problem, Retry};
use crate::metrics::Refused;

/// Connections that are turned away with an answer at the same time.
pub(super) const AT_A_TIME: usize = 64;
/// How long a client that is turned away may keep its socket.
const PATIENCE: Duration = Duration::from_secs(1);

/// The whole answer, head included. Made once: it must cost least when the daemon is busiest.
static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let code = Code::ConnectionLimit.spec();
    let seconds = match code.retry {
        Retry::After(seconds) => seconds,
        Retry::Never => 0,
    };
    let problem = Problem::new(Code::ConnectionLimit, "The daemon has no room for a connection.");
    let body = problem.document("/", None);
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\nretry-after: {seconds}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        code.status,
        body.len()
    );
    [head.as_bytes(), &body].concat()
});

/// Turns a connection away.
pub(super) fn over_limit<A: Send + Sync + 'static>(stream: TcpStream, shared: &Arc<Shared<A>>) {
    shared.metrics.refused(Refused::ConnectionLimit);
    let Ok(turn) = Arc::clone(&shared.refusals).try_acquire_owned() else { return };
    let of = Arc::clone(shared);
    shared.tasks.spawn("refusal", async move {
        let _turn = turn;
        let telling = async {
            match secure(stream, &of).await {
                Some(Transport::Plain(mut stream)) => tell(&mut stream).await,
                Some(Transport::Secure(mut stream)) => tell(&mut stream).await,
                None => Ok(()),
            }
        };
        if !matches!(timeout(PATIENCE, telling).await, Ok(Ok(()))) {
            tracing::debug!("a connection over the limit ended before it was told so");
        }
    });
}

async fn tell(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    stream.write_all(&ANSWER).await?;
    stream.shutdown().await?;
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

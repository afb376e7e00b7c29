//! One connection's work: exchange after exchange, each judged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::candidates::Candidates;
use super::connection::Connection;
use super::fault::Fault;
use super::head::{self, Framing, Head, Websocket};
use super::pace::Pacer;
use super::script::{Exchange, Message, Script, Shape};
use super::serving::Serving;
use super::tally::Tally;
use super::websocket::{self, Frame};

/// The longest that one exchange may take: longer than the daemon's own deadlines.
const EXCHANGE_TIME_MAX: Duration = Duration::from_secs(40);

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) address: SocketAddr,
    pub(super) script: Arc<Script>,
    pub(super) serving: Arc<Serving>,
    pub(super) pacer: Arc<Pacer>,
}

impl Worker {
    /// Works until the run is over.
    pub(super) async fn work(self) -> Tally {
        let mut tally = Tally::new(self.script.name);
        let mut kept = None;
        while let Some(due) = self.pacer.next().await {
            let exchange = self.exchange(&mut kept, &mut tally);
            let done = timeout(EXCHANGE_TIME_MAX, exchange).await;
            let seconds = EXCHANGE_TIME_MAX.as_secs();
            match done.unwrap_or(Err(Fault::TimedOut { seconds })) {
                Ok(()) => tally.right(due.elapsed()),
                Err(fault) => {
                    tally.fault(&fault);
                    kept = None;
                    // A server that refuses at once must not turn the run into a busy loop.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        tally
    }

    /// One request on the kept connection, or on a new one.
    async fn exchange(
        &self,
        kept: &mut Option<Connection>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                tally.n_connections += 1;
                Connection::open(self.address).await?
            }
        };
        let (sent, sent_at) = (self.serving.moment(), Instant::now());
        connection.send(&self.script.request).await?;
        let head = connection.head().await?;
        let (version, after) = match &self.script.exchange {
            Exchange::Answer { answers, shape, time_min } => {
                let version = answer(&mut connection, head, answers, *shape).await?;
                not_too_soon(sent_at.elapsed(), *time_min)?;
                (version, head.connection)
            }
            Exchange::Echo { messages } => {
                (echo(&mut connection, head, messages).await?, head::Connection::Closed)
            }
        };
        if !self.serving.admits(sent, version) {
            return Err(Fault::Version { version });
        }
        *kept = match after {
            head::Connection::Kept => Some(connection),
            head::Connection::Closed => None,
        };
        Ok(())
    }
}

async fn answer(
    connection: &mut Connection,
    head: Head,
    answers: &[Vec<u8>],
    shape: Shape,
) -> Result<usize, Fault> {
    require_status(connection, head, 200).await?;
    if shape == Shape::Chunked && head.framing != Framing::Chunked {
        return Err(Fault::Malformed(format!("streamed with framing {:?}", head.framing)));
    }
    let mut candidates = Candidates::new(answers);
    connection.body(head.framing, |piece| candidates.piece(piece)).await?;
    candidates.end()
}

async fn echo(
    connection: &mut Connection,
    head: Head,
    messages: &[Message],
) -> Result<usize, Fault> {
    require_status(connection, head, 101).await?;
    if head.websocket != Websocket::Accepted {
        return Err(Fault::Malformed("a handshake without the right accept".to_owned()));
    }
    let mut first = None;
    for Message { frame, answers } in messages {
        connection.send(frame).await?;
        let mut candidates = Candidates::new(answers);
        let Frame::Text { .. } = connection.frame("message", |text| candidates.piece(text)).await?
        else {
            return Err(Fault::Malformed("a close before the last message".to_owned()));
        };
        let version = candidates.end()?;
        if *first.get_or_insert(version) != version {
            return Err(Fault::Malformed("two versions on one connection".to_owned()));
        }
    }
    connection.send(&websocket::CLOSE).await?;
    match connection.frame("close", |_| Ok(())).await? {
        Frame::Close => Ok(first.expect("a script has messages")),
        Frame::Text { .. } => Err(Fault::Malformed("a message after the close".to_owned())),
    }
}

async fn require_status(connection: &mut Connection, head: Head, wanted: u16) -> Result<(), Fault> {
    if head.status == wanted {
        return Ok(());
    }
    let body = connection.shown_body(head.framing).await;
    Err(Fault::Status { seen: head.status, wanted, body })
}

fn not_too_soon(took: Duration, time_min: Duration) -> Result<(), Fault> {
    if took >= time_min {
        return Ok(());
    }
    Err(Fault::TooSoon { seen_us: took.as_micros(), wanted_us: time_min.as_micros() })
}

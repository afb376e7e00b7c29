//! The server over real sockets: what clients see of connections, limits and the drain.

use std::time::Instant;

use ::http::StatusCode;
use bytes::Bytes;
use expect_test::expect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::http::problem::Code;
use crate::metrics::Metrics;

/// Longer than anything here takes; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// An application with a gate: `/gate` answers once it is opened, everything else at once with its path.
#[derive(Default)]
struct Gate {
    reached: Notify,
    opened: Notify,
}

impl Answer for Gate {
    async fn answer(
        &self,
        request: Request<Incoming>,
        _id: &RequestId,
        _peer: IpAddr,
    ) -> Result<Response<Body>, Problem> {
        match request.uri().path() {
            "/gate" => {
                self.reached.notify_one();
                self.opened.notified().await;
            }
            "/broken" => return Err(Problem::new(Code::Internal, "Broken.")),
            _ => {}
        }
        Ok(Response::new(Body::from(Bytes::from(request.uri().path().to_owned()))))
    }
}

struct Daemon {
    server: Server,
    address: SocketAddr,
    gate: Arc<Gate>,
    metrics: Metrics,
}

async fn start(config: Config) -> Daemon {
    let gate = Arc::new(Gate::default());
    let metrics = Metrics::new();
    let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..config };
    let listener = Listener::bind(&config).await.unwrap();
    let address = listener.local_addr();
    let (measured, app) = (metrics.http.clone(), Arc::clone(&gate));
    let server = Server::start(listener, &config, measured, Tasks::default(), app);
    Daemon { server, address, gate, metrics }
}

impl Daemon {
    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
    }

    /// Reads until what arrived ends with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let read = async {
            while !text.ends_with(end.as_bytes()) {
                let byte = self.0.read_u8().await.unwrap();
                text.push(byte);
            }
        };
        let in_time = timeout(PATIENCE, read).await.is_ok();
        let text = String::from_utf8(text).unwrap();
        assert!(in_time, "no {end:?} in {text:?}");
        text
    }

    /// Reads until the server closes.
    async fn until_closed(&mut self) -> String {
        let mut text = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut text));
        read.await.expect("the server closes the connection").unwrap();
        String::from_utf8(text).unwrap()
    }
}

fn status(answer: &str) -> StatusCode {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let daemon = start(Config::default()).await;
    let mut client = daemon.connect().await;
    for path in ["/a", "/b"] {
        client.get(path).await;
        let answer = client.until(path).await;
        assert_eq!(status(&answer), StatusCode::OK, "{answer}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let daemon = start(Config::default()).await;
    let mut client = daemon.connect().await;
    let one = |path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    client.send(&[one("/first"), one("/second"), one("/third")].concat()).await;
    for path in ["/first", "/second", "/third"] {
        let answer = client.until(path).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_request_id() {
    let daemon = start(Config::default()).await;
    let mut client = daemon.connect().await;
    client.send("GET /a HTTP/1.1\r\nhost: x\r\nx-request-id: mine\r\n\r\n").await;
    assert!(client.until("/a").await.contains("\r\nx-request-id: mine\r\n"));
    client.get("/b").await;
    let answer = client.until("/b").await;
    let made = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    assert_eq!(made.len(), uuid::fmt::Hyphenated::LENGTH);
    client.send("GET /broken HTTP/1.1\r\nhost: x\r\nx-request-id: mine\r\n\r\n").await;
    let answer = client.until("}").await;
    assert!(answer.contains(r#""request_id":"mine""#), "{answer}");
}

#[tokio::test]
async fn what_is_not_http_is_answered_with_400() {
    let daemon = start(Config::default()).await;
    for garbage in
        ["\x16\x03\x01\x02\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n"]
    {
        let mut client = daemon.connect().await;
        client.send(garbage).await;
        let answer = client.until_closed().await;
        assert_eq!(status(&answer), StatusCode::BAD_REQUEST, "{garbage:?}: {answer}");
    }
}

#[tokio::test]
async fn heads_over_the_limits_are_answered_with_431() {
    let config = Config { header_bytes_max: 8192, headers_max: 20, ..Config::default() };
    let daemon = start(config).await;
    let long = format!("x: {}\r\n", "y".repeat(8192));
    let many = "x: y\r\n".repeat(21);
    for headers in [long, many] {
        let mut client = daemon.connect().await;
        client.send(&format!("GET / HTTP/1.1\r\n{headers}\r\n")).await;
        let answer = client.until_closed().await;
        assert_eq!(status(&answer), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed() {
    let config = Config { header_read_timeout_ms: 50, ..Config::default() };
    let daemon = start(config).await;
    let mut client = daemon.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n").await;
    let since = Instant::now();
    client.until_closed().await;
    assert!(since.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_connection_over_the_limit_is_told_so_and_leaves_room_for_the_next() {
    let daemon = start(Config { connections_max: 1, ..Config::default() }).await;
    let mut first = daemon.connect().await;
    first.get("/a").await;
    first.until("/a").await;

    let mut second = daemon.connect().await;
    second.get("/b").await;
    let refusal = second.until_closed().await.replace('\r', "");
    expect![[r#"
        HTTP/1.1 503 Service Unavailable
        content-type: application/problem+json
        retry-after: 1
        connection: close
        content-length: 363

        {"type":"/v1/problems/connection-limit","title":"Too many connections","status":503,"detail":"The daemon has no room for a connection.","instance":"/","code":"CONNECTION_LIMIT","errors":[],"hint":"Close idle connections, or raise `http.connections_max`.","retryable":true,"request_id":null,"operation_id":null,"message":"The daemon has no room for a connection."}"#]].assert_eq(&refusal);
    let metrics = daemon.metrics.text().unwrap();
    assert!(metrics.contains("http_refused_total{reason=\"connection_limit\"} 1"), "{metrics}");
    assert!(metrics.contains("http_connections 1\n"), "{metrics}");

    first.send("GET /c HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    first.until_closed().await;
    let answered = async {
        loop {
            let mut third = daemon.connect().await;
            third.send("GET /d HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
            if status(&third.until_closed().await) == StatusCode::OK {
                return;
            }
        }
    };
    timeout(PATIENCE, answered).await.expect("the place of the first becomes free");
}

#[tokio::test]
async fn a_drain_finishes_the_answer_under_way_and_takes_no_more() {
    let Daemon { server, address, gate, .. } = start(Config::default()).await;
    let connect = || async { Client(TcpStream::connect(address).await.unwrap()) };
    let (mut idle, mut busy) = (connect().await, connect().await);
    idle.get("/a").await;
    idle.until("/a").await;
    busy.get("/gate").await;
    gate.reached.notified().await;

    let clients = async {
        assert_eq!(idle.until_closed().await, "", "an idle connection is closed");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
        gate.opened.notify_one();
        let answer = busy.until_closed().await;
        assert_eq!(status(&answer), StatusCode::OK, "{answer}");
        assert!(answer.contains("connection: close") && answer.ends_with("/gate"), "{answer}");
    };
    let (outcome, ()) = tokio::join!(server.drain(PATIENCE), clients);
    assert_eq!(outcome, Outcome::Clean);
}

#[tokio::test]
async fn a_drain_cuts_off_what_is_left_at_the_deadline() {
    let Daemon { server, address, gate, metrics } = start(Config::default()).await;
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    client.get("/gate").await;
    gate.reached.notified().await;
    let outcome = server.drain(Duration::from_millis(20)).await;
    assert_eq!(outcome, Outcome::Abandoned([("connection", 1)].into()));
    assert_eq!(client.until_closed().await, "");
    assert!(metrics.text().unwrap().contains("http_connections 0\n"));
}

#[tokio::test]
async fn answers_are_counted() {
    let daemon = start(Config::default()).await;
    let mut client = daemon.connect().await;
    client.get("/a").await;
    client.until("/a").await;
    client.get("/broken").await;
    client.until("}").await;
    let metrics = daemon.metrics.text().unwrap();
    for class in ["2xx", "5xx"] {
        let line = format!("http_requests_total{{status_class=\"{class}\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

//! The load generator sees what is wrong: its checks can fail.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use metapaas_tests::load::{Crew, Load, Pace, Plan, Script, Serving, Tally};
use metapaas_tests::places;
use metapaas_tests::process::Server;

const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];
const SHORT: Duration = Duration::from_millis(200);

/// What a canned server does after it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Close,
}

/// A server that gives the same bytes to every request.
fn canned(answer: String, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), answer.clone());
            thread::spawn(move || answer_all(stream, &answer, then));
        }
    });
    address
}

/// Ends with the connection.
fn answer_all(mut stream: TcpStream, answer: &str, then: Then) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        while !lines.next()?.ok()?.is_empty() {}
        stream.write_all(answer.as_bytes()).ok()?;
        if then == Then::Close {
            return None;
        }
    }
}

fn whole(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn chunked(chunks: &[&str]) -> String {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |chunk: &&str| format!("{:x}\r\n{chunk}\r\n", chunk.len());
    head.to_owned() + &chunks.iter().map(chunk).collect::<String>()
}

async fn run(address: SocketAddr, script: Script) -> Tally {
    let crews = vec![Crew::new(script, 2)];
    let serving = Arc::new(Serving::new(&[1]));
    let plan =
        Plan { address, crews, serving, pace: Pace::Saturating, n_threads: 1, time_max: SHORT };
    Load::start(plan).run_out().await.total()
}

const FIRST: &str = "chunk 0 of 2 from 0.2.0\n";
const SECOND: &str = "chunk 1 of 2 from 0.2.0\n";

#[tokio::test]
async fn every_kind_of_wrong_answer_is_counted_and_told() {
    use Then::{Close, Keep};
    let small = || Script::small("", &VERSIONS);
    let streamed = || Script::streamed("", &VERSIONS, 2);
    let busy = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy".to_owned();
    let old = whole(r#"{"hello":"world","version":"0.1.0"}"#);
    let misspelt = whole(r#"{"hello":"wurld","version":"0.2.0"}"#);
    let short =
        whole(r#"{"hello":"world","version":"0.2.0"}"#).replace(",\"version\":\"0.2.0\"}", "");
    let late = whole(r#"{"slept_ms":20,"version":"0.2.0"}"#);
    let sleeping = Script::sleeping("", &VERSIONS, 20);
    let cases = [
        (busy, Keep, small(), "failed: status 503 instead of 200: busy"),
        (old, Keep, small(), "wrong: answered by version number 0 although it does not serve"),
        (misspelt, Keep, small(), "wrong: wrong body at byte 0"),
        (short, Close, small(), "failed: the answer broke off after 0 bytes of `body`"),
        (late, Keep, sleeping, "wrong: answered after"),
        (whole("whole"), Keep, streamed(), "wrong: malformed: streamed with framing Length(5)"),
        (chunked(&[FIRST]), Close, streamed(), "failed: the answer broke off"),
        (chunked(&[FIRST, ""]), Keep, streamed(), "wrong: wrong body at byte 24: `the end`"),
        (chunked(&[SECOND, ""]), Keep, streamed(), "wrong: wrong body at byte 0"),
        (chunked(&[FIRST, ""]), Keep, Script::upgraded("", &VERSIONS), "failed: status 200"),
    ];
    for (answer, then, script, told) in cases {
        let tally = run(canned(answer.clone(), then), script).await;
        let Tally { n_right, n_failed, n_wrong, faults, .. } = &tally;
        assert_eq!((*n_right, n_failed * n_wrong), (0, 0), "{answer}: {tally}");
        let kind = if *n_wrong > 0 { "wrong" } else { "failed" };
        let first = format!("{kind}: {}", faults.first().expect("a fault is told"));
        assert!(first.starts_with(told), "{answer}:\n  {first}\nand not\n  {told}");
    }
}

#[tokio::test]
async fn right_answers_are_right() {
    let small = whole(r#"{"hello":"world","version":"0.2.0"}"#);
    let cases = [
        (small, Script::small("", &VERSIONS)),
        (chunked(&[FIRST, SECOND, ""]), Script::streamed("", &VERSIONS, 2)),
    ];
    for (answer, script) in cases {
        let tally = run(canned(answer, Then::Keep), script).await;
        assert!(tally.n_right > 10 && tally.n_failed + tally.n_wrong == 0, "{tally}");
        assert_eq!(tally.n_connections, 2, "connections are kept");
    }
}

#[tokio::test]
async fn a_pace_is_kept() {
    let baseline = places::binary("baseline");
    let server = Server::start(Command::new(baseline).arg("hyper")).await;
    let crews = vec![Crew::new(Script::small("/v1/types/swap", &["0.1.0"]), 4)];
    let serving = Arc::new(Serving::new(&[0]));
    let pace = Pace::PerSecond(500.0);
    let plan =
        Plan { address: server.address, crews, serving, pace, n_threads: 1, time_max: SHORT * 5 };
    let started = Instant::now();
    let report = Load::start(plan).run_out().await;
    report.assert_faultless();
    let wanted = 500.0 * started.elapsed().as_secs_f64();
    let n_right = report.total().n_right as f64;
    assert!((wanted * 0.8..wanted * 1.01).contains(&n_right), "{n_right} of {wanted} requests");
}

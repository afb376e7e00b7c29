//! What a request may and may not do: large bodies, deadlines, leaving early, mounts, listeners, edges of paths.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use metapaas_tests::client::{Client, Reply};
use metapaas_tests::daemon::{Daemon, Options, Wanted};
use metapaas_tests::plugins::{Plugin, Workspace};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ROOT: &str = "/v1/types/edges";
const MIB: usize = 1024 * 1024;

async fn installed(environment: &[(&str, &str)], isolation: &str) -> Daemon {
    let plugin = Plugin::built(Workspace::Fixtures, "edges");
    let options = Options::default().with_environment(environment);
    let daemon = Daemon::start_with(options).await;
    daemon.offer(&plugin);
    let wanted = Wanted::of(&plugin).with("isolation", json!(isolation));
    let _document = daemon.install(wanted).await;
    daemon
}

async fn post(daemon: &Daemon, path: &str, n_bytes: usize) -> Reply {
    let body = Bytes::from(vec![7; n_bytes]);
    let request = Client::request(Method::POST, &format!("{ROOT}{path}"), &[], body);
    daemon.client.send(request).await
}

/// Opens a connection, sends the head of a request, and leaves the rest to the test.
async fn begin(daemon: &Daemon, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(daemon.client.address).await.unwrap();
    stream.write_all(format!("{head}\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

async fn counts(daemon: &Daemon) -> [u64; 2] {
    daemon.get(&format!("{ROOT}/counts")).await.expect(200).json()
}

async fn until_counts(daemon: &Daemon, wanted: [u64; 2]) {
    let reached = async { while counts(daemon).await != wanted {} };
    timeout(Duration::from_secs(20), reached).await.expect("the counts come to what is wanted");
}

#[tokio::test]
async fn bodies_are_whole_or_pulled_up_to_the_limit_of_their_route() {
    for isolation in ["none", "process"] {
        let daemon = installed(&[], isolation).await;
        for n_bytes in [0, 1, MIB, MIB + 1, 8 * MIB] {
            let read: usize = post(&daemon, "/upload", n_bytes).await.expect(200).json();
            assert_eq!(read, n_bytes, "{isolation}");
        }
        assert_eq!(post(&daemon, "/length", MIB).await.expect(200).text(), MIB.to_string());
        for (path, n_bytes, bytes_max) in
            [("/upload", 8 * MIB + 1, 8 * MIB), ("/length", MIB + 1, MIB)]
        {
            let problem: Value = post(&daemon, path, n_bytes).await.expect(413).json();
            assert_eq!(problem["code"], "BODY_TOO_LARGE");
            assert_eq!(
                problem["detail"],
                format!("The body is longer than the {bytes_max} bytes of this route.")
            );
        }
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_at_the_limit() {
    let daemon = installed(&[], "none").await;
    let mut stream = TcpStream::connect(daemon.client.address).await.unwrap();
    let head = format!(
        "POST {ROOT}/upload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read_half, mut write_half) = stream.into_split();
    let sending = async {
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
        // The server closes when it has had enough: from then on nothing can be sent.
        while write_half.write_all(&chunk).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 12];
    tokio::select! {
        () = sending => unreachable!("it is pending when it can send no more"),
        read = read_half.read_exact(&mut answer) => assert_eq!(read.unwrap(), answer.len()),
    }
    assert_eq!(answer, *b"HTTP/1.1 413");
    assert_eq!(post(&daemon, "/upload", 5).await.expect(200).text(), "5");
}

#[tokio::test]
async fn a_late_answer_is_a_problem_and_the_handler_is_told() {
    for isolation in ["none", "process"] {
        let daemon = installed(&[], isolation).await;
        let problem: Value = daemon.get(&format!("{ROOT}/late")).await.expect(504).json();
        assert_eq!(problem["code"], "DEADLINE_EXCEEDED");
        let no_more =
            async { while daemon.metric("plugin_requests_in_flight").await != Some(0.0) {} };
        timeout(Duration::from_secs(10), no_more).await.expect("its place is given back");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_handler() {
    for isolation in ["none", "process"] {
        let daemon = installed(&[], isolation).await;
        let waiting = begin(&daemon, &format!("GET {ROOT}/forever HTTP/1.1")).await;
        until_counts(&daemon, [1, 0]).await;
        drop(waiting);
        until_counts(&daemon, [1, 1]).await;

        let mut streaming = begin(&daemon, &format!("GET {ROOT}/endless HTTP/1.1")).await;
        streaming.read_exact(&mut [0; 4 * 65_536]).await.unwrap();
        until_counts(&daemon, [2, 1]).await;
        drop(streaming);
        until_counts(&daemon, [2, 2]).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_body_back() {
    let daemon = installed(&[], "none").await;
    let stalled = begin(&daemon, &format!("GET {ROOT}/endless HTTP/1.1")).await;
    until_counts(&daemon, [1, 0]).await;
    let before = daemon.proc().holdings().rss_kib;
    for _ in 0..200 {
        let _answer = counts(&daemon).await;
    }
    let grown = daemon.proc().holdings().rss_kib.saturating_sub(before);
    assert!(grown < 8 * 1024, "an unread body grew the daemon by {grown} KiB");
    drop(stalled);
}

#[tokio::test]
async fn a_full_plugin_refuses_and_says_when_to_come_again() {
    let daemon = installed(&[("METAPAAS__PLUGIN__REQUESTS_IN_FLIGHT_MAX", "2")], "none").await;
    let waiting = [
        begin(&daemon, &format!("GET {ROOT}/forever HTTP/1.1")).await,
        begin(&daemon, &format!("GET {ROOT}/forever HTTP/1.1")).await,
    ];
    while daemon.metric("plugin_requests_in_flight").await != Some(2.0) {}
    let refused = daemon.get(&format!("{ROOT}/counts")).await.expect(503);
    assert_eq!(refused.headers["retry-after"], "1");
    let problem: Value = refused.json();
    assert_eq!(problem["code"], "PLUGIN_BUSY");
    assert_eq!(problem["detail"], "The plugin works on 2 requests, as many as it may.");
    drop(waiting);
    while daemon.metric("plugin_requests_in_flight").await != Some(0.0) {}
    let _served = daemon.get(&format!("{ROOT}/counts")).await.expect(200);
}

#[tokio::test]
async fn plugin_code_runs_on_its_generations_own_thread() {
    let daemon = installed(&[], "none").await;
    let thread = daemon.get(&format!("{ROOT}/thread")).await.expect(200).text();
    assert_eq!(thread.trim(), "plugin:edges#1");
    let threads = daemon.proc().thread_names();
    assert_eq!(threads.iter().filter(|name| name.starts_with("plugin:")).count(), 1, "{threads:?}");
}

#[tokio::test]
async fn a_mount_is_served_when_it_is_granted_and_not_before() {
    let daemon = installed(&[], "none").await;
    let _absent = daemon.get("/edges/mounted/a/b").await.expect(404);
    let plugin = Plugin::built(Workspace::Fixtures, "edges");
    let granted = Wanted::of(&plugin).with("mounts", json!(["/edges"]));
    let _document = daemon.install(granted).await;
    assert_eq!(daemon.get("/edges/mounted/a/b").await.expect(200).text(), "a/b");

    let refused =
        daemon.put(&Wanted::of(&plugin).with("mounts", json!(["/git"]))).await.expect(422);
    let problem: Value = refused.json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(
            "mount `/git` was granted and the plugin does not declare it; it declares /edges"
        ),
        "{detail}"
    );
    assert_eq!(daemon.get("/edges/mounted/c").await.expect(200).text(), "c");
}

#[tokio::test]
async fn a_listener_outlives_the_generation_behind_it() {
    for isolation in ["none", "process"] {
        let daemon = installed(&[], isolation).await;
        let plugin = Plugin::built(Workspace::Fixtures, "edges");
        let wanted = Wanted::of(&plugin)
            .with("isolation", json!(isolation))
            .with("listeners", json!({"line": "127.0.0.1:0"}));
        let document = daemon.install(wanted.clone()).await;
        let address = document["listeners"]["line"].as_str().unwrap().to_owned();
        assert_eq!(say(&address, "one").await, "127.0.0.1 one");
        let mut old = TcpStream::connect(&address).await.unwrap();
        assert_eq!(say_on(&mut old, "before").await, "127.0.0.1 before");

        let swapped = daemon.install(wanted.with("mounts", json!(["/edges"]))).await;
        assert_eq!(swapped["listeners"]["line"], *address, "the socket is the host's");
        assert_eq!(say(&address, "two").await, "127.0.0.1 two");
        assert_eq!(say_on(&mut old, "still").await, "127.0.0.1 still");
    }
}

async fn say(address: &str, line: &str) -> String {
    say_on(&mut TcpStream::connect(address).await.unwrap(), line).await
}

async fn say_on(stream: &mut TcpStream, line: &str) -> String {
    stream.write_all(line.as_bytes()).await.unwrap();
    let mut answer = vec![0; "127.0.0.1 ".len() + line.len()];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn paths_and_methods_have_clear_edges() {
    let daemon = installed(&[], "none").await;
    let client = &daemon.client;
    let of = async |method: Method, path: &str| {
        let request = Client::request(method, &format!("{ROOT}{path}"), &[], Bytes::new());
        client.send(request).await
    };
    let _slash = of(Method::GET, "/counts/").await.expect(200);
    let head = of(Method::HEAD, "/counts").await.expect(200);
    assert!(head.body.is_empty());
    let other = of(Method::DELETE, "/counts").await.expect(405);
    assert_eq!(other.headers["allow"], "GET, HEAD");
    let unknown: Value = of(Method::GET, "/nothing").await.expect(404).json();
    assert_eq!(unknown["code"], "ROUTE_NOT_FOUND");
    let no_type: Value = daemon.get("/v1/types/nobody/x").await.expect(404).json();
    assert_eq!(no_type["code"], "TYPE_NOT_FOUND");
}

#[tokio::test]
async fn what_a_plugin_measures_is_exported_in_its_name() {
    let daemon = installed(&[], "none").await;
    let _counted = daemon.get(&format!("{ROOT}/measured")).await.expect(200);
    let metrics = daemon.get("/metrics").await.expect(200).text();
    let series =
        r#"plugin_greetings_total{element="edges",version="0.1.0",generation="1",to="you"} 2.0"#;
    assert!(metrics.contains(series), "{metrics}");
}

#[tokio::test]
async fn a_document_with_an_unknown_member_is_refused_by_name() {
    let daemon = installed(&[], "none").await;
    let refused = daemon.put(&Wanted::new("edges", "0.1.0").with("isolatoin", json!("none"))).await;
    let problem: Value = refused.expect(400).json();
    assert_eq!(problem["code"], "UNKNOWN_FIELD");
    assert_eq!(problem["errors"][0]["pointer"], "/isolatoin");
    assert_eq!(problem["errors"][0]["message"], "did you mean isolation?");
    let no_token = Client { token: None, ..daemon.client.clone() };
    let _refused = no_token.get("/v1/elements").await.expect(401);
}

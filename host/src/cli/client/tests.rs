//! What becomes of answers, good and bad, told by a stand-in for a daemon.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use expect_test::expect;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::net::TcpSocket;

use super::stand_in::{Canned, StandIn};
use super::*;
use crate::cli::exit::Exit;

/// The error of a request that is answered like this.
async fn refused(answer: Canned) -> Error {
    let stand_in = StandIn::answering([answer]);
    let refused = stand_in.client().get(["v1", "elements"]).send().await.unwrap_err();
    assert_eq!(stand_in.asked().len(), 1);
    refused
}

fn problem(status: u16) -> Value {
    json!({ "type": "/v1/problems/unknown-field", "title": "Unknown field", "status": status,
        "detail": "An element has no member verison.", "code": "UNKNOWN_FIELD",
        "errors": [{ "pointer": "/verison", "code": "UNKNOWN_FIELD", "message": "did you mean version?" }],
        "hint": "Remove it.\u{1b}[2J", "request_id": "req-1", "operation_id": null })
}

#[tokio::test]
async fn a_request_says_who_asks_for_what() {
    let answer = Canned::Document(202, "operation-location: /v1/operations/op-1\r\n", "{}".into());
    let stand_in = StandIn::answering([answer]);
    let client = stand_in.client();
    let call = client.put(["v1", "elements", "../a b"], json!({ "version": "1" }));
    let answer = call.query("x", Some("&")).query("y", None).send().await.unwrap();
    assert_eq!(answer.operation.as_deref(), Some("op-1"));
    let asked = stand_in.asked().pop().unwrap();
    let wanted = [
        "put /base/v1/elements/..%2fa%20b?x=%26 http/1.1\r\n",
        "authorization: bearer metapaas_1_2\r\n",
        "\r\n\r\n{\"version\":\"1\"}",
    ];
    for part in wanted {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[tokio::test]
async fn a_problem_is_told_in_full_and_has_its_exit_code() {
    let error = refused(Canned::problem(&problem(400))).await;
    expect![[r"
        An element has no member verison.
          /verison: did you mean version?
          hint: Remove it. [2J
          code: UNKNOWN_FIELD (400)
          request: req-1"]]
    .assert_eq(&error.to_string());
    assert_eq!(error.document(), problem(400).to_string());
    for (status, wanted) in [
        (400, Exit::Rejected),
        (401, Exit::Unauthenticated),
        (403, Exit::Unauthenticated),
        (404, Exit::NotFound),
        (409, Exit::Conflict),
        (412, Exit::Conflict),
        (422, Exit::Rejected),
        (429, Exit::Rejected),
        (500, Exit::Unavailable),
        (503, Exit::Unavailable),
    ] {
        let error = refused(Canned::problem(&problem(status))).await;
        assert_eq!(error.exit(), wanted, "{status}");
    }
}

#[tokio::test]
async fn what_is_no_daemon_is_told_apart() {
    let page = Canned::Document(502, "content-type: text/html\r\n", "<html>".to_owned());
    let error = refused(page).await;
    assert!(
        error
            .to_string()
            .ends_with("is no MetaPaaS daemon (status 502, text/html): correct `--endpoint`")
    );
    assert_eq!(error.exit(), Exit::Unreachable);

    let error = refused(Canned::Silence).await;
    assert!(error.to_string().contains("broke off ("), "{error}");

    let redirect = Canned::Document(302, "location: http://127.0.0.1:1/\r\n", String::new());
    assert!(matches!(refused(redirect).await, Error::Foreign { status: 302, .. }));
}

#[tokio::test]
async fn nobody_there_is_one_clear_sentence() {
    // A port that is taken, so that nobody else comes to listen at it.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent_at = silent.local_addr().unwrap();
    let endpoint = format!("http://{silent_at}").parse().unwrap();
    let client = Client::new(Target { endpoint, credentials: None, ca: None }).unwrap();
    let error = client.get(["v1"]).send().await.unwrap_err();
    let wanted = format!(
        "nothing answers at http://{silent_at} (Connection refused): start a daemon there with \
         `metapaas up`, or name another with `--endpoint URL`"
    );
    assert_eq!((error.to_string(), error.exit()), (wanted, Exit::Unreachable));
    let document: Value = serde_json::from_str(&error.document()).unwrap();
    assert_eq!(document["code"], "CLIENT_UNREACHABLE");
}

#[tokio::test]
async fn lines_are_whole_however_they_arrive() {
    let body = "{\"seq\":1}\n{\"seq\":2}\n".to_owned();
    let stand_in = StandIn::answering([Canned::Document(200, "", body)]);
    let mut lines = Vec::new();
    let take = |line: &[u8]| {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
        Ok(())
    };
    stand_in.client().get(["logs"]).lines(take).await.unwrap();
    assert_eq!(lines, ["{\"seq\":1}", "{\"seq\":2}"]);
}

#[test]
fn certificates_are_looked_at_before_they_are_needed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let error = certificates(&file).unwrap_err();
    assert!(error.to_string().contains("cannot be read: correct `--ca`"), "{error}");
    fs::write(&file, "no certificate").unwrap();
    let error = certificates(&file).unwrap_err();
    assert!(error.to_string().contains("holds no certificate in PEM"), "{error}");
}

#[test]
fn loopback_needs_no_proxy() {
    for (text, wanted) in [
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080", true),
        ("http://localhost", true),
        ("http://10.0.0.1", false),
        ("https://localhost.example.org", false),
    ] {
        assert_eq!(is_loopback(&text.parse().unwrap()), wanted, "{text}");
    }
}

/// Answers each of so many TLS connections with `{}`, if the handshake comes about.
fn serve_tls(made: &rcgen::CertifiedKey<rcgen::KeyPair>, n_connections: usize) -> SocketAddr {
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(n_connections) {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            // Whoever does not trust the certificate says no more.
            if stream.read(&mut [0; 4096]).is_ok() {
                stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, made.cert.pem()).unwrap();
    let port = serve_tls(&made, 2).port();
    let ask = async |ca| {
        let endpoint = format!("https://localhost:{port}").parse().unwrap();
        let client = Client::new(Target { endpoint, credentials: None, ca }).unwrap();
        client.get(["v1"]).send().await
    };
    let refused = ask(None).await.unwrap_err();
    let wanted = format!("the certificate of https://localhost:{port} is not trusted (");
    assert!(refused.to_string().starts_with(&wanted), "{refused}");
    assert_eq!(refused.exit(), Exit::Unreachable);
    assert_eq!(ask(Some(file)).await.unwrap().body, "{}");
}

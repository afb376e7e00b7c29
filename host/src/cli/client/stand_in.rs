//! A stand-in for a daemon: gives prepared answers, one for each connection, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use serde_json::Value;

use super::{Client, Target};
use crate::cli::client::reach::Credentials;
use crate::cli::context::Secret;

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) enum Canned {
    /// A document with this status, media type and further headers.
    Document(u16, &'static str, String),
    /// Nothing: the connection is closed.
    Silence,
}

/// See the module. Ends when all its answers are given.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    asked: JoinHandle<Vec<String>>,
}

impl Canned {
    /// A success with this document.
    pub(crate) fn json(document: &Value) -> Self {
        Self::Document(200, "content-type: application/json\r\n", document.to_string())
    }

    /// A problem.
    pub(crate) fn problem(document: &Value) -> Self {
        let status = document["status"].as_u64().unwrap().try_into().unwrap();
        let head = "content-type: application/problem+json\r\n";
        Self::Document(status, head, document.to_string())
    }
}

impl StandIn {
    /// One that gives these answers.
    pub(crate) fn answering(answers: impl IntoIterator<Item = Canned>) -> Self {
        let answers: Vec<_> = answers.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let answer = |answer| answer_one(&listener.accept().unwrap().0, answer);
            answers.into_iter().map(answer).collect()
        });
        Self { address, asked }
    }

    /// A client of it, with a token.
    pub(crate) fn client(&self) -> Client {
        let credentials = Some(Credentials::Token(Secret::new("metapaas_1_2")));
        let endpoint = format!("http://{}/base/", self.address).parse().unwrap();
        Client::new(Target { endpoint, credentials, ca: None }).unwrap()
    }

    /// The requests that it got: the head in lower case, then the body.
    pub(crate) fn asked(self) -> Vec<String> {
        self.asked.join().unwrap()
    }
}

fn answer_one(stream: &TcpStream, answer: Canned) -> String {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut request).unwrap(), 0, "the request breaks off: {request}");
    }
    let mut request = request.to_ascii_lowercase();
    let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    request.push_str(&String::from_utf8(body).unwrap());
    if let Canned::Document(status, headers, body) = answer {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        let mut stream = stream;
        stream.write_all((head + &body).as_bytes()).unwrap();
    }
    request
}

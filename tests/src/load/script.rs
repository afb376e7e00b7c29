//! What a connection does again and again, with everything it sends and may receive made beforehand.

use std::fmt::Write as _;
use std::time::Duration;

use super::websocket;

/// How many messages one upgraded connection exchanges.
const N_MESSAGES: usize = 5;

/// What a connection does again and again, and what right answers are, by version.
#[derive(Debug)]
pub struct Script {
    /// What reports call it.
    pub name: &'static str,
    pub(super) request: Vec<u8>,
    pub(super) exchange: Exchange,
}

#[derive(Debug)]
pub(super) enum Exchange {
    /// One answer, whole or in chunks.
    Answer {
        /// One for each version.
        answers: Vec<Vec<u8>>,
        shape: Shape,
        /// The least time that a right answer takes.
        time_min: Duration,
    },
    /// An upgrade to WebSocket, messages there and back, a close.
    Echo { messages: Vec<Message> },
}

/// How the answer must be framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    Chunked,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) frame: Vec<u8>,
    /// One for each version.
    pub(super) answers: Vec<Vec<u8>>,
}

impl Script {
    /// `GET {root}/hello/{name}`: a small JSON document.
    #[must_use]
    pub fn small(root: &str, versions: &[&str]) -> Self {
        let answer = |version: &&str| format!(r#"{{"hello":"world","version":"{version}"}}"#);
        Self {
            name: "small",
            request: get(&format!("{root}/hello/world"), ""),
            exchange: Exchange::Answer {
                answers: versions.iter().map(answer).map(String::into_bytes).collect(),
                shape: Shape::Whole,
                time_min: Duration::ZERO,
            },
        }
    }

    /// `GET {root}/sleep/{ms}`: the handler sleeps on a timer of its own runtime.
    #[must_use]
    pub fn sleeping(root: &str, versions: &[&str], ms: u64) -> Self {
        let answer = |version: &&str| format!(r#"{{"slept_ms":{ms},"version":"{version}"}}"#);
        Self {
            name: "sleeping",
            request: get(&format!("{root}/sleep/{ms}"), ""),
            exchange: Exchange::Answer {
                answers: versions.iter().map(answer).map(String::into_bytes).collect(),
                shape: Shape::Whole,
                time_min: Duration::from_millis(ms),
            },
        }
    }

    /// `GET {root}/stream/{chunks}`: a body that comes in pieces.
    #[must_use]
    pub fn streamed(root: &str, versions: &[&str], n_chunks: usize) -> Self {
        Self {
            name: "streamed",
            request: get(&format!("{root}/stream/{n_chunks}"), ""),
            exchange: Exchange::Answer {
                answers: versions.iter().map(|version| stream_of(version, n_chunks)).collect(),
                shape: Shape::Chunked,
                time_min: Duration::ZERO,
            },
        }
    }

    /// `GET {root}/echo`: a WebSocket that says the version and what it was told.
    #[must_use]
    pub fn upgraded(root: &str, versions: &[&str]) -> Self {
        let fields = format!(
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {}\r\n",
            websocket::KEY
        );
        let message = |idx| {
            let text = format!("message {idx}");
            let answer = |version: &&str| format!("{version} {text}").into_bytes();
            Message {
                frame: websocket::text(&text),
                answers: versions.iter().map(answer).collect(),
            }
        };
        Self {
            name: "upgraded",
            request: get(&format!("{root}/echo"), &fields),
            exchange: Exchange::Echo { messages: (0..N_MESSAGES).map(message).collect() },
        }
    }
}

fn get(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n").into_bytes()
}

fn stream_of(version: &str, n_chunks: usize) -> Vec<u8> {
    let mut text = String::new();
    for idx in 0..n_chunks {
        writeln!(text, "chunk {idx} of {n_chunks} from {version}").expect("memory can be written");
    }
    text.into_bytes()
}

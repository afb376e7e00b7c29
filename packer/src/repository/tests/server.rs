//! A web server that serves a folder, more or less well.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How it serves bundles. Metadata it always serves well.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mood {
    /// As it should.
    Good,
    /// Closes the connection after so many bytes.
    CutAfter(usize),
    /// Sends all of a file, whatever was asked for.
    NoRanges,
    /// Never stops sending.
    Endless,
}

pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    folder: PathBuf,
    mood: Mutex<Mood>,
    ranges: Mutex<Vec<String>>,
}

impl Server {
    pub(super) async fn start(folder: PathBuf, mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { folder, mood: Mutex::new(mood), ranges: Mutex::default() });
        let serving = Arc::clone(&shared);
        #[expect(clippy::disallowed_methods, reason = "it ends with the server")]
        let task = tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                // One after the other: a client of a test has one connection at a time.
                let _broken = serving.serve(stream).await;
            }
        });
        Self { address, shared, task }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    pub(super) fn cheer_up(&self) {
        self.set(Mood::Good);
    }

    /// What ranges were asked for, by request.
    pub(super) fn ranges(&self) -> Vec<String> {
        self.shared.ranges.lock().unwrap().clone()
    }

    pub(super) fn forget(&self) {
        self.shared.ranges.lock().unwrap().clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let range = head.lines().find_map(|line| line.strip_prefix("range: ")).unwrap_or("");
        self.ranges.lock().unwrap().push(range.to_owned());
        let Ok(bytes) = fs::read(self.folder.join(Path::new(path.trim_start_matches('/')))) else {
            let none = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            return stream.write_all(none).await;
        };
        let mood = if path.contains(".json") { Mood::Good } else { *self.mood.lock().unwrap() };
        let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
        let from: usize = from.map_or(0, |from| from.parse().unwrap());
        let from = if matches!(mood, Mood::NoRanges) { 0 } else { from };
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        let (last, total) = (bytes.len() - 1, bytes.len());
        let length = match mood {
            Mood::Endless => String::new(),
            Mood::Good | Mood::CutAfter(_) | Mood::NoRanges => {
                format!("content-length: {}\r\n", total - from)
            }
        };
        let head = format!(
            "HTTP/1.1 {status}\r\n{length}content-range: bytes {from}-{last}/{total}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        match mood {
            Mood::Good | Mood::NoRanges => stream.write_all(&bytes[from..]).await,
            Mood::CutAfter(n) => stream.write_all(&bytes[from..total.min(from + n)]).await,
            Mood::Endless => loop {
                stream.write_all(&[0; 1024]).await?;
            },
        }
    }
}

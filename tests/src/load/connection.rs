//! One kept connection: sends bytes, reads heads, bodies and frames.

use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fault::Fault;
use super::head::{Framing, Head, malformed};
use super::websocket::{self, Frame};

const BUFFER_BYTES: usize = 16 * 1024;
/// A chunk's size line: at most 16 hexadecimal digits.
const SIZE_LINE_BYTES_MAX: usize = 18;
/// How much of an unwanted body a fault shows.
const SHOWN_BYTES_MAX: usize = 200;

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, Fault> {
        let stream = TcpStream::connect(address).await.map_err(Fault::Connect)?;
        stream.set_nodelay(true).map_err(Fault::Connect)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(BUFFER_BYTES) })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.write_all(bytes).await.map_err(Fault::Send)
    }

    /// Waits for the head of the next answer and takes it out of the buffer.
    pub(super) async fn head(&mut self) -> Result<Head, Fault> {
        loop {
            if let Some(head) = Head::read(&self.buffer)? {
                self.take(head.bytes);
                return Ok(head);
            }
            self.more("head").await?;
        }
    }

    /// Reads the body to its end and gives each piece to `piece`.
    pub(super) async fn body(
        &mut self,
        framing: Framing,
        mut piece: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match framing {
            Framing::Empty => Ok(()),
            Framing::Length(bytes) => self.exactly(bytes, &mut piece).await,
            Framing::Chunked => loop {
                let bytes = self.chunk_size().await?;
                self.exactly(bytes, &mut piece).await?;
                self.line_end().await?;
                if bytes == 0 {
                    return Ok(());
                }
            },
        }
    }

    /// The beginning of a body that is not the wanted one, for the report.
    pub(super) async fn shown_body(&mut self, framing: Framing) -> String {
        let mut shown = Vec::new();
        let read = self.body(framing, |piece| {
            shown.extend_from_slice(piece);
            Ok(())
        });
        // What could not be read cannot be shown; the status is the news.
        let _ = read.await;
        shown.truncate(SHOWN_BYTES_MAX);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Waits for the next frame of a WebSocket, called `place` in faults, and gives its text to `text`.
    pub(super) async fn frame(
        &mut self,
        place: &'static str,
        text: impl FnOnce(&[u8]) -> Result<(), Fault>,
    ) -> Result<Frame, Fault> {
        while self.buffer.len() < 2 {
            self.more(place).await?;
        }
        let frame = websocket::frame([self.buffer[0], self.buffer[1]])?;
        if let Frame::Text { bytes } = frame {
            while self.buffer.len() < 2 + bytes {
                self.more(place).await?;
            }
            text(&self.buffer[2..2 + bytes])?;
            self.take(2 + bytes);
        }
        Ok(frame)
    }

    async fn chunk_size(&mut self) -> Result<usize, Fault> {
        loop {
            let line = &self.buffer[..self.buffer.len().min(SIZE_LINE_BYTES_MAX)];
            if let Some(end) = line.windows(2).position(|window| window == b"\r\n") {
                let digits = std::str::from_utf8(&line[..end]).unwrap_or_default();
                let size = usize::from_str_radix(digits, 16);
                let Ok(size) = size else { return Err(malformed("a chunk's size", line)) };
                self.take(end + 2);
                return Ok(size);
            }
            if line.len() == SIZE_LINE_BYTES_MAX {
                return Err(malformed("a chunk's size", line));
            }
            self.more("chunk size").await?;
        }
    }

    async fn line_end(&mut self) -> Result<(), Fault> {
        while self.buffer.len() < 2 {
            self.more("chunk end").await?;
        }
        if &self.buffer[..2] != b"\r\n" {
            return Err(malformed("a chunk's end", &self.buffer[..2]));
        }
        self.take(2);
        Ok(())
    }

    async fn exactly(
        &mut self,
        mut bytes: usize,
        piece: &mut impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while bytes > 0 {
            if self.buffer.is_empty() {
                self.more("body").await?;
            }
            let n_here = bytes.min(self.buffer.len());
            piece(&self.buffer[..n_here])?;
            self.take(n_here);
            bytes -= n_here;
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) {
        // Forgetting all of it at once keeps the same memory for ever; splitting off would reallocate.
        if bytes == self.buffer.len() {
            self.buffer.clear();
        } else {
            drop(self.buffer.split_to(bytes));
        }
    }

    async fn more(&mut self, place: &'static str) -> Result<(), Fault> {
        let bytes = self.buffer.len();
        let fault = |source| Fault::Receive { place, bytes, source };
        self.buffer.reserve(1);
        match self.stream.read_buf(&mut self.buffer).await.map_err(fault)? {
            0 => Err(fault(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

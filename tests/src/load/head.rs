//! The head of an answer, as much of it as the load generator needs.
//!
//! Strict where a mistake of the server would otherwise go unseen; not a general HTTP parser.

use super::fault::Fault;

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) connection: Connection,
    /// The value of `sec-websocket-accept` is the one for [`super::websocket::KEY`].
    pub(super) websocket: Websocket,
    /// How long the head is, with the empty line.
    pub(super) bytes: usize,
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Length(usize),
    Chunked,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Kept,
    Closed,
}

/// Whether the WebSocket handshake was answered rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Websocket {
    Accepted,
    NotSaid,
}

impl Head {
    /// Reads the head at the beginning of `bytes`; `None` when it has not come as a whole.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let mut lines = bytes[..end].split(|&byte| byte == b'\n');
        let mut head = Self {
            status: status(lines.next().unwrap_or_default())?,
            framing: Framing::Empty,
            connection: Connection::Kept,
            websocket: Websocket::NotSaid,
            bytes: end + 4,
        };
        lines.try_for_each(|line| head.field(line))?;
        Ok(Some(head))
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return Err(malformed("a header field without a colon", line));
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value).ok_or_else(|| malformed("a content-length", value))?;
            self.framing = if length == 0 { Framing::Empty } else { Framing::Length(length) };
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") && value.eq_ignore_ascii_case(b"close") {
            self.connection = Connection::Closed;
        } else if name.eq_ignore_ascii_case(b"sec-websocket-accept")
            && value == super::websocket::ACCEPT
        {
            self.websocket = Websocket::Accepted;
        }
        Ok(())
    }
}

fn status(line: &[u8]) -> Result<u16, Fault> {
    let digits = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = digits.and_then(number).and_then(|status| u16::try_from(status).ok());
    status.ok_or_else(|| malformed("a status line", line))
}

/// A decimal number.
fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A fault that shows what was read.
pub(super) fn malformed(what: &str, seen: &[u8]) -> Fault {
    Fault::Malformed(format!("{what} of `{}`", String::from_utf8_lossy(seen).trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Head> {
        Head::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_head_is_read_when_all_of_it_is_there() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nconnection: close\r\n\r\nhello";
        assert_eq!(read(&text[..30]), None);
        let head = read(text).unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.framing, Framing::Length(12));
        assert_eq!(head.connection, Connection::Closed);
        assert_eq!(&text[head.bytes..], "hello");
    }

    #[test]
    fn chunks_and_handshakes_are_seen() {
        let head = read("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        assert_eq!((head.framing, head.websocket), (Framing::Chunked, Websocket::NotSaid));
        let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let head = read(&format!("HTTP/1.1 101 Switching Protocols\r\n{accept}\r\n\r\n")).unwrap();
        assert_eq!((head.status, head.websocket), (101, Websocket::Accepted));
    }

    #[test]
    fn what_is_not_http_is_told() {
        for text in
            ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno\r\n\r\n"]
        {
            assert!(matches!(Head::read(text.as_bytes()), Err(Fault::Malformed(_))), "{text}");
        }
    }
}

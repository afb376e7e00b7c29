//! The few bytes of RFC 6455 that an echo needs.
//!
//! Frames are masked with a mask of zeros: the protocol asks a client for a mask, and this one costs nothing.

use super::fault::Fault;
use super::head::malformed;

/// The key of every handshake, from RFC 6455.
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What a server must answer to [`KEY`].
pub(super) const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A close frame with status 1000.
pub(super) const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

/// The largest payload that fits the one-byte length.
const SHORT_BYTES_MAX: usize = 125;
const TEXT: u8 = 0x81;
const CLOSING: u8 = 0x88;
const MASKED: u8 = 0x80;

/// A frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Text { bytes: usize },
    Close,
}

/// The frame that says `text`.
///
/// # Panics
/// When the text is longer than a script's messages ever are.
pub(super) fn text(text: &str) -> Vec<u8> {
    let bytes = u8::try_from(text.len()).ok().filter(|_| text.len() <= SHORT_BYTES_MAX);
    let bytes = bytes.expect("the messages of a script are short");
    [&[TEXT, MASKED | bytes, 0, 0, 0, 0][..], text.as_bytes()].concat()
}

/// How long the frame is whose first two bytes these are: its kind and payload.
pub(super) fn frame(head: [u8; 2]) -> Result<Frame, Fault> {
    match head {
        [TEXT, bytes] if usize::from(bytes) <= SHORT_BYTES_MAX => {
            Ok(Frame::Text { bytes: usize::from(bytes) })
        }
        [CLOSING, _] => Ok(Frame::Close),
        [..] => Err(malformed("a WebSocket frame", format!("{head:02x?}").as_bytes())),
    }
}

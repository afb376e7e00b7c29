//! The layout of an answer's head: a status and header fields.
//!
//! The plugin writes it, the host reads it; the body travels beside it. The host checks every value
//! against HTTP before it sends any of it.

use crate::wire::{Reader, WireError, Writer};

/// Writes a head.
#[must_use]
pub fn encode_head<'a, H>(status: u16, headers: H) -> Vec<u8>
where
    H: ExactSizeIterator<Item = (&'a str, &'a [u8])>,
{
    let mut writer = Writer::with_capacity(96);
    writer.u16(status);
    writer.u16(u16::try_from(headers.len()).expect("a header map is far below 65 536 fields"));
    for (name, value) in headers {
        writer.str(name);
        writer.bytes(value);
    }
    writer.finish()
}

/// A head that is read in place.
#[derive(Debug, Clone)]
pub struct ResponseHead<'a> {
    /// The status as the plugin said it; not yet checked.
    pub status: u16,
    n_headers: u16,
    reader: Reader<'a>,
}

impl<'a> ResponseHead<'a> {
    /// Reads the status; the fields are read as they are walked.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let status = reader.u16("status")?;
        Ok(Self { status, n_headers: reader.u16("headers")?, reader })
    }

    /// The header fields in the order they were written; ends after the first malformed one.
    pub fn headers(self) -> impl Iterator<Item = Result<(&'a str, &'a [u8]), WireError>> {
        let mut reader = self.reader;
        (0..self.n_headers)
            .map(move |_idx| Ok((reader.str("header name")?, reader.bytes("header value")?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_the_crossing() {
        let headers = [("content-type", &b"text/plain"[..]), ("x", b"")];
        let bytes = encode_head(201, headers.into_iter());
        let head = ResponseHead::decode(&bytes).unwrap();
        assert_eq!(head.status, 201);
        assert_eq!(head.headers().collect::<Result<Vec<_>, _>>().unwrap(), headers);
    }

    #[test]
    fn a_truncated_head_is_an_error() {
        let bytes = encode_head(200, [("a", &b"b"[..])].into_iter());
        for n_bytes in 0..bytes.len() {
            let read = ResponseHead::decode(&bytes[..n_bytes])
                .and_then(|head| head.headers().collect::<Result<Vec<_>, _>>());
            assert!(read.is_err(), "{n_bytes} bytes passed");
        }
    }
}

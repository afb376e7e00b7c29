//! Reading and writing the flat byte layouts that cross the boundary.
//!
//! Integers are little-endian and fixed in width; a string or byte run is its `u32` length and then its
//! bytes. A reader never panics and never reads past its input, whatever the other side wrote.
//! Deliberately absent: any self-description. Who reads knows what was written; the ABI revision says so.

use std::ops::Range;

/// The input ended early, or a length or a tag in it makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed `{what}` at byte {offset} of a message")]
pub struct WireError {
    /// The field that was being read.
    pub what: &'static str,
    /// Where in the input it starts.
    pub offset: usize,
}

/// Appends fields to a growing buffer.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer whose buffer already has room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Appends one byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends a `u16`.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a `u32`.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a `u64`.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends as many `u32`.
    #[inline]
    pub fn words<const N: usize>(&mut self, values: [u32; N]) {
        self.raw(values.map(u32::to_le_bytes).as_flattened());
    }

    /// Appends a length and that many bytes.
    ///
    /// # Panics
    /// When `value` is 4 GiB or longer; every caller has a far lower limit of its own.
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).expect("no field of a message is 4 GiB long"));
        self.raw(value);
    }

    /// Appends a string as [`Writer::bytes`] does.
    #[inline]
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Appends a presence byte, then the string if there is one.
    pub fn opt_str(&mut self, value: Option<&str>) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            self.str(value);
        }
    }

    /// Appends bytes without a length; only the last field of a layout may be written so.
    #[inline]
    pub fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// How many bytes were written so far.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes fields off the front of a byte run.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, offset: 0 }
    }

    /// How many bytes were read so far.
    #[must_use]
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// All that is left.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.input[self.offset..]
    }

    /// The error of a field that starts here.
    #[must_use]
    #[inline]
    pub fn malformed(&self, what: &'static str) -> WireError {
        WireError { what, offset: self.offset }
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// When the input has ended.
    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Reads a `u16`.
    ///
    /// # Errors
    /// When the input has ended.
    #[inline]
    pub fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// Reads a `u32`.
    ///
    /// # Errors
    /// When the input has ended.
    #[inline]
    pub fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Reads a `u64`.
    ///
    /// # Errors
    /// When the input has ended.
    #[inline]
    pub fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Reads as many `u32`.
    ///
    /// # Errors
    /// When the input has ended.
    #[inline]
    pub fn words<const N: usize>(&mut self, what: &'static str) -> Result<[u32; N], WireError> {
        let range = self.run(4 * N, what)?;
        let (words, _none) = self.input[range].as_chunks::<4>();
        Ok(std::array::from_fn(|idx| u32::from_le_bytes(words[idx])))
    }

    /// Reads a length and lends that many bytes.
    ///
    /// # Errors
    /// When the length points past the input.
    #[inline]
    pub fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], WireError> {
        let range = self.range(what)?;
        Ok(&self.input[range])
    }

    /// Reads a string.
    ///
    /// # Errors
    /// When the length points past the input or the bytes are not UTF-8.
    #[inline]
    pub fn str(&mut self, what: &'static str) -> Result<&'a str, WireError> {
        let error = self.malformed(what);
        str::from_utf8(self.bytes(what)?).map_err(|_not_utf8| error)
    }

    /// Reads what [`Writer::opt_str`] wrote.
    ///
    /// # Errors
    /// As [`Reader::str`].
    pub fn opt_str(&mut self, what: &'static str) -> Result<Option<&'a str>, WireError> {
        match self.u8(what)? {
            0 => Ok(None),
            1 => self.str(what).map(Some),
            _other => Err(self.malformed(what)),
        }
    }

    /// Reads a length and gives the range of the bytes it covers, for layouts that are kept as offsets.
    ///
    /// # Errors
    /// When the length points past the input.
    #[inline]
    pub fn range(&mut self, what: &'static str) -> Result<Range<usize>, WireError> {
        let error = self.malformed(what);
        let n_bytes = self.u32(what)? as usize;
        self.run(n_bytes, what).map_err(|_cut_short| error)
    }

    /// Gives the range of the next `n_bytes` bytes.
    ///
    /// # Errors
    /// When the input has ended before.
    #[inline]
    pub fn run(&mut self, n_bytes: usize, what: &'static str) -> Result<Range<usize>, WireError> {
        let error = self.malformed(what);
        let end = self.offset.checked_add(n_bytes).filter(|end| *end <= self.input.len());
        let range = self.offset..end.ok_or(error)?;
        self.offset = range.end;
        Ok(range)
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let error = self.malformed(what);
        let (array, _rest) = self.rest().split_first_chunk::<N>().ok_or(error)?;
        self.offset += N;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_in_order() {
        let mut writer = Writer::default();
        writer.u8(7);
        writer.u16(300);
        writer.u32(70_000);
        writer.u64(1 << 40);
        writer.opt_str(None);
        writer.opt_str(Some("there"));
        writer.bytes(&[1, 2]);
        writer.raw(b"tail");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8("a"), Ok(7));
        assert_eq!(reader.u16("b"), Ok(300));
        assert_eq!(reader.u32("c"), Ok(70_000));
        assert_eq!(reader.u64("d"), Ok(1 << 40));
        assert_eq!(reader.opt_str("e"), Ok(None));
        assert_eq!(reader.opt_str("f"), Ok(Some("there")));
        assert_eq!(reader.bytes("g"), Ok(&[1, 2][..]));
        assert_eq!(reader.rest(), b"tail");
    }

    #[test]
    fn every_truncation_is_an_error_and_never_a_panic() {
        let mut writer = Writer::default();
        writer.str("name");
        writer.u64(1);
        let bytes = writer.finish();
        for n_bytes in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..n_bytes]);
            let read = reader.str("name").and_then(|_name| reader.u64("number"));
            assert!(read.is_err(), "{n_bytes} bytes of {} were enough", bytes.len());
        }
    }

    #[test]
    fn a_length_beyond_the_input_is_told_with_its_place() {
        let mut reader = Reader::new(&[255, 255, 255, 255, 0]);
        let error = reader.bytes("body").unwrap_err();
        assert_eq!(error.to_string(), "malformed `body` at byte 0 of a message");
    }
}

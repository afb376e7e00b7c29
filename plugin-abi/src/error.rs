//! The error that either side may be told across the boundary.
//!
//! A code that programs can match, a sentence for people, and nothing of either side's own error types.

use crate::wire::{Reader, WireError, Writer};

/// What kind of refusal an [`AbiError`] is. The numbers are frozen; new kinds are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The other side does not know this message, service or option.
    Unsupported = 1,
    /// The arguments make no sense.
    Invalid = 2,
    /// The request, stream or generation that the call belonged to is over.
    Closed = 3,
    /// A limit was exceeded; the message names it.
    TooLarge = 4,
    /// The caller may not do this.
    Denied = 5,
    /// Try again later.
    Unavailable = 6,
    /// A transport below broke: the peer of a stream, a disk.
    Io = 7,
    /// The host or the plugin is at fault; its log says more.
    Internal = 8,
}

impl ErrorCode {
    const ALL: [Self; 8] = [
        Self::Unsupported,
        Self::Invalid,
        Self::Closed,
        Self::TooLarge,
        Self::Denied,
        Self::Unavailable,
        Self::Io,
        Self::Internal,
    ];

    /// The code of this number; a number of a later revision reads as [`ErrorCode::Internal`].
    #[must_use]
    pub fn from_number(number: u16) -> Self {
        Self::ALL.into_iter().find(|code| *code as u16 == number).unwrap_or(Self::Internal)
    }
}

/// A refusal, told across the boundary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AbiError {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what happened, to what, what to do next.
    pub message: String,
}

impl AbiError {
    /// An error of `code` that says `message`.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The bytes that carry it in a parcel.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.message.len() + 6);
        writer.u16(self.code as u16);
        writer.str(&self.message);
        writer.finish()
    }

    /// Reads what [`AbiError::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are not such an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let code = ErrorCode::from_number(reader.u16("error code")?);
        Ok(Self { code, message: reader.str("error message")?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_crossing() {
        for code in ErrorCode::ALL {
            let error = AbiError::new(code, "stream 7 is closed");
            assert_eq!(AbiError::decode(&error.encode()), Ok(error));
        }
        assert_eq!(ErrorCode::from_number(9_999), ErrorCode::Internal);
    }
}

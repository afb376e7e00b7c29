//! Service 3, secrets: opens what the host keeps encrypted.
//!
//! Fields of the kind `secret` reach a plugin as references, `{"$secret": "…"}`. A payload is one [`Request`]
//! and the call completes with one [`Answer`], both JSON. The host opens those of the plugin's own resources
//! alone, and writes down that it did. A reference is opaque, and good for as long as the value stands; one
//! of a validation for as long as its hook is answered.
//!
//! Not here: how secrets are kept. Nothing that is answered may end up in a log or in an error.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of this service.
pub const SECRETS_SERVICE: u64 = 3;

/// The member that makes a JSON object a reference to a secret: `{"$secret": "…"}`.
pub const REFERENCE_MEMBER: &str = "$secret";

/// What a plugin asks. New kinds are appended; a host completes one that it does not know with `Invalid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What this refers to; answered with its text.
    Open {
        /// The reference, without the object around it.
        reference: String,
    },
}

/// What it came to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The secret itself.
    Text(String),
    /// It is not opened.
    Fault(Fault),
}

/// Why a secret is not opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What programs match.
    pub kind: FaultKind,
    /// What happened, for logs.
    pub message: String,
}

/// Why a secret is not opened, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It refers to nothing, or no longer.
    NotFound,
    /// It is not the plugin's.
    Denied,
    /// The key or the store cannot be reached; later it may go.
    Unavailable,
    /// Something else.
    #[serde(other)]
    Other,
}

/// It may be a secret, so it is not shown.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl Request {
    /// The payload of the call.
    ///
    /// # Panics
    /// Never: it consists of text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a request consists of text")
    }

    /// Reads what [`Request::encode`] wrote.
    ///
    /// # Errors
    /// When it is no such request, or of a kind that is not known here.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

impl Answer {
    /// What the call completes with.
    ///
    /// # Panics
    /// Never: it consists of text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an answer consists of text")
    }

    /// Reads what [`Answer::encode`] wrote.
    ///
    /// # Errors
    /// When it is no such answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// An answer that says why a secret is not opened.
    #[must_use]
    pub fn fault(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::Fault(Fault { kind, message: message.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_back() {
        let request = Request::Open { reference: "r1".to_owned() };
        let payload = request.encode();
        assert_eq!(payload, br#"{"open":{"reference":"r1"}}"#);
        assert_eq!(Request::decode(&payload).unwrap(), request);
        for n_bytes in 0..payload.len() {
            Request::decode(&payload[..n_bytes]).unwrap_err();
        }
        for answer in
            [Answer::Text("xyz".to_owned()), Answer::fault(FaultKind::NotFound, "nothing there")]
        {
            assert_eq!(Answer::decode(&answer.encode()).unwrap(), answer);
        }
        let odd = Answer::decode(br#"{"fault":{"kind":"on_fire","message":"hot"}}"#).unwrap();
        assert_eq!(odd, Answer::fault(FaultKind::Other, "hot"));
    }

    #[test]
    fn what_is_opened_is_not_shown() {
        assert_eq!(format!("{:?}", Answer::Text("xyz".to_owned())), "Text(…)");
    }
}

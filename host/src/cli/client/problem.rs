//! A problem document (RFC 9457), as the client received it.
//!
//! Keeps the bytes, so that `-o json` shows what the daemon said; reads of it what a person needs.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;

use crate::cli::output::clean;

/// See the module.
#[derive(Debug)]
pub(crate) struct Problem {
    /// As received.
    pub(crate) document: Bytes,
    members: Members,
}

#[derive(Debug, Deserialize)]
struct Members {
    title: String,
    status: u16,
    code: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    errors: Vec<FieldError>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    operation_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    pointer: String,
    message: String,
}

impl Problem {
    /// The problem in `document`, if it is one.
    pub(crate) fn read(document: &[u8]) -> Option<Self> {
        let members = serde_json::from_slice(document).ok()?;
        Some(Self { document: Bytes::copy_from_slice(document), members })
    }

    /// Its HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.members.status
    }
}

/// As a person reads it: what happened, the fields concerned, what to do, under which number to ask.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Members { title, status, code, detail, hint, errors, request_id, operation_id } =
            &self.members;
        write!(f, "{}", clean(detail.as_deref().unwrap_or(title)))?;
        for FieldError { pointer, message } in errors {
            write!(f, "\n  {}: {}", clean(pointer), clean(message))?;
        }
        if let Some(hint) = hint {
            write!(f, "\n  hint: {}", clean(hint))?;
        }
        write!(f, "\n  code: {} ({status})", clean(code))?;
        for (what, id) in [("request", request_id), ("operation", operation_id)] {
            if let Some(id) = id {
                write!(f, "\n  {what}: {}", clean(id))?;
            }
        }
        Ok(())
    }
}

//! JSON, member by member, into a buffer.

use std::io::Write as _;

use serde::Serialize;

use super::{Available, LastOperation};
use crate::resource::condition::PLUGIN_AVAILABLE;
use crate::resource::query::FieldMask;
use crate::timestamp::{TEXT_BYTES, Timestamp};

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Members<'o> {
    out: &'o mut Vec<u8>,
    wanted: Option<&'o FieldMask>,
    separator: u8,
}

impl<'o> Members<'o> {
    pub(super) fn begin(out: &'o mut Vec<u8>, wanted: Option<&'o FieldMask>) -> Self {
        Self { out, wanted, separator: b'{' }
    }

    pub(super) fn end(self) {
        if self.separator == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }

    pub(super) fn text(&mut self, name: &str, value: Option<&str>) {
        self.value(name, &value);
    }

    pub(super) fn integer(&mut self, name: &str, value: Option<i64>) {
        self.value(name, &value);
    }

    pub(super) fn number(&mut self, name: &str, value: Option<f64>) {
        self.value(name, &value);
    }

    pub(super) fn boolean(&mut self, name: &str, value: Option<bool>) {
        self.value(name, &value);
    }

    /// JSON that is text already.
    pub(super) fn json(&mut self, name: &str, text: Option<&str>) {
        if self.name(name) {
            self.out.extend_from_slice(text.unwrap_or("null").as_bytes());
        }
    }

    /// The conditions that are kept, and that of the plugin.
    pub(super) fn conditions(&mut self, kept: &str, available: Available, generation: i64) {
        if !self.name("conditions") {
            return;
        }
        let kept = kept.strip_suffix(']').unwrap_or("[");
        self.out.extend_from_slice(kept.as_bytes());
        if kept.len() > 1 {
            self.out.push(b',');
        }
        let (status, reason, message, since): (_, _, _, Timestamp) = match available {
            Available::Since(since) => ("True", "Serving", "", since),
            Available::NotSince(since) => (
                "False",
                "NotServing",
                "nothing of the element serves; what is shown is what is kept",
                since,
            ),
        };
        let mut own = Members::begin(self.out, None);
        own.text("type", Some(PLUGIN_AVAILABLE));
        own.text("status", Some(status));
        own.text("reason", Some(reason));
        own.text("message", Some(message));
        own.text("last_transition_at", Some(since.write(&mut [0; TEXT_BYTES])));
        own.integer("observed_generation", Some(generation));
        own.end();
        self.out.push(b']');
    }

    /// The last operation; nothing of it is known but its id when it was forgotten.
    pub(super) fn operation(&mut self, id: Option<&str>, last: Option<LastOperation<'_>>) {
        if !self.name("last_operation") {
            return;
        }
        let (Some(id), Some(last)) = (id, last) else {
            self.out.extend_from_slice(b"null");
            return;
        };
        let LastOperation { kind, state, percent, description } = last;
        let mut own = Members::begin(self.out, None);
        own.text("id", Some(id));
        own.text("kind", Some(kind));
        own.text("state", Some(state));
        own.integer("percent", Some(percent));
        own.text("description", Some(description));
        own.end();
    }

    fn value(&mut self, name: &str, value: &impl Serialize) {
        if self.name(name) {
            let written = serde_json::to_writer(&mut *self.out, value);
            written.expect("memory takes what is written to it");
        }
    }

    /// Writes the name of a member, if that is wanted. Names need no escaping.
    fn name(&mut self, name: &str) -> bool {
        if self.wanted.is_some_and(|wanted| !wanted.has(name)) {
            return false;
        }
        self.out.push(self.separator);
        self.separator = b',';
        let written = write!(self.out, "\"{name}\":");
        written.expect("memory takes what is written to it");
        true
    }
}

//! Until when what is signed is believed.
//!
//! Timestamps are what keeps a reader from being shown an old state for ever, so theirs is the one to
//! shorten, together with a job that calls `refresh`. The defaults are long: a repository that nobody looks
//! after goes on working for a year.

use jiff::{Span, Timestamp, ToSpan, tz::TimeZone};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expires {
    /// Until when the keys are believed.
    pub root: Timestamp,
    /// Until when it is believed what there is.
    pub targets: Timestamp,
    /// Until when it is believed what belongs together.
    pub snapshot: Timestamp,
    /// Until when the newest is believed to be that.
    pub timestamp: Timestamp,
}

impl Expires {
    /// What is signed now: root in ten years, the others in one.
    #[must_use]
    pub fn from_now() -> Self {
        let year = after(1.year()).expect("a year from now is a date");
        let root = after(10.years()).expect("ten years from now is a date");
        Self { root, targets: year, snapshot: year, timestamp: year }
    }

    /// The same, with timestamps that expire after `span`; nothing if that is beyond what dates can say.
    #[must_use]
    pub fn with_timestamp_after(self, span: Span) -> Option<Self> {
        Some(Self { timestamp: after(span)?, ..self })
    }
}

/// The moment a span from now, in whole seconds, as the format wants them.
fn after(span: Span) -> Option<Timestamp> {
    let then = Timestamp::now().to_zoned(TimeZone::UTC).checked_add(span).ok()?;
    Timestamp::from_second(then.timestamp().as_second()).ok()
}

//! Until when what is signed is believed.
//!
//! Timestamps are what keeps a reader from being shown an old state for ever, so theirs is the one to
//! shorten, together with a job that calls `refresh`. The defaults are long: a repository that nobody looks
//! after goes on working for a year.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use thiserror::Error;

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

/// The text is not a span of time.
#[derive(Debug, Error)]
#[error("`{0}` is not a span of time: wanted something like `30d`, `12h` or `1 year`")]
pub struct InvalidSpan(String);

impl Expires {
    /// What is signed now: root in ten years, the others in one.
    #[must_use]
    pub fn from_now() -> Self {
        let year = after(1.year()).expect("a year from now is a date");
        let root = after(10.years()).expect("ten years from now is a date");
        Self { root, targets: year, snapshot: year, timestamp: year }
    }

    /// The same, with timestamps that expire after `span`: `30d`, `12h`, `1 year`.
    ///
    /// # Errors
    /// When that is no span, or leads beyond what dates can say.
    pub fn with_timestamp_after(self, span: &str) -> Result<Self, InvalidSpan> {
        let timestamp = span.parse().ok().and_then(after);
        let timestamp = timestamp.ok_or_else(|| InvalidSpan(span.to_owned()))?;
        Ok(Self { timestamp, ..self })
    }
}

/// The moment a span from now, in whole seconds, as the format wants them.
fn after(span: Span) -> Option<Timestamp> {
    let then = Timestamp::now().to_zoned(TimeZone::UTC).checked_add(span).ok()?;
    Timestamp::from_second(then.timestamp().as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_words_of_time() {
        let now = Expires::from_now();
        for good in ["30d", "12h", "1 year", "1s"] {
            let sooner = now.with_timestamp_after(good).unwrap();
            assert!(sooner.timestamp <= now.timestamp, "{good}");
            assert_eq!(sooner.snapshot, now.snapshot);
        }
        for bad in ["", "soon", "30", "90000 years"] {
            now.with_timestamp_after(bad).expect_err(bad);
        }
    }
}

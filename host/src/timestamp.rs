//! A moment, as the store keeps it and the API shows it.
//!
//! Guarantees: UTC, whole milliseconds, written as RFC 3339 with three digits and `Z`, so that what was shown is
//! what was kept, on both databases. Not here: durations, and clocks that never go back (`Instant`).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// How long its text is.
pub(crate) const TEXT_BYTES: usize = "2026-02-03T04:05:06.000Z".len();

/// A moment in UTC, to the millisecond.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("format" = "date-time"), inline)]
pub(crate) struct Timestamp(OffsetDateTime);

/// A text that is no moment.
#[derive(Debug, thiserror::Error)]
#[error("it is not a time like 2026-01-31T23:59:59Z, between the years 0 and 9999")]
pub(crate) struct Invalid;

impl Timestamp {
    /// What the system's clock says.
    pub(crate) fn now() -> Self {
        Self::from(OffsetDateTime::now_utc())
    }

    /// It as text, which is always as long.
    pub(crate) fn write(self, room: &mut [u8; TEXT_BYTES]) -> &str {
        *room = *b"0000-00-00T00:00:00.000Z";
        let (year, month, day) = self.0.to_calendar_date();
        let year = u32::try_from(year).unwrap_or_default();
        for (value, digits) in [
            (year, 0..4),
            (u32::from(u8::from(month)), 5..7),
            (u32::from(day), 8..10),
            (u32::from(self.0.hour()), 11..13),
            (u32::from(self.0.minute()), 14..16),
            (u32::from(self.0.second()), 17..19),
            (u32::from(self.0.millisecond()), 20..23),
        ] {
            let mut rest = value;
            for digit in room[digits].iter_mut().rev() {
                *digit += u8::try_from(rest % 10).expect("a digit is below 10");
                rest /= 10;
            }
        }
        str::from_utf8(room).expect("digits and punctuation are ASCII")
    }

    /// It as the store's rows have it.
    pub(crate) fn into_inner(self) -> OffsetDateTime {
        self.0
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        let moment = moment.to_offset(UtcOffset::UTC);
        let whole = moment.replace_millisecond(moment.millisecond());
        Self(whole.expect("a millisecond that a moment has is one that it may have"))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write(&mut [0; TEXT_BYTES]))
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
        // An offset can lead out of the years that can be written.
        let moment = moment.and_then(|moment| moment.checked_to_offset(UtcOffset::UTC));
        let moment = moment.filter(|moment| (0..=9_999).contains(&moment.year()));
        moment.map(Self::from).ok_or(Invalid)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn it_is_shown_in_utc_with_three_digits() {
        let cases = [
            (datetime!(2026-02-03 04:05:06 UTC), "2026-02-03T04:05:06.000Z"),
            (datetime!(2026-02-03 04:05:06.120_999_999 UTC), "2026-02-03T04:05:06.120Z"),
            (datetime!(2026-02-03 01:05:06.7 +03:00), "2026-02-02T22:05:06.700Z"),
        ];
        for (moment, shown) in cases {
            assert_eq!(Timestamp::from(moment).to_string(), shown);
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let now = Timestamp::now();
        let text = serde_json::to_string(&now).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), now);
        for text in ["yesterday", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}

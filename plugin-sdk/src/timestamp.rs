//! Moments as the API writes them.

use std::fmt;

use plugin_abi::value::{Value, ValueType};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use crate::db::{FromValue, Mismatch, Params, ToValue};

/// A moment in UTC, to the millisecond: in JSON `2026-01-31T23:59:59.000Z`, in the database a `timestamptz`.
///
/// ```
/// use plugin_sdk::Timestamp;
///
/// let moment: Timestamp = "2026-01-31T23:59:59.0001+00:00".parse()?;
/// assert_eq!(moment.to_string(), "2026-01-31T23:59:59.000Z");
/// # Ok::<(), plugin_sdk::time::error::Parse>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        OffsetDateTime::now_utc().into()
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        let time = time.to_offset(UtcOffset::UTC);
        let millisecond = time.replace_millisecond(time.millisecond());
        Self(millisecond.expect("a time's own millisecond is in range"))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(Timestamp(time): Timestamp) -> Self {
        time
    }
}

impl std::str::FromStr for Timestamp {
    type Err = time::error::Parse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OffsetDateTime::parse(text, &Rfc3339).map(Self::from)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        let (hour, minute, second, millisecond) = self.0.time().as_hms_milli();
        let month = u8::from(month);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format!("`{text}` is no time: {error}")))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl ToValue for Timestamp {
    const TYPE: ValueType = ValueType::Timestamp;

    fn write_value(&self, params: &mut Params) {
        self.0.write_value(params);
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value<'_>) -> Result<Self, Mismatch> {
        let time = OffsetDateTime::from_value(value);
        time.map(Self::from).map_err(|mismatch| Mismatch { wanted: "Timestamp", ..mismatch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_has_the_same_length_and_comes_back() {
        for moment in [Timestamp::from(OffsetDateTime::UNIX_EPOCH), Timestamp::now()] {
            let json = serde_json::to_string(&moment).unwrap();
            assert_eq!(json.len(), "\"1970-01-01T00:00:00.000Z\"".len(), "{json}");
            assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), moment);
        }
        let error = serde_json::from_str::<Timestamp>("\"soon\"").unwrap_err();
        assert!(error.to_string().starts_with("`soon` is no time: "), "{error}");
    }
}

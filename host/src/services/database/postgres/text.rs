//! Values of PostgreSQL that have no tag, as the text that PostgreSQL itself would write (`ISO` dates, intervals in the
//! style `iso_8601`).

use std::fmt::Write as _;

use time::{Date, Duration, Time};

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `numeric`.
    Numeric,
    /// `date`.
    Date,
    /// `time`.
    Time,
    /// `interval`.
    Interval,
}

/// The text of a binary form, or `None` when it is none.
pub(super) fn write(kind: Kind, bytes: &[u8]) -> Option<String> {
    match kind {
        Kind::Numeric => numeric(bytes),
        Kind::Date => date(i32::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Time => clock(i64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Interval => interval(bytes),
    }
}

/// Digits of base 10 000 with the weight of the first, a sign and the number of decimals to show.
fn numeric(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks(2).map(|word| word.try_into().ok().map(i16::from_be_bytes));
    let mut next = || words.next().flatten();
    let (n_digits, weight, sign, scale) = (next()?, next()?, next()?.cast_unsigned(), next()?);
    let digits = (0..n_digits).map(|_idx| next()).collect::<Option<Vec<_>>>()?;
    let mut text = String::new();
    match sign {
        0x0000 => {}
        0x4000 => text.push('-'),
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _unknown => return None,
    }
    let digit = |position: i16| {
        let idx = usize::try_from(weight - position).ok()?;
        digits.get(idx).copied()
    };
    let whole: String =
        (0..=weight.max(0)).rev().map(|at| format!("{:04}", digit(at).unwrap_or(0))).collect();
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    let n_decimals = usize::try_from(scale).ok()?;
    if n_decimals > 0 {
        let n_groups = i16::try_from(n_decimals.div_ceil(4)).ok()?;
        let decimals: String =
            (1..=n_groups).map(|at| format!("{:04}", digit(-at).unwrap_or(0))).collect();
        text.push('.');
        text.push_str(decimals.get(..n_decimals)?);
    }
    Some(text)
}

/// Days since 2000.
fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => return Some("infinity".to_owned()),
        i32::MIN => return Some("-infinity".to_owned()),
        _finite => {}
    }
    let start = Date::from_calendar_date(2000, time::Month::January, 1).ok()?;
    let date = start.checked_add(Duration::days(days.into()))?;
    Some(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
}

/// Microseconds since midnight.
fn clock(us: i64) -> Option<String> {
    // PostgreSQL knows a `24:00:00` at the end of a day.
    if us == 86_400_000_000 {
        return Some("24:00:00".to_owned());
    }
    let time = Time::MIDNIGHT + Duration::microseconds(us);
    let (hour, minute, second) = time.as_hms();
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    push_fraction(&mut text, i64::from(time.microsecond()));
    Some(text)
}

/// Microseconds, days and months, each on its own.
fn interval(bytes: &[u8]) -> Option<String> {
    let (us, rest) = bytes.split_first_chunk::<8>()?;
    let (days, months) = rest.split_first_chunk::<4>()?;
    let us = i64::from_be_bytes(*us);
    let days = i32::from_be_bytes(*days);
    let months = i32::from_be_bytes(months.try_into().ok()?);
    let mut text = "P".to_owned();
    let part = |text: &mut String, number: i64, unit: char| {
        if number != 0 {
            // Writing to a String does not fail.
            let _written = write!(text, "{number}{unit}");
        }
    };
    part(&mut text, i64::from(months / 12), 'Y');
    part(&mut text, i64::from(months % 12), 'M');
    part(&mut text, i64::from(days), 'D');
    if us != 0 {
        text.push('T');
        part(&mut text, us / 3_600_000_000, 'H');
        part(&mut text, us / 60_000_000 % 60, 'M');
        let seconds = us % 60_000_000;
        if seconds != 0 {
            text.push_str(if seconds < 0 { "-" } else { "" });
            let _written = write!(text, "{}", seconds.abs() / 1_000_000);
            push_fraction(&mut text, seconds.abs() % 1_000_000);
            text.push('S');
        }
    }
    Some(if text == "P" { "PT0S".to_owned() } else { text })
}

fn push_fraction(text: &mut String, us: i64) {
    if us != 0 {
        let fraction = format!(".{us:06}");
        text.push_str(fraction.trim_end_matches('0'));
    }
}

use std::{fmt, time::Duration};

use jiff::{
    SignedDuration,
    civil::{Date, DateTime},
};

use crate::serde_text::as_text;

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Shown as the contract writes it: `2026-06-10T08:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 date and time with an offset, or is outside the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an RFC 3339 date and time with an offset and at most nine decimals, like 2030-01-31T08:00:00Z"
)]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The moment `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `duration` later, to the millisecond.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The moment `duration` earlier, to the millisecond.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Reads RFC 3339 section 5.6 `date-time`; what is finer than a millisecond is cut off.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        let (local, offset_minutes) = split_rfc3339(text).ok_or(InvalidTimestamp)?;
        let local: DateTime = local.parse().map_err(|_| InvalidTimestamp)?;
        let millis = millis_since_epoch(local) - offset_minutes * 60_000;
        let within = (FIRST..=LAST).contains(&millis);
        within.then_some(Self(millis)).ok_or(InvalidTimestamp)
    }
}

const MILLIS_PER_DAY: i64 = 24 * 3_600 * 1_000;
/// 0000-01-01T00:00:00.000Z
const FIRST: i64 = -719_528 * MILLIS_PER_DAY;
/// 9999-12-31T23:59:59.999Z
const LAST: i64 = 2_932_897 * MILLIS_PER_DAY - 1;
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The milliseconds from the epoch to a moment on a clock in UTC. jiff's own moments end a day
/// before the year 9999 does.
fn millis_since_epoch(moment: DateTime) -> i64 {
    let days = moment.date().duration_since(EPOCH).as_hours() / 24;
    let time = moment.time();
    let seconds =
        (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    days * MILLIS_PER_DAY + seconds * 1_000 + i64::from(time.subsec_nanosecond() / 1_000_000)
}

/// `YYYY-MM-DDTHH:MM:SS[.f]`, and how many minutes `Z` or `±HH:MM` is from UTC. jiff reads more than RFC
/// 3339 allows, so the form is checked here and jiff checks the values.
fn split_rfc3339(text: &str) -> Option<(&str, i64)> {
    const DATE_TIME: &str = "0000-00-00T00:00:00";
    let (head, rest) = text.split_at_checked(DATE_TIME.len())?;
    // jiff would take the leap second :60 for :59.
    if !matches_form(head.as_bytes(), DATE_TIME.as_bytes()) || head.ends_with("60") {
        return None;
    }
    let offset = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let fraction = &rest[..rest.len() - offset.len()];
    let digits = fraction.strip_prefix('.').unwrap_or("0");
    let is_fraction =
        (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let local = &text[..head.len() + fraction.len()];
    let is_fraction = is_fraction && (fraction.is_empty() || fraction.starts_with('.'));
    is_fraction.then_some((local, parse_offset(offset)?))
}

fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let bytes = text.as_bytes();
    let sign = match bytes.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if !matches_form(&bytes[1..], b"00:00") {
        return None;
    }
    let hours: i64 = text[1..3].parse().ok()?;
    let minutes: i64 = text[4..6].parse().ok()?;
    let valid = hours < 24 && minutes < 60;
    valid.then_some(sign * (hours * 60 + minutes))
}

fn matches_form(text: &[u8], form: &[u8]) -> bool {
    text.len() == form.len()
        && text.iter().zip(form).all(|(byte, expected)| {
            if *expected == b'0' {
                byte.is_ascii_digit()
            } else {
                byte.eq_ignore_ascii_case(expected)
            }
        })
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (
            self.0.div_euclid(MILLIS_PER_DAY),
            self.0.rem_euclid(MILLIS_PER_DAY),
        );
        let date = EPOCH.checked_add(SignedDuration::from_hours(days.saturating_mul(24)));
        let Ok(date) = date else {
            return write!(f, "{}ms", self.0);
        };
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

as_text!(Timestamp, Timestamp::parse_rfc3339);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_three_decimals_and_z() {
        for (millis, shown) in [
            (1_781_078_400_000, "2026-06-10T08:00:00.000Z"),
            (1_781_078_400_007, "2026-06-10T08:00:00.007Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (FIRST, "0000-01-01T00:00:00.000Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), shown);
        }
    }

    #[test]
    fn reads_rfc3339_and_cuts_to_the_millisecond() {
        for text in [
            "2026-06-10T08:00:00Z",
            "2026-06-10t08:00:00z",
            "2026-06-10T10:00:00+02:00",
            "2026-06-10T08:00:00.0009Z",
            "2026-06-10T08:00:00.000999999Z",
        ] {
            assert_eq!(
                Timestamp::parse_rfc3339(text),
                Ok(Timestamp::from_millis(1_781_078_400_000)),
                "{text}"
            );
        }
    }

    #[test]
    fn the_last_moment_of_the_year_9999_is_the_last() {
        for (text, valid) in [
            ("9999-12-31T23:59:59.999Z", true),
            ("9999-12-31T23:59:59-00:01", false),
            ("0000-01-01T00:00:00Z", true),
            ("0000-01-01T00:00:00+00:01", false),
        ] {
            let read = Timestamp::parse_rfc3339(text);
            assert_eq!(read.is_ok(), valid, "{text}");
            if let Ok(moment) = read {
                let shown = moment.to_string();
                assert_eq!(Timestamp::parse_rfc3339(&shown), Ok(moment), "{shown}");
            }
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "2026-06-10",
            "2026-06-10T08:00:00",
            "2026-06-10 08:00:00Z",
            "2026-06-10T08:00Z",
            "2026-02-30T08:00:00Z",
            "2026-06-10T25:00:00Z",
            "10000-01-01T00:00:00Z",
            "2026-06-10T08:00:00.123456789012Z",
            "2026-06-10T08:00:00.Z",
            "2026-06-10T08:00:00+0200",
            "2026-06-10T08:00:00+24:00",
            "2026-06-10T08:00:00+02:60",
            "2026-06-10T08:00:60Z",
            "2026-06-10T08:00:00..1Z",
            "2026-06-10T08:00:000Z",
            "ü026-06-10T08:00:00Z",
            "2026-06-10T08:00:00Z[UTC]",
            "2026-06-10T08:00:00\u{2212}02:00",
        ] {
            assert_eq!(
                Timestamp::parse_rfc3339(text),
                Err(InvalidTimestamp),
                "{text}"
            );
        }
    }
}

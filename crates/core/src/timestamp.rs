use std::{fmt, time::Duration};

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Shown as the contract writes it: `2026-06-10T08:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// The text is no RFC 3339 date and time with an offset, or lies outside the years 0 to 9999.
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

    /// Reads RFC 3339 section 5.6 `date-time`; what is finer than a millisecond is cut off.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        if !has_rfc3339_form(text.as_bytes()) {
            return Err(InvalidTimestamp);
        }
        let moment: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        let millis = moment.as_nanosecond().div_euclid(1_000_000);
        i64::try_from(millis)
            .map(Self)
            .map_err(|_| InvalidTimestamp)
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.f]` and `Z` or `±HH:MM`. jiff reads more than RFC 3339 allows, so the
/// form is checked first and jiff checks the values.
fn has_rfc3339_form(text: &[u8]) -> bool {
    const DATE_TIME: &[u8] = b"0000-00-00T00:00:00";
    let Some((head, mut rest)) = text.split_at_checked(DATE_TIME.len()) else {
        return false;
    };
    if !matches_form(head, DATE_TIME) {
        return false;
    }
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        rest = &fraction[digits..];
    }
    matches!(rest, b"Z" | b"z") || matches_form(rest, b"+00:00") || matches_form(rest, b"-00:00")
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
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_three_decimals_and_z() {
        for (millis, shown) in [
            (1_781_078_400_000, "2026-06-10T08:00:00.000Z"),
            (1_781_078_400_007, "2026-06-10T08:00:00.007Z"),
            (0, "1970-01-01T00:00:00.000Z"),
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

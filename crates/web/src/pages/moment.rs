use std::time::Duration;

use keygate_core::Timestamp;

/// A moment, for people: a script shows it in the reader's time zone, and without one it is UTC.
pub(crate) struct Moment {
    /// RFC 3339.
    pub(crate) iso: String,
    /// `10 Jun 2026, 08:00 UTC`
    pub(crate) exact: String,
    /// `3 minutes ago`, or the day where that is far away.
    pub(crate) relative: String,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// From so many days on a date says more than their number.
const FAR: u64 = 30 * DAY;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl Moment {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        let iso = at.to_string();
        Self {
            exact: exact(&iso),
            relative: relative(at, now).unwrap_or_else(|| day(&iso)),
            iso,
        }
    }
}

/// Which day since the epoch it is in UTC.
fn calendar_day(at: Timestamp) -> i64 {
    at.as_millis()
        .div_euclid(i64::try_from(DAY * 1_000).unwrap_or(i64::MAX))
}

/// `10 Jun 2026, 08:00 UTC`, of a time in RFC 3339 and UTC.
pub(crate) fn exact(iso: &str) -> String {
    format!("{}, {} UTC", day(iso), iso.get(11..16).unwrap_or_default())
}

/// `10 Jun 2026`
pub(crate) fn day(iso: &str) -> String {
    let part = |range: std::ops::Range<usize>| iso.get(range).unwrap_or_default();
    let month = part(5..7).parse().unwrap_or(1_usize);
    let month = MONTHS.get(month.saturating_sub(1)).unwrap_or(&"");
    format!(
        "{} {month} {}",
        part(8..10).trim_start_matches('0'),
        part(0..4)
    )
}

fn relative(at: Timestamp, now: Timestamp) -> Option<String> {
    let millis = at.as_millis().abs_diff(now.as_millis());
    let seconds = Duration::from_millis(millis).as_secs();
    let is_ahead = at > now;
    // Days are those of the calendar: tomorrow begins at midnight, not in 24 hours.
    let days = calendar_day(at).abs_diff(calendar_day(now));
    // What is ahead is rounded: a week is not six days as soon as it has begun.
    let count = |unit| (seconds + if is_ahead { unit / 2 } else { 0 }) / unit;
    let (count, unit) = match seconds {
        FAR.. => return None,
        DAY.. => (days, "day"),
        HOUR.. => (count(HOUR), "hour"),
        MINUTE.. => (count(MINUTE), "minute"),
        _ if is_ahead => return Some("in a moment".into()),
        _ => return Some("just now".into()),
    };
    Some(match (count, unit, is_ahead) {
        (1, "day", true) => "tomorrow".into(),
        (1, "day", false) => "yesterday".into(),
        (1, _, true) => format!("in 1 {unit}"),
        (1, _, false) => format!("1 {unit} ago"),
        (_, _, true) => format!("in {count} {unit}s"),
        (_, _, false) => format!("{count} {unit}s ago"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_781_078_400_000);

    fn shown(seconds: i64) -> String {
        let at = Timestamp::from_millis(NOW.as_millis() + seconds * 1_000);
        Moment::new(at, NOW).relative
    }

    #[test]
    fn what_is_near_is_told_by_its_distance() {
        for (seconds, expected) in [
            (0, "just now"),
            (-59, "just now"),
            (-60, "1 minute ago"),
            (-3_599, "59 minutes ago"),
            (-7_200, "2 hours ago"),
            (-86_400, "yesterday"),
            (-3 * 86_400, "3 days ago"),
            (30, "in a moment"),
            (3_600, "in 1 hour"),
            (86_400, "tomorrow"),
            (40 * 3_600 - 1, "tomorrow"),
            (40 * 3_600, "in 2 days"),
            (-32 * 3_600, "yesterday"),
            (-32 * 3_600 - 1, "2 days ago"),
            (30 * 86_400 - 1, "in 30 days"),
            (30 * 86_400, "10 Jul 2026"),
            (-40 * 86_400, "1 May 2026"),
        ] {
            assert_eq!(shown(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn the_exact_moment_is_there_in_utc() {
        let moment = Moment::new(NOW, NOW);
        assert_eq!(moment.exact, "10 Jun 2026, 08:00 UTC");
        assert_eq!(moment.iso, "2026-06-10T08:00:00.000Z");
    }
}

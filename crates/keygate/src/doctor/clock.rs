//! This machine's clock, beside others' and beside what was written down.

use std::time::Duration;

use keygate_core::{Clock, SystemClock, Timestamp};

use super::{Clocks, Finding, Reading};

const CHECK: &str = "clock";
/// How far ahead of this clock what is on record may be.
const TOLERANCE: Duration = Duration::from_secs(5);

pub(super) fn check(clocks: &Clocks) -> Vec<Finding> {
    let mut found: Vec<Finding> = clocks.readings.iter().filter_map(apart).collect();
    let now = SystemClock.now();
    found.extend(
        clocks
            .newest_entry
            .and_then(|entry| from_the_future(entry, now)),
    );
    if found.is_empty() {
        found.push(Finding::ok(CHECK, agreement(&clocks.readings)));
    }
    found
}

fn agreement(readings: &[Reading]) -> String {
    if readings.is_empty() {
        return format!(
            "It is {}; there is no other to compare it with.",
            SystemClock.now()
        );
    }
    let whose: Vec<&str> = readings.iter().map(|reading| &*reading.whose).collect();
    format!("It agrees with that of {}.", whose.join(", "))
}

fn apart(reading: &Reading) -> Option<Finding> {
    let millis = reading.ours.as_millis() - reading.theirs.as_millis();
    let difference = Duration::from_millis(millis.unsigned_abs());
    if difference <= reading.tolerance {
        return None;
    }
    let direction = if millis > 0 { "ahead of" } else { "behind" };
    Some(Finding::wrong(
        CHECK,
        format!(
            "This machine's clock is {} {direction} that of {}.",
            seconds(difference),
            reading.whose
        ),
        "Synchronize both by NTP (timedatectl set-ntp true): keys and sessions expire by this clock.",
    ))
}

fn from_the_future(entry: Timestamp, now: Timestamp) -> Option<Finding> {
    let millis = u64::try_from(entry.as_millis() - now.as_millis()).ok()?;
    let difference = Duration::from_millis(millis);
    (difference > TOLERANCE).then(|| {
        Finding::wrong(
            CHECK,
            format!("The newest audit entry is {} in the future.", seconds(difference)),
            "This clock was ahead then or is behind now: synchronize it by NTP (timedatectl set-ntp true).",
        )
    })
}

fn seconds(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_tolerance_is_too_much() {
        let now = Timestamp::from_millis(1_781_078_400_000);
        for (ours, theirs, expected) in [
            (5_000, 0, None),
            (0, 5_000, None),
            (6_000, 0, Some("6s ahead of")),
            (0, 3_600_000, Some("1h behind")),
        ] {
            let at = |millis| now.plus(Duration::from_millis(millis));
            let (ours, theirs) = (at(ours), at(theirs));
            let whose = "another".to_owned();
            let found = apart(&Reading {
                whose,
                theirs,
                ours,
                tolerance: TOLERANCE,
            });
            assert_eq!(found.is_some(), expected.is_some());
            if let (Some(found), Some(expected)) = (found, expected) {
                assert!(found.message.contains(expected), "{}", found.message);
            }
        }
        let later = now.plus(Duration::from_secs(6));
        assert!(from_the_future(later, now).is_some());
        assert!(from_the_future(now, later).is_none());
    }
}

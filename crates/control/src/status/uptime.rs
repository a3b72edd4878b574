use std::time::Duration;

use keygate_core::Timestamp;
use keygate_storage::{Rollup, Tally};

/// How a component did over some time, by its probes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uptime {
    /// How many probes succeeded and failed.
    pub tally: Tally,
    /// For how much of the time it is known how it did.
    pub known_ms: u64,
    /// How long the time was.
    pub window_ms: u64,
}

impl Uptime {
    /// Which part of the probes succeeded, in hundredths of a percent, rounded; never all of them if
    /// one failed, nor none if one succeeded. `None` without probes.
    pub fn basis_points(&self) -> Option<u32> {
        part(self.tally.up, self.tally.up + self.tally.down)
    }

    /// For which part of the time it is known how it did, in hundredths of a percent.
    pub fn known_basis_points(&self) -> u32 {
        part(self.known_ms.min(self.window_ms), self.window_ms).unwrap_or(0)
    }

    /// What these rollups say in sum for the time from `since` to `now`. Its edges are seldom those of
    /// probes: if no more than `max_gap` is missing, all of it is known.
    pub(super) fn of_rollups<'a>(
        rollups: impl IntoIterator<Item = &'a Rollup>,
        since: Timestamp,
        now: Timestamp,
        max_gap: Duration,
    ) -> Self {
        let window = now.as_millis() - since.as_millis();
        let begin = Self {
            window_ms: u64::try_from(window).unwrap_or(0),
            ..Self::default()
        };
        let mut sum = rollups.into_iter().fold(begin, |sum, rollup| Self {
            tally: Tally {
                up: sum.tally.up + rollup.tally.up,
                down: sum.tally.down + rollup.tally.down,
            },
            known_ms: sum.known_ms + rollup.known_ms,
            ..sum
        });
        let missing = Duration::from_millis(sum.window_ms.saturating_sub(sum.known_ms));
        if sum.known_ms > 0 && missing <= max_gap {
            sum.known_ms = sum.window_ms;
        }
        sum
    }
}

const WHOLE: u128 = 10_000;

fn part(some: u64, all: u64) -> Option<u32> {
    if all == 0 {
        return None;
    }
    let (some, all) = (u128::from(some), u128::from(all));
    let rounded = (some * WHOLE + all / 2) / all;
    let honest = match some {
        0 => 0,
        _ if some == all => WHOLE,
        _ => rounded.clamp(1, WHOLE - 1),
    };
    u32::try_from(honest).ok()
}

#[cfg(test)]
mod tests {
    use keygate_core::ComponentId;

    use super::*;

    #[test]
    fn what_is_missing_at_the_edges_is_known() {
        let known = |known_ms| {
            let rollup = Rollup {
                component: ComponentId::storage(),
                starts_at: Timestamp::from_millis(0),
                tally: Tally { up: 1, down: 0 },
                known_ms,
                up_duration_ms: 1,
            };
            let end = Timestamp::from_millis(3_600_000);
            let max_gap = Duration::from_mins(1);
            Uptime::of_rollups([&rollup], rollup.starts_at, end, max_gap).known_basis_points()
        };
        assert_eq!(known(3_540_000), 10_000);
        assert_eq!(known(3_539_999), 9_833);
        assert_eq!(known(3_630_000), 10_000, "some of it was before");
        assert_eq!(known(0), 0);
    }

    #[test]
    fn a_part_is_rounded_but_never_to_all_or_nothing() {
        for (some, all, expected) in [
            (0, 0, None),
            (0, 3, Some(0)),
            (1, 3, Some(3_333)),
            (2, 3, Some(6_667)),
            (3, 3, Some(10_000)),
            (259_199, 259_200, Some(9_999)),
            (1, 259_200, Some(1)),
        ] {
            assert_eq!(part(some, all), expected, "{some} of {all}");
        }
    }
}

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
    time::Duration,
};

use keygate_core::Clock;
use parking_lot::Mutex;

/// How much may be done at once, and how soon one more after that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) every: Duration,
}

impl Rate {
    pub(crate) const fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every }
    }
}

/// How many counts are kept.
const MAX_KEPT: usize = 100_000;

/// Counts things, each by several rates at once: one that any of them refuses counts by none.
///
/// It goes by the generic cell rate algorithm, on the monotonic clock: what is kept of a count is the moment
/// at which all that was counted will have been made up for. What is counted stands here as a hash, so
/// that nobody fills the memory with long names.
pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    made_up_at: Mutex<HashMap<u64, Duration>>,
}

/// What was counted, and can be taken back.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct Counted(Vec<(u64, Rate)>);

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            hasher: RandomState::new(),
            made_up_at: Mutex::default(),
        }
    }

    /// Counts one more of each, or says how long to wait for that.
    pub(crate) fn count<K: Hash>(&self, counts: &[(K, Rate)]) -> Result<Counted, Duration> {
        let hashed = counts.iter();
        let counts = hashed.map(|(key, rate)| (self.hasher.hash_one(key), *rate));
        let counts: Vec<(u64, Rate)> = counts.collect();
        let now = self.clock.monotonic();
        let mut kept = self.made_up_at.lock();
        let wait = |(key, rate): &(u64, Rate)| {
            let made_up_at = kept.get(key).copied().unwrap_or_default();
            let debt = made_up_at.saturating_sub(now) + rate.every;
            debt.saturating_sub(rate.every * rate.burst)
        };
        let wait = counts.iter().map(wait).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        if kept.len() + counts.len() > MAX_KEPT {
            make_room(&mut kept, now);
        }
        for (key, rate) in &counts {
            let made_up_at = kept.entry(*key).or_default();
            *made_up_at = now.max(*made_up_at) + rate.every;
        }
        Ok(Counted(counts))
    }

    /// Takes back what should not have counted.
    pub(crate) fn take_back(&self, Counted(counts): Counted) {
        let mut kept = self.made_up_at.lock();
        for (key, rate) in counts {
            if let Some(made_up_at) = kept.get_mut(&key) {
                *made_up_at = made_up_at.saturating_sub(rate.every);
            }
        }
    }
}

/// Drops what is made up for. Where that is less than half, the half goes that would be made up for first,
/// so that who has counted much does not begin anew.
fn make_room(kept: &mut HashMap<u64, Duration>, now: Duration) {
    kept.retain(|_, made_up_at| *made_up_at > now);
    let most = MAX_KEPT / 2;
    if kept.len() > most {
        let mut all: Vec<(Duration, u64)> = kept.iter().map(|(key, at)| (*at, *key)).collect();
        let dropped = all.len() - most;
        all.select_nth_unstable(dropped);
        for (_, key) in &all[..dropped] {
            kept.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use keygate_core::{ManualClock, Timestamp};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RATE: Rate = Rate::new(3, SECOND);

    fn throttle() -> (Throttle, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        clock.advance_millis(1_000_000);
        (Throttle::new(clock.clone()), clock)
    }

    fn wait(throttle: &Throttle, counts: &[(&str, Rate)]) -> Option<Duration> {
        throttle.count(counts).err()
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let (throttle, clock) = throttle();
        for _ in 0..3 {
            assert_eq!(wait(&throttle, &[("a", RATE)]), None);
        }
        assert_eq!(wait(&throttle, &[("a", RATE)]), Some(SECOND));
        assert_eq!(wait(&throttle, &[("b", RATE)]), None);
        clock.advance_millis(999);
        let rest = Duration::from_millis(1);
        assert_eq!(wait(&throttle, &[("a", RATE)]), Some(rest));
        clock.advance_millis(1);
        assert_eq!(wait(&throttle, &[("a", RATE)]), None);
        assert_eq!(wait(&throttle, &[("a", RATE)]), Some(SECOND));
    }

    #[test]
    fn what_one_rate_refuses_counts_by_none() {
        let (throttle, _) = throttle();
        for _ in 0..3 {
            assert_eq!(wait(&throttle, &[("a", RATE)]), None);
        }
        for _ in 0..10 {
            let both = [("a", RATE), ("b", RATE)];
            assert_eq!(wait(&throttle, &both), Some(SECOND));
        }
        for _ in 0..3 {
            assert_eq!(wait(&throttle, &[("b", RATE)]), None);
        }
    }

    #[test]
    fn what_is_taken_back_did_not_count() {
        let (throttle, _) = throttle();
        for _ in 0..100 {
            let counted = throttle.count(&[("a", RATE)]).expect("within the rate");
            throttle.take_back(counted);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_changes_nothing() {
        let (throttle, clock) = throttle();
        for _ in 0..3 {
            assert_eq!(wait(&throttle, &[("a", RATE)]), None);
        }
        clock.advance_millis(-3_600_000);
        assert_eq!(wait(&throttle, &[("a", RATE)]), Some(SECOND));
        clock.advance_millis(1_000);
        assert_eq!(wait(&throttle, &[("a", RATE)]), None);
    }

    #[test]
    fn memory_is_bounded_and_who_counted_most_stays_counted() {
        let (throttle, _) = throttle();
        for _ in 0..3 {
            assert_eq!(wait(&throttle, &[("guesser", RATE)]), None);
        }
        for number in 0..2 * MAX_KEPT {
            let _ = throttle.count(&[(number, RATE)]);
            assert!(throttle.made_up_at.lock().len() <= MAX_KEPT);
        }
        assert_eq!(wait(&throttle, &[("guesser", RATE)]), Some(SECOND));
    }
}

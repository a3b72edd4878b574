//! Rates: a token bucket that refills evenly, as one number (the generic cell rate algorithm).

use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const MINUTE: u64 = 60 * 1_000_000_000;

/// So much in a minute, and as much at once. In any time `t` at most `limit + limit * t / 60 s` of it can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    limit: NonZeroU64,
    /// The nanoseconds in which one comes back: rounded up, so that what comes back is never more than it should be.
    interval: u64,
}

impl Rate {
    /// `limit` in a minute.
    pub const fn per_minute(limit: NonZeroU64) -> Self {
        Self {
            limit,
            interval: MINUTE.div_ceil(limit.get()),
        }
    }

    /// How much in a minute.
    pub const fn limit(self) -> NonZeroU64 {
        self.limit
    }

    /// The nanoseconds in which so much comes back.
    const fn nanos(self, amount: u64) -> u64 {
        amount.saturating_mul(self.interval)
    }

    /// The nanoseconds in which all of it comes back.
    const fn span(self) -> u64 {
        self.nanos(self.limit.get())
    }
}

/// What is in use of a rate. It is full of what can be taken at first.
///
/// Moments are on one monotonic clock, which may lag.
#[derive(Debug, Default)]
pub struct Bucket {
    /// The moment, in nanoseconds, at which nothing is in use any more, if nothing else is taken.
    free_at: AtomicU64,
}

/// Something that was taken from a [`Bucket`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what is not used of it can be given back"]
pub struct Taken {
    /// Until when at least the bucket has something in use.
    until: u64,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There will be as much after this time, if nobody else takes it.
    For(Duration),
    /// It is more than there can ever be at once.
    ForEver,
}

impl Bucket {
    /// Takes `amount` at the moment `now`: all of it, or nothing.
    pub fn take(&self, rate: Rate, amount: u64, now: Duration) -> Result<Taken, Refused> {
        if amount > rate.limit.get() {
            return Err(Refused::ForEver);
        }
        let now = nanos(now);
        let most = now.saturating_add(rate.span());
        let mut free_at = self.free_at.load(Ordering::Relaxed);
        loop {
            let until = free_at.max(now).saturating_add(rate.nanos(amount));
            if until > most {
                return Err(Refused::For(Duration::from_nanos(until - most)));
            }
            let exchanged = self.free_at.compare_exchange_weak(
                free_at,
                until,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match exchanged {
                Ok(_) => return Ok(Taken { until }),
                Err(other) => free_at = other,
            }
        }
    }

    /// Gives back `amount` of what was taken, less what has come back by itself meanwhile: that may be in use by others.
    pub fn give_back(&self, rate: Rate, taken: Taken, amount: u64, now: Duration) {
        let left = taken.until.saturating_sub(nanos(now));
        let back = rate.nanos(amount).min(left);
        self.update(|free_at| free_at.saturating_sub(back));
    }

    /// Takes `amount` more than there may be: others wait until it has come back.
    pub fn overdraw(&self, rate: Rate, amount: u64, now: Duration) {
        let now = nanos(now);
        self.update(|free_at| free_at.max(now).saturating_add(rate.nanos(amount)));
    }

    /// How much is in use; more than the limit, if it was overdrawn.
    pub fn used(&self, rate: Rate, now: Duration) -> u64 {
        nanos(self.full_after(now)).div_ceil(rate.interval)
    }

    /// In what time nothing is in use any more, if nothing else is taken.
    pub fn full_after(&self, now: Duration) -> Duration {
        let free_at = self.free_at.load(Ordering::Relaxed);
        Duration::from_nanos(free_at.saturating_sub(nanos(now)))
    }

    fn update(&self, change: impl Fn(u64) -> u64) {
        let _ = self
            .free_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free_at| {
                Some(change(free_at))
            });
    }
}

/// A clock shows no more for centuries.
fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn rate(limit: u64) -> Rate {
        Rate::per_minute(NonZeroU64::new(limit).expect("not none"))
    }

    const START: Duration = Duration::from_hours(1);

    #[test]
    fn of_all_that_come_at_once_exactly_so_many_pass() {
        for limit in [1, 7, 60, 1_000] {
            let bucket = Bucket::default();
            let passed = thread::scope(|scope| {
                let callers: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            let takings = (0..limit).map(|_| bucket.take(rate(limit), 1, START));
                            takings.flatten().count()
                        })
                    })
                    .collect();
                let passed = callers.into_iter().map(thread::ScopedJoinHandle::join);
                passed.map(|count| count.expect("it ends")).sum::<usize>()
            });
            assert_eq!(u64::try_from(passed), Ok(limit));
            assert_eq!(bucket.used(rate(limit), START), limit);
        }
    }

    #[test]
    fn whoever_is_refused_passes_after_the_time_that_is_said_and_not_before() {
        for limit in [1, 7, 60, 1_000_000] {
            let (bucket, rate) = (Bucket::default(), rate(limit));
            let _all = bucket.take(rate, limit, START).expect("it is full");
            let Err(Refused::For(wait)) = bucket.take(rate, 1, START) else {
                panic!("{limit}: there is nothing left");
            };
            let before = START + wait.saturating_sub(Duration::from_nanos(1));
            assert!(bucket.take(rate, 1, before).is_err(), "{limit}");
            assert!(bucket.take(rate, 1, START + wait).is_ok(), "{limit}");
        }
        let refused = Bucket::default().take(rate(7), 8, START);
        assert_eq!(refused, Err(Refused::ForEver));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_unless_it_has_come_back_by_itself() {
        let (bucket, rate) = (Bucket::default(), rate(60));
        let taken = bucket.take(rate, 60, START).expect("it is full");
        bucket.give_back(rate, taken, 50, START);
        assert_eq!(bucket.used(rate, START), 10);
        let later = START + Duration::from_mins(2);
        let _all = bucket.take(rate, 60, later).expect("it is full again");
        bucket.give_back(rate, taken, 10, later);
        assert_eq!(bucket.used(rate, later), 60, "others have it");
    }

    #[test]
    fn what_was_used_beyond_the_limit_is_waited_for() {
        let (bucket, rate) = (Bucket::default(), rate(60));
        bucket.overdraw(rate, 90, START);
        assert_eq!(bucket.used(rate, START), 90);
        let wait = Refused::For(Duration::from_secs(31));
        assert_eq!(bucket.take(rate, 1, START), Err(wait));
        assert_eq!(bucket.full_after(START), Duration::from_secs(90));
    }

    /// Something that happens after so many milliseconds.
    #[derive(Debug, Clone, Copy)]
    struct Call {
        after: u64,
        estimate: u64,
        used: u64,
    }

    fn call() -> impl Strategy<Value = Call> {
        (0..20_000_u64, 0..40_u64, 0..40_u64).prop_map(|(after, estimate, used)| Call {
            after,
            estimate,
            used: used.min(estimate),
        })
    }

    proptest! {
        /// Each is given back what it did not use when the next comes.
        #[test]
        fn no_more_is_used_in_any_time_than_the_formula_says(
            limit in 1..100_u64,
            calls in prop::collection::vec(call(), 1..60),
        ) {
            let (bucket, rate) = (Bucket::default(), rate(limit));
            let mut now = START;
            let mut used: Vec<(Duration, u64)> = Vec::new();
            let mut last: Option<(Taken, u64)> = None;
            for call in calls {
                now += Duration::from_millis(call.after);
                if let Some((taken, unused)) = last.take() {
                    bucket.give_back(rate, taken, unused, now);
                }
                let before = bucket.used(rate, now);
                if let Ok(taken) = bucket.take(rate, call.estimate, now) {
                    used.push((now, call.used));
                    last = Some((taken, call.estimate - call.used));
                } else {
                    prop_assert_eq!(bucket.used(rate, now), before, "a refusal takes nothing");
                }
            }
            for (index, (from, _)) in used.iter().enumerate() {
                let mut sum = 0;
                for (to, amount) in &used[index..] {
                    sum += amount;
                    let time = to.saturating_sub(*from);
                    let refilled = u128::from(limit) * time.as_nanos();
                    let most = u128::from(limit * MINUTE) + refilled;
                    prop_assert!(u128::from(sum * MINUTE) <= most, "{sum} from {from:?} to {to:?}");
                }
            }
        }
    }
}

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use keygate_core::{Clock, MONOTONIC_LAG};

/// Until when this process may go by what it has read before.
///
/// Where several processes change one database, a process hears of the others' changes by the
/// change feed. Whoever has read the feed to its end at some moment knows of all that was
/// acknowledged before it. So what is in memory may be used for a term from then on, and no longer:
/// that is how long a revoked key can live elsewhere at most.
pub struct Lease(Option<Limited>);

struct Limited {
    clock: Arc<dyn Clock>,
    term: Duration,
    max_stale: Duration,
    /// On the monotonic clock, in milliseconds; zero until the first proof.
    proved_at: AtomicU64,
    is_lost: AtomicBool,
}

impl Lease {
    /// The lease of a process that has its database to itself.
    pub const fn endless() -> Self {
        Self(None)
    }

    /// A lease that holds for `term` after each proof, of which there was none yet. Where the
    /// operator prefers that to refusals, what is in memory is used beyond it while the database is
    /// away, until it is `max_stale` old.
    pub fn new(clock: Arc<dyn Clock>, term: Duration, max_stale: Duration) -> Self {
        Self(Some(Limited {
            clock,
            term: term.saturating_sub(MONOTONIC_LAG),
            max_stale,
            proved_at: 0.into(),
            is_lost: false.into(),
        }))
    }

    /// Whether what is in memory may be used now.
    pub fn holds(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|limited| limited.age() < limited.term)
    }

    /// Whether what is in memory may be used if the database does not answer.
    pub fn may_be_stale(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|limited| limited.age() < limited.max_stale)
    }

    /// How long ago the reading began that last proved something, if there was one.
    pub(crate) fn age(&self) -> Option<Duration> {
        let age = self.0.as_ref().map(Limited::age);
        age.filter(|age| *age < Duration::MAX)
    }

    /// How old what is in memory is, where it is used though the lease is over, since the database
    /// is away.
    pub fn stale_age(&self) -> Option<Duration> {
        if !self.is_lost() || self.holds() || !self.may_be_stale() {
            return None;
        }
        self.0.as_ref().map(Limited::age)
    }

    /// Whether the last attempt at a proof failed.
    pub fn is_lost(&self) -> bool {
        let lost = |limited: &Limited| limited.is_lost.load(Ordering::Relaxed);
        self.0.as_ref().is_some_and(lost)
    }

    /// Begins a new term: a reading of the feed that began at this monotonic time has reached its end.
    pub fn renew(&self, began: Duration) {
        if let Some(limited) = &self.0 {
            let began = u64::try_from(began.as_millis()).unwrap_or_default();
            limited.proved_at.fetch_max(began, Ordering::SeqCst);
            limited.is_lost.store(false, Ordering::Relaxed);
        }
    }

    /// Notes that a reading failed.
    pub fn lose(&self) {
        if let Some(limited) = &self.0 {
            limited.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

impl Limited {
    fn age(&self) -> Duration {
        let proved_at = self.proved_at.load(Ordering::SeqCst);
        if proved_at == 0 {
            return Duration::MAX;
        }
        let proved_at = Duration::from_millis(proved_at);
        self.clock.monotonic().saturating_sub(proved_at)
    }
}

#[cfg(test)]
mod tests {
    use keygate_core::{ManualClock, Timestamp};

    use super::*;

    const TERM: Duration = Duration::from_secs(1);

    #[test]
    fn a_lease_holds_from_the_beginning_of_the_reading_for_its_term() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        clock.advance_millis(1_000);
        let lease = Lease::new(clock.clone(), TERM, Duration::ZERO);
        assert!(!lease.holds(), "nothing is proved yet");
        let began = clock.monotonic();
        clock.advance_millis(500);
        lease.renew(began);
        clock.advance_millis(489);
        assert!(lease.holds());
        clock.advance_millis(1);
        assert!(!lease.holds(), "its clock may lag by ten milliseconds");
        lease.lose();
        assert!(lease.is_lost());
        lease.renew(clock.monotonic());
        assert!(lease.holds() && !lease.is_lost());
        // A reading that took longer than the next one says nothing new.
        lease.renew(began);
        assert!(lease.holds());
    }

    #[test]
    fn clocks_that_are_set_change_nothing() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        clock.advance_millis(1);
        let lease = Lease::new(clock.clone(), TERM, Duration::ZERO);
        lease.renew(clock.monotonic());
        clock.advance_millis(-3_600_000);
        assert!(lease.holds());
        clock.advance_millis(990);
        assert!(!lease.holds());
    }

    #[test]
    fn stale_memory_is_used_where_the_operator_says_so_and_while_the_database_is_away() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        clock.advance_millis(1);
        let lease = Lease::new(clock.clone(), TERM, Duration::from_mins(1));
        lease.renew(clock.monotonic());
        lease.lose();
        assert_eq!(lease.stale_age(), None, "it holds");
        clock.advance_millis(1_000);
        assert_eq!(lease.stale_age(), Some(TERM));
        clock.advance_millis(58_999);
        assert!(lease.stale_age().is_some());
        clock.advance_millis(1);
        assert_eq!(lease.stale_age(), None, "it is too old");
        lease.renew(clock.monotonic());
        assert_eq!(lease.stale_age(), None);
    }

    #[test]
    fn an_endless_lease_holds() {
        assert!(Lease::endless().holds());
    }
}

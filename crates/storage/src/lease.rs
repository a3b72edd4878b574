use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use keygate_core::{Clock, MONOTONIC_LAG};

/// For how long this process may go by what it has read.
///
/// Where several processes change one database, a process hears of the others' changes by the
/// change feed. Whoever has read the feed to its end at some moment knows of all that was
/// acknowledged before it. So what is in memory may be used for a term from then on, and no longer:
/// that is how long a revoked key can live elsewhere at most. The same goes for the answer to a
/// question that the database was asked at some moment.
///
/// A process can be paused between any two steps and not notice. So whoever decides takes an
/// [`AsOf`] before it reads, and asks whether the lease [covers](Self::covers) it after the decision.
pub struct Lease(Option<Limited>);

/// The moment, on the monotonic clock, as of which something is known: all that was acknowledged
/// before it is taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf(Option<Duration>);

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

    /// As of when the database answers that is asked from now on.
    pub fn as_of_now(&self) -> AsOf {
        let now = |limited: &Limited| limited.clock.monotonic();
        AsOf(Some(self.0.as_ref().map_or(Duration::ZERO, now)))
    }

    /// As of when memory is right. To be taken before the look into memory: what is proved after that
    /// says nothing about what was found there.
    pub fn as_of_memory(&self) -> AsOf {
        let proved_at = self.0.as_ref().map(Limited::proved_at);
        AsOf(proved_at.unwrap_or(Some(Duration::ZERO)))
    }

    /// Whether what is known as of this moment may be acted on now.
    pub fn covers(&self, as_of: AsOf) -> bool {
        self.0
            .as_ref()
            .is_none_or(|limited| limited.age(as_of) < limited.term)
    }

    /// Whether what is known as of this moment may be acted on if the database does not answer.
    pub fn may_be_stale(&self, as_of: AsOf) -> bool {
        self.0
            .as_ref()
            .is_some_and(|limited| limited.age(as_of) < limited.max_stale)
    }

    /// Whether what is in memory may be used now.
    pub fn holds(&self) -> bool {
        self.covers(self.as_of_memory())
    }

    /// For how long a request may wait for an answer of the database; without end where this process
    /// has it to itself.
    pub fn patience(&self) -> Option<Duration> {
        self.0.as_ref().map(|limited| limited.term + MONOTONIC_LAG)
    }

    /// How long ago the reading began that last proved something, if there was one.
    pub(crate) fn age(&self) -> Option<Duration> {
        let age = self.0.as_ref().map(Limited::age_of_memory);
        age.filter(|age| *age < Duration::MAX)
    }

    /// How old what is in memory is, where it is used though the lease is over, since the database
    /// is away.
    pub fn stale_age(&self) -> Option<Duration> {
        let as_of = self.as_of_memory();
        if !self.is_lost() || self.covers(as_of) || !self.may_be_stale(as_of) {
            return None;
        }
        self.0.as_ref().map(|limited| limited.age(as_of))
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
    fn proved_at(&self) -> Option<Duration> {
        let proved_at = self.proved_at.load(Ordering::SeqCst);
        (proved_at != 0).then(|| Duration::from_millis(proved_at))
    }

    fn age_of_memory(&self) -> Duration {
        self.age(AsOf(self.proved_at()))
    }

    fn age(&self, AsOf(moment): AsOf) -> Duration {
        moment.map_or(Duration::MAX, |moment| {
            self.clock.monotonic().saturating_sub(moment)
        })
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
    fn what_is_proved_after_the_look_into_memory_says_nothing_about_it() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        clock.advance_millis(1);
        let lease = Lease::new(clock.clone(), TERM, Duration::ZERO);
        lease.renew(clock.monotonic());
        let looked = lease.as_of_memory();
        clock.advance_millis(1_300);
        lease.renew(clock.monotonic());
        assert!(lease.holds());
        assert!(!lease.covers(looked));
    }

    #[test]
    fn an_answer_is_as_old_as_its_question() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        let lease = Lease::new(clock.clone(), TERM, Duration::ZERO);
        let asked = lease.as_of_now();
        clock.advance_millis(989);
        assert!(lease.covers(asked));
        clock.advance_millis(1);
        assert!(!lease.covers(asked));
        lease.renew(clock.monotonic());
        assert!(!lease.covers(asked), "nothing makes it younger");
    }

    #[test]
    fn an_endless_lease_holds() {
        let lease = Lease::endless();
        assert!(lease.holds() && lease.covers(lease.as_of_now()));
        assert_eq!(lease.patience(), None);
    }
}

//! Every interleaving of fills, revocations and pauses of the process, by loom.

use std::{sync, sync::atomic::Ordering, time::Duration};

use keygate_core::{Clock, Timestamp, key::KeyHash};
use keygate_storage::{AsOf, Lease};
use loom::{sync::atomic::AtomicU64, thread};

use super::{Entries, GuardedCache, Known};
use crate::sync::{Arc, Mutex};

const KEY: KeyHash = KeyHash::from_bytes([1; 32]);

/// Whether the key is active, as the cache or the database has it.
type Active = bool;

#[derive(Default)]
struct Slot(Mutex<Option<Active>>);

impl Entries for Slot {
    type Value = Active;

    fn get(&self, _: &KeyHash, memory: AsOf) -> Option<Known<Active>> {
        let value = (*self.0.lock())?;
        Some(Known {
            value,
            as_of: memory,
        })
    }

    fn insert(&self, _: KeyHash, value: Active, _: AsOf) {
        *self.0.lock() = Some(value);
    }

    fn remove(&self, _: &KeyHash) {
        self.clear();
    }

    fn clear(&self) {
        *self.0.lock() = None;
    }
}

/// A monotonic clock that stands still but for pauses of the process.
struct PausedClock(AtomicU64);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

const TERM: Duration = Duration::from_secs(1);
/// Longer than the term.
const PAUSE_MILLIS: u64 = 1_300;

struct World {
    /// A payload is what a shared fill has read already.
    cache: GuardedCache<Slot, Mutex<Option<Active>>>,
    database: Mutex<Active>,
    clock: sync::Arc<PausedClock>,
}

impl World {
    /// One node that has its database to itself.
    fn new() -> Arc<Self> {
        Self::under(|_| Lease::endless())
    }

    /// One of several nodes, which has just read the feed.
    fn of_several() -> Arc<Self> {
        Self::under(|clock| {
            let lease = Lease::new(clock.clone(), TERM, Duration::ZERO);
            lease.renew(clock.monotonic());
            lease
        })
    }

    fn under(lease: impl FnOnce(sync::Arc<PausedClock>) -> Lease) -> Arc<Self> {
        // Zero would be never.
        let clock = sync::Arc::new(PausedClock(AtomicU64::new(1)));
        Arc::new(Self {
            cache: GuardedCache::new(sync::Arc::new(lease(clock.clone()))),
            database: Mutex::default(),
            clock,
        })
    }

    fn write(&self, active: Active) {
        *self.database.lock() = active;
    }

    /// The steps of `Verifier::verify`; what is out of date is asked for again.
    fn verify(&self) -> Active {
        let covers = |known: &Known<Active>| self.cache.lease().covers(known.as_of);
        loop {
            if let Some(known) = self.cache.get(&KEY).filter(covers) {
                return known.value;
            }
            let fill = self.cache.begin_fill(KEY);
            let read = *fill
                .payload()
                .lock()
                .get_or_insert_with(|| *self.database.lock());
            if let Some(landed) = fill.land(&read)
                && covers(&landed.known)
            {
                return read;
            }
        }
    }

    /// Commits a revocation and tells the cache, as the writer does before it acknowledges.
    fn revoke(&self) {
        self.write(false);
        self.cache.invalidate(&KEY);
    }

    /// Another node revokes the key. Then this one is paused for longer than the lease, so that it is
    /// that long ago when it wakes.
    fn revoke_elsewhere_and_pause(&self) {
        self.write(false);
        self.clock.0.fetch_add(PAUSE_MILLIS, Ordering::SeqCst);
    }

    /// Reads the feed to its end, which names the key.
    fn read_feed(&self) {
        let began = self.clock.monotonic();
        self.cache.invalidate(&KEY);
        self.cache.lease().renew(began);
    }
}

#[test]
fn nobody_who_asks_after_the_revocation_is_let_in() {
    loom::model(|| {
        let world = World::new();
        world.write(true);
        let early = {
            let world = world.clone();
            thread::spawn(move || world.verify())
        };
        world.revoke();
        assert!(!world.verify(), "accepted after the acknowledgement");
        early.join().expect("no panic");
        assert_ne!(
            world.cache.get(&KEY).map(|known| known.value),
            Some(true),
            "landed after the revocation"
        );
        assert!(!world.verify());
    });
}

#[test]
fn two_fills_and_a_revocation_leave_nothing_stale() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::new();
        world.write(true);
        let early = [0, 1].map(|_| {
            let world = world.clone();
            thread::spawn(move || world.verify())
        });
        world.revoke();
        assert!(!world.verify(), "accepted after the acknowledgement");
        for thread in early {
            thread.join().expect("no panic");
        }
        assert_ne!(
            world.cache.get(&KEY).map(|known| known.value),
            Some(true),
            "landed after the revocation"
        );
    });
}

#[test]
fn nobody_who_asks_after_a_pause_is_let_in_by_what_was_read_before_it() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::of_several();
        world.write(true);
        let early = {
            let world = world.clone();
            thread::spawn(move || world.verify())
        };
        world.revoke_elsewhere_and_pause();
        assert!(!world.verify(), "accepted later than the lease");
        early.join().expect("no panic");
        world.read_feed();
        assert!(!world.verify());
    });
}

#[test]
fn a_feed_that_is_read_after_a_pause_renews_nothing_that_was_read_before_it() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::of_several();
        world.write(true);
        let early = {
            let world = world.clone();
            thread::spawn(move || world.verify())
        };
        world.revoke_elsewhere_and_pause();
        let reader = {
            let world = world.clone();
            thread::spawn(move || world.read_feed())
        };
        assert!(!world.verify(), "accepted later than the lease");
        for thread in [early.join().map(|_| ()), reader.join()] {
            thread.expect("no panic");
        }
        assert!(!world.verify());
    });
}

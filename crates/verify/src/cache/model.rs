//! Every interleaving of fills and a revocation, by loom.

use keygate_core::key::KeyHash;
use loom::thread;

use super::{Entries, GuardedCache};
use crate::sync::{Arc, Mutex};

const KEY: KeyHash = KeyHash::from_bytes([1; 32]);

/// Whether the key is active, as the cache or the database has it.
type Active = bool;

#[derive(Default)]
struct Slot(Mutex<Option<Active>>);

impl Entries for Slot {
    type Value = Active;

    fn get(&self, _: &KeyHash) -> Option<Active> {
        *self.0.lock()
    }

    fn insert(&self, _: KeyHash, value: Active) {
        *self.0.lock() = Some(value);
    }

    fn remove(&self, _: &KeyHash) {
        self.clear();
    }

    fn clear(&self) {
        *self.0.lock() = None;
    }
}

struct World {
    /// A payload is what a shared fill has read already.
    cache: GuardedCache<Slot, Mutex<Option<Active>>>,
    database: Mutex<Active>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cache: GuardedCache::default(),
            database: Mutex::default(),
        })
    }

    fn write(&self, active: Active) {
        *self.database.lock() = active;
    }

    /// The steps of `Verifier::verify`, a struck-out fill beginning anew.
    fn lookup(&self) -> Active {
        loop {
            if let Some(active) = self.cache.get(&KEY) {
                return active;
            }
            let fill = self.cache.begin_fill(KEY);
            let read = *fill
                .payload()
                .lock()
                .get_or_insert_with(|| *self.database.lock());
            if fill.land(Some(read)) {
                return read;
            }
        }
    }

    /// Commits a revocation and tells the cache, as the writer does before it acknowledges.
    fn revoke(&self) {
        self.write(false);
        self.cache.invalidate(&KEY);
    }
}

#[test]
fn nobody_who_asks_after_the_revocation_is_let_in() {
    loom::model(|| {
        let world = World::new();
        world.write(true);
        let early = {
            let world = world.clone();
            thread::spawn(move || world.lookup())
        };
        world.revoke();
        assert!(!world.lookup(), "accepted after the acknowledgement");
        early.join().expect("no panic");
        assert_ne!(
            world.cache.get(&KEY),
            Some(true),
            "landed after the revocation"
        );
        assert!(!world.lookup());
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
            thread::spawn(move || world.lookup())
        });
        world.revoke();
        assert!(!world.lookup(), "accepted after the acknowledgement");
        for thread in early {
            thread.join().expect("no panic");
        }
        assert_ne!(
            world.cache.get(&KEY),
            Some(true),
            "landed after the revocation"
        );
    });
}

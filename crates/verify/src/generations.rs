use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use keygate_core::key::KeyHash;
use papaya::HashMap;
use triomphe::Arc;

use crate::{cached_key::CachedKey, prehashed::Prehashed};

/// How many keys a generation has. There are two, so that twice as many are in memory at most.
const GENERATION: usize = 1_000_000;

type Map = HashMap<KeyHash, Arc<CachedKey>, Prehashed>;

/// The keys in memory: a young and an old generation. Readers write to nothing that another core reads.
///
/// When the young generation is full, the old one is forgotten at once, also the keys in it that are
/// used: to look one of them up again, once for a million others, is cheaper than to note each use.
pub(crate) struct Generations {
    current: ArcSwap<Pair>,
    size: usize,
    evicted: AtomicUsize,
}

struct Pair {
    young: std::sync::Arc<Map>,
    old: std::sync::Arc<Map>,
    /// How many were put into the young one.
    count: AtomicUsize,
}

impl Pair {
    fn new(young: std::sync::Arc<Map>, old: std::sync::Arc<Map>) -> Self {
        Self {
            young,
            old,
            count: 0.into(),
        }
    }
}

impl Default for Generations {
    fn default() -> Self {
        Self::of(GENERATION)
    }
}

impl Generations {
    fn of(size: usize) -> Self {
        let current = ArcSwap::from_pointee(Pair::new(new(), new()));
        Self {
            current,
            size,
            evicted: 0.into(),
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        let pair = self.current.load();
        pair.young.len() + pair.old.len()
    }

    /// How many were forgotten to make room for others.
    pub(crate) fn evicted(&self) -> usize {
        self.evicted.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, hash: &KeyHash) -> Option<Arc<CachedKey>> {
        let pair = self.current.load();
        let found = pair.young.pin().get(hash).cloned();
        found.or_else(|| pair.old.pin().get(hash).cloned())
    }

    pub(crate) fn insert(&self, hash: KeyHash, key: Arc<CachedKey>) {
        let pair = self.current.load();
        pair.young.pin().insert(hash, key);
        // What is put in is put in under a lock, so that one alone finds it full.
        if pair.count.fetch_add(1, Ordering::Relaxed) + 1 == self.size {
            self.evicted.fetch_add(pair.old.len(), Ordering::Relaxed);
            let next = Pair::new(new(), pair.young.clone());
            self.current.store(std::sync::Arc::new(next));
        }
    }

    pub(crate) fn remove(&self, hash: &KeyHash) {
        let pair = self.current.load();
        pair.young.pin().remove(hash);
        pair.old.pin().remove(hash);
    }

    pub(crate) fn clear(&self) {
        let empty = Pair::new(new(), new());
        self.current.store(std::sync::Arc::new(empty));
    }
}

fn new() -> std::sync::Arc<Map> {
    std::sync::Arc::new(Map::default())
}

#[cfg(test)]
mod tests {
    use keygate_core::{AccountId, Credential, KeyId, OsRandom, Scope, Timestamp};

    use super::*;

    fn key() -> Arc<CachedKey> {
        let now = Timestamp::from_millis(0);
        Arc::new(CachedKey::new(&Credential {
            key_id: KeyId::generate(now, &OsRandom),
            account_id: AccountId::generate(now, &OsRandom),
            scopes: [Scope::Chat].into_iter().collect(),
            expires_at: None,
            is_active: true,
            account_suspended: false,
        }))
    }

    fn hash(number: u8) -> KeyHash {
        KeyHash::from_bytes([number; 32])
    }

    #[test]
    fn the_last_ones_are_there_and_never_more_than_two_generations() {
        let keys = Generations::of(10);
        for number in 0..100 {
            keys.insert(hash(number), key());
            for recent in number.saturating_sub(9)..=number {
                assert!(keys.get(&hash(recent)).is_some(), "{recent} of {number}");
            }
            let there = (0..=number).filter(|number| keys.get(&hash(*number)).is_some());
            assert_eq!(there.count(), keys.len());
            assert!(keys.len() <= 20);
            assert_eq!(keys.len() + keys.evicted(), usize::from(number) + 1);
        }
    }

    #[test]
    fn what_is_removed_is_in_neither_generation() {
        let keys = Generations::of(10);
        for number in 0..15 {
            keys.insert(hash(number), key());
        }
        for number in 0..15 {
            keys.remove(&hash(number));
            assert!(keys.get(&hash(number)).is_none());
        }
        keys.insert(hash(1), key());
        keys.clear();
        assert!(keys.get(&hash(1)).is_none());
    }
}

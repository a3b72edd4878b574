//! What is known of keys, and the rule that makes revocation final.
//!
//! A fill reads the database and then lands what it read in the cache. In between, the key may be
//! changed. So every fill is entered in a table while it is under way; a change strikes it out
//! there, under the same lock under which fills land. A fill that was struck out never lands, and
//! nobody who comes after the change can join it.

#[cfg(all(test, feature = "loom"))]
mod model;

use std::{collections::HashMap, sync::atomic::Ordering};

use keygate_core::key::KeyHash;

use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard};

/// The map behind the cache. It may forget entries at any time.
pub(crate) trait Entries {
    type Value;
    fn get(&self, hash: &KeyHash) -> Option<Self::Value>;
    fn insert(&self, hash: KeyHash, value: Self::Value);
    fn remove(&self, hash: &KeyHash);
    fn clear(&self);
}

/// A read of the database that is under way, shared by all who wait for the same key.
#[derive(Default)]
struct Fill<P> {
    struck_out: AtomicBool,
    payload: P,
}

struct UnderWay<P> {
    fill: Arc<Fill<P>>,
    sharers: usize,
}

type FillTable<P> = HashMap<KeyHash, UnderWay<P>>;

/// [`Entries`] into which only fills land that were not struck out.
#[derive(Default)]
pub(crate) struct GuardedCache<E, P> {
    entries: E,
    fills: Mutex<FillTable<P>>,
}

impl<E: Entries, P: Default> GuardedCache<E, P> {
    pub(crate) fn get(&self, hash: &KeyHash) -> Option<E::Value> {
        self.entries.get(hash)
    }

    pub(crate) fn entries(&self) -> &E {
        &self.entries
    }

    /// Begins a fill, or joins the one that is under way. To be called before the database is read.
    pub(crate) fn begin_fill(&self, hash: KeyHash) -> Ticket<'_, E, P> {
        let mut table = self.table();
        let under_way = table.entry(hash).or_insert_with(|| UnderWay {
            fill: Arc::default(),
            sharers: 0,
        });
        under_way.sharers += 1;
        Ticket {
            cache: self,
            hash,
            fill: under_way.fill.clone(),
        }
    }

    /// Forgets a key and strikes out the fill of it that is under way.
    pub(crate) fn invalidate(&self, hash: &KeyHash) {
        let mut table = self.table();
        if let Some(UnderWay { fill, .. }) = table.remove(hash) {
            fill.struck_out.store(true, Ordering::Relaxed);
        }
        self.entries.remove(hash);
    }

    /// Forgets all keys and strikes out every fill that is under way.
    pub(crate) fn invalidate_all(&self) {
        let mut table = self.table();
        for (_, UnderWay { fill, .. }) in table.drain() {
            fill.struck_out.store(true, Ordering::Relaxed);
        }
        self.entries.clear();
    }

    fn table(&self) -> MutexGuard<'_, FillTable<P>> {
        self.fills.lock()
    }
}

/// A share in a fill. When the last one is dropped, landed or not, the fill is over.
pub(crate) struct Ticket<'a, E: Entries, P: Default> {
    cache: &'a GuardedCache<E, P>,
    hash: KeyHash,
    fill: Arc<Fill<P>>,
}

impl<E: Entries, P: Default> Ticket<'_, E, P> {
    /// Where those who share the fill leave what was read.
    pub(crate) fn payload(&self) -> &P {
        &self.fill.payload
    }

    /// Puts what was read into the cache. False if the fill was struck out: what was read may be
    /// out of date and must not be used.
    pub(crate) fn land(&self, found: Option<E::Value>) -> bool {
        let mut table = self.cache.table();
        if self.fill.struck_out.load(Ordering::Relaxed) {
            return false;
        }
        // Whoever shares a fill may land it; the first does.
        if self.is_under_way(&table) {
            table.remove(&self.hash);
            match found {
                Some(value) => self.cache.entries.insert(self.hash, value),
                None => self.cache.entries.remove(&self.hash),
            }
        }
        true
    }

    fn is_under_way(&self, table: &FillTable<P>) -> bool {
        table
            .get(&self.hash)
            .is_some_and(|under_way| Arc::ptr_eq(&under_way.fill, &self.fill))
    }
}

impl<E: Entries, P: Default> Drop for Ticket<'_, E, P> {
    fn drop(&mut self) {
        let mut table = self.cache.table();
        if !self.is_under_way(&table) {
            return;
        }
        if let Some(under_way) = table.get_mut(&self.hash) {
            under_way.sharers -= 1;
            if under_way.sharers == 0 {
                table.remove(&self.hash);
            }
        }
    }
}

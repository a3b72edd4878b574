//! What is known of keys, and the rules that make revocation final.
//!
//! A fill reads the database and then lands what it read in the cache. In between, the key may be
//! changed. So every fill is entered in a table while it is under way; a change strikes it out
//! there, under the same lock under which fills land. A fill that was struck out never lands, and
//! nobody who comes after the change can join it.
//!
//! Changes by other processes are heard of within the lease, and this process may be paused at any
//! moment for longer than that. So whatever is given out says as of when it is right, and a fill that
//! the lease no longer covers is neither joined nor landed, however fast its answer seemed to come.

#[cfg(all(test, feature = "loom"))]
mod model;

use std::{collections::HashMap, sync, sync::atomic::Ordering};

use keygate_core::key::KeyHash;
use keygate_storage::{AsOf, Lease};

use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard};

/// The map behind the cache. It may forget entries at any time.
pub(crate) trait Entries {
    type Value: Clone;
    /// `memory` is the moment as of which whatever is told of changes is right.
    fn get(&self, hash: &KeyHash, memory: AsOf) -> Option<Known<Self::Value>>;
    /// `as_of` is the moment at which the database was asked.
    fn insert(&self, hash: KeyHash, value: Self::Value, as_of: AsOf);
    fn remove(&self, hash: &KeyHash);
    fn clear(&self);
}

/// What is known about a key, to be used while the lease covers its moment.
pub(crate) struct Known<V> {
    pub(crate) value: V,
    pub(crate) as_of: AsOf,
}

/// A read of the database that is under way, shared by all who wait for the same key.
struct Fill<P> {
    /// Taken before the database is asked.
    as_of: AsOf,
    struck_out: AtomicBool,
    payload: P,
}

struct UnderWay<P> {
    fill: Arc<Fill<P>>,
    sharers: usize,
}

type FillTable<P> = HashMap<KeyHash, UnderWay<P>>;

/// [`Entries`] into which only fills land that were not struck out and that the lease covers.
pub(crate) struct GuardedCache<E, P> {
    entries: E,
    fills: Mutex<FillTable<P>>,
    lease: sync::Arc<Lease>,
}

impl<E: Entries + Default, P: Default> GuardedCache<E, P> {
    pub(crate) fn new(lease: sync::Arc<Lease>) -> Self {
        Self {
            entries: E::default(),
            fills: Mutex::default(),
            lease,
        }
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn entries(&self) -> &E {
        &self.entries
    }

    /// What is in memory about a key, whether or not it may still be used.
    pub(crate) fn get(&self, hash: &KeyHash) -> Option<Known<E::Value>> {
        // First, since a proof that comes after the look does not speak of what it found.
        let memory = self.lease.as_of_memory();
        self.entries.get(hash, memory)
    }

    /// Begins a fill, or joins the one that is under way. To be called before the database is read.
    pub(crate) fn begin_fill(&self, hash: KeyHash) -> Ticket<'_, E, P> {
        let mut table = self.table();
        let is_too_old = |under_way: &UnderWay<P>| !self.lease.covers(under_way.fill.as_of);
        if table.get(&hash).is_some_and(is_too_old) {
            strike_out(&mut table, &hash);
        }
        let under_way = table.entry(hash).or_insert_with(|| UnderWay {
            fill: Arc::new(Fill {
                as_of: self.lease.as_of_now(),
                struck_out: AtomicBool::new(false),
                payload: P::default(),
            }),
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
        strike_out(&mut table, hash);
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

fn strike_out<P>(table: &mut FillTable<P>, hash: &KeyHash) {
    if let Some(UnderWay { fill, .. }) = table.remove(hash) {
        fill.struck_out.store(true, Ordering::Relaxed);
    }
}

/// A share in a fill. When the last one is dropped, landed or not, the fill is over.
pub(crate) struct Ticket<'a, E: Entries + Default, P: Default> {
    cache: &'a GuardedCache<E, P>,
    hash: KeyHash,
    fill: Arc<Fill<P>>,
}

/// What became of what a fill has read.
pub(crate) struct Landed<V> {
    pub(crate) known: Known<V>,
    /// Whether it was put into the cache by this very share.
    pub(crate) is_first: bool,
}

impl<E: Entries + Default, P: Default> Ticket<'_, E, P> {
    /// Where those who share the fill leave what was read.
    pub(crate) fn payload(&self) -> &P {
        &self.fill.payload
    }

    /// Puts what was read into the cache. `None` if it may be out of date, and must not be used: the
    /// fill was struck out, or the database was asked too long ago.
    pub(crate) fn land(&self, found: &E::Value) -> Option<Landed<E::Value>> {
        let mut table = self.cache.table();
        if self.fill.struck_out.load(Ordering::Relaxed) {
            return None;
        }
        if !self.cache.lease.covers(self.fill.as_of) {
            self.end(&mut table);
            return None;
        }
        // Whoever shares a fill may land it; the first does.
        let is_first = self.end(&mut table);
        if is_first {
            let as_of = self.fill.as_of;
            self.cache.entries.insert(self.hash, found.clone(), as_of);
        }
        Some(Landed {
            known: Known {
                value: found.clone(),
                as_of: self.fill.as_of,
            },
            is_first,
        })
    }

    /// Ends the fill without a result. Who shares it already has heard of the failure; who comes now
    /// asks anew.
    pub(crate) fn fail(&self) {
        self.end(&mut self.cache.table());
    }

    /// Takes the fill out of the table. False if somebody has done so before.
    fn end(&self, table: &mut FillTable<P>) -> bool {
        let is_under_way = self.is_under_way(table);
        if is_under_way {
            table.remove(&self.hash);
        }
        is_under_way
    }

    fn is_under_way(&self, table: &FillTable<P>) -> bool {
        table
            .get(&self.hash)
            .is_some_and(|under_way| Arc::ptr_eq(&under_way.fill, &self.fill))
    }
}

impl<E: Entries + Default, P: Default> Drop for Ticket<'_, E, P> {
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
